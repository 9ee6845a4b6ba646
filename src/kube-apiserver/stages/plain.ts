// Paths that are no resource: health, version, discovery, OpenAPI, metrics.

import { kubernetesVersion } from '../../api/api.ts';
import type { MetricsSelection } from '../../machinery/metrics.ts';
import { flagz, statusz } from '../debug/pages.ts';
import { profileReply } from '../debug/profiles.ts';
import { discoveryReply } from '../discovery/discovery.ts';
import { dumpPriorityLevels, dumpQueues, dumpRequests } from '../fairness/dump.ts';
import { objectReply, plainText, type Reply, textReply } from '../request/reply.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import type { Server } from '../server.ts';
import { methodRefused, noSuchResource } from '../status.ts';

type Answer = (request: ApiRequest) => Reply | Promise<Reply>;

/**
 * `name[]=a` chooses families, as Prometheus' Go library does; `by[a]=verb,code` adds up the series of a family that differ
 * in other labels.
 */
function metricsSelection(query: URLSearchParams): MetricsSelection {
  const names = query.getAll('name[]');
  const labels = new Map<string, ReadonlySet<string>>();
  for (const [parameter, value] of query) {
    const family = /^by\[(.+)\]$/.exec(parameter)?.[1];
    if (family !== undefined) labels.set(family, new Set(value.split(',')));
  }
  return { labels, ...(names.length > 0 && { names: new Set(names) }) };
}

const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

const exact: Readonly<Record<string, Answer>> = {
  '/': ({ server }) => rawJson({ paths: listedPaths(server) }),
  '/statusz': (request) => statusz(request, listedPaths(request.server)),
  '/flagz': (request) => flagz(request) ?? notThere(),
  '/version': () =>
    rawJson({ ...kubernetesVersion, platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}` }),
  '/debug/api_priority_and_fairness/dump_priority_levels': ({ server }) =>
    textReply(200, dumpPriorityLevels(server.fairness.levels.levels)),
  '/debug/api_priority_and_fairness/dump_queues': ({ server }) =>
    textReply(200, dumpQueues(server.fairness.levels.levels)),
  '/debug/api_priority_and_fairness/dump_requests': ({ server, query }) =>
    textReply(200, dumpRequests(server.fairness.levels.levels, Boolean(query.get('includeRequestDetails')))),
  '/metrics': ({ server, query }) => textReply(200, server.metrics.text(metricsSelection(query)), metricsType),
  '/metrics/slis': ({ server }) => textReply(200, server.health.slis.text(), metricsType),
  '/.well-known/openid-configuration': ({ server }) =>
    server.tokens ? objectReply(200, server.tokens.openidConfiguration()) : notThere(),
  '/openid/v1/jwks': ({ server }) =>
    server.tokens ? textReply(200, JSON.stringify(server.tokens.jwks()), 'application/jwk-set+json') : notThere(),
};

const listedPaths = ({ kinds, health, config }: Server): readonly string[] => [
  '/.well-known/openid-configuration',
  '/api',
  '/api/v1',
  '/apis',
  ...groupPaths(kinds.all()),
  ...(config.flags ? ['/flagz'] : []),
  '/healthz',
  ...health.names('healthz').map((name) => `/healthz/${name}`),
  '/livez',
  ...health.names('livez').map((name) => `/livez/${name}`),
  '/metrics',
  '/metrics/slis',
  '/openapi/v2',
  '/openapi/v3',
  '/openid/v1/jwks',
  '/readyz',
  ...health.names('readyz').map((name) => `/readyz/${name}`),
  '/statusz',
  '/version',
];

const profilePath = '/debug/pprof';

/** JSON also for clients that accept only other forms. */
const rawJson = (value: object) => textReply(200, JSON.stringify(value, undefined, 2), 'application/json');

function notServed(root: string): Reply {
  if (root === 'api') throw noSuchResource();
  return notThere();
}

const notThere = () => plainText(404, '404 page not found\n');

function groupPaths(kinds: readonly { group: string; version: string }[]): string[] {
  const paths = new Set<string>();
  for (const { group, version } of kinds) if (group) paths.add(`/apis/${group}`).add(`/apis/${group}/${version}`);
  return [...paths].sort();
}

const profile: Answer = async (request) =>
  (await profileReply(request, request.path.slice(profilePath.length + 1))) ?? notThere();

export const plain: Stage = async (request) => {
  const { path, method } = request;
  const clean = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
  const root = clean.split('/')[1];
  if (root === 'healthz' || root === 'livez' || root === 'readyz') {
    const { code, text } = await request.server.health.answer(path, request.query);
    return plainText(code, text);
  }
  const isProfile = clean === profilePath || clean.startsWith(`${profilePath}/`);
  const answer = isProfile && request.server.config.profiling ? profile : exact[clean];
  if (!answer && root !== 'api' && root !== 'apis' && root !== 'openapi') return notThere();
  if (method !== 'GET' && method !== 'HEAD') throw methodRefused();
  return answer ? answer(request) : ((await discoveryReply(request, clean)) ?? notServed(root));
};
