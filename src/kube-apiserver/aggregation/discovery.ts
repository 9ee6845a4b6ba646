// Discovery and OpenAPI including the aggregated APIs. Merges their documents into the server's.

import { createHash } from 'node:crypto';
import type { APIGroup } from '../../api/api.ts';
import { comparePriority } from '../../api/api.ts';
import type { Fields } from '../../machinery/parsed.ts';
import { type Reply, textReply } from '../request/reply.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import type { AggregatedApi, Aggregation, OpenApiV2 } from './aggregation.ts';
import { forwardDocument } from './proxy.ts';

export const aggregateDiscovery: Stage = async (request, next) => {
  const { aggregation } = request.server;
  if (aggregation.size === 0 || !/^\/(apis|openapi)(\/|$)/.test(request.path)) return next();
  const path = request.path.length > 1 && request.path.endsWith('/') ? request.path.slice(0, -1) : request.path;
  const remote = /^\/openapi\/v3\/apis\/([^/]+)\/([^/]+)$/.exec(path);
  const api = remote && aggregation.find(remote[1], remote[2]);
  if (api) return forwardDocument(request, api);
  const merge = merges[path] ?? (/^\/apis\/[^/]+$/.test(path) ? mergeGroup : undefined);
  if (!merge) return next();
  const reply = await next();
  if (reply.type !== 'raw' || !(typeof reply.body === 'string' || reply.body instanceof Uint8Array)) return reply;
  // The protobuf form of OpenAPI only has this server's types.
  if (reply.code === 200 && !reply.contentType.startsWith('application/json')) return reply;
  const local = reply.code === 200 ? JSON.parse(Buffer.from(reply.body).toString()) : undefined;
  const merged = await merge(aggregation, local, request);
  if (!merged) return reply;
  const body = JSON.stringify(merged);
  const etag = `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`;
  const headers = { ETag: etag, Vary: 'Accept' };
  if (request.headers['if-none-match'] === etag) return { type: 'raw', code: 304, body: '', contentType: '', headers };
  const contentType = reply.code === 200 ? reply.contentType : 'application/json';
  return { ...textReply(200, body, contentType), headers, negotiable: true } as Reply;
};

/** Merges the remote APIs into the server's own document, whose type each function declares. */
type Merge = {
  merge(aggregation: Aggregation, local: unknown, request: ApiRequest): Promise<object | undefined>;
}['merge'];

interface GroupList {
  readonly kind?: string;
  readonly groups: readonly Partial<APIGroup>[];
}

/** The newer form of all groups. */
interface GroupDiscoveryList {
  readonly kind?: string;
  readonly items: readonly { readonly metadata?: { readonly name?: string }; readonly versions: readonly object[] }[];
}

const merges: Readonly<Record<string, Merge>> = {
  '/apis': async (aggregation, local: GroupList | GroupDiscoveryList) =>
    'items' in local ? mergeResources(aggregation, local) : mergeGroups(aggregation, local),
  '/openapi/v3': async (aggregation, local: { readonly paths: Readonly<Fields> }) => {
    const paths: Fields = { ...local.paths };
    for (const api of aggregation.all()) {
      const hash = await aggregation.documents.openapiHash(api);
      const path = `apis/${api.group}/${api.version}`;
      if (hash !== undefined)
        paths[path] = { serverRelativeURL: `/openapi/v3/${path}${hash ? `?hash=${encodeURIComponent(hash)}` : ''}` };
    }
    return { ...local, paths };
  },
  '/openapi/v2': async (aggregation, local: OpenApiV2) => {
    const paths: Fields = { ...local.paths };
    const definitions: Fields = { ...local.definitions };
    for (const api of aggregation.all()) {
      const remote = await aggregation.documents.openapiV2(api);
      for (const [path, item] of Object.entries(remote?.paths ?? {}))
        if (path.startsWith(`/apis/${api.group}/${api.version}/`)) paths[path] = item;
      for (const [name, definition] of Object.entries(remote?.definitions ?? {})) definitions[name] ??= definition;
    }
    return { ...local, paths, definitions };
  },
};

/** Remote APIs by group, the groups of the highest priority first, and so the versions of each. */
function byGroup(aggregation: Aggregation): Map<string, AggregatedApi[]> {
  const sorted = aggregation
    .all()
    .toSorted(
      (a, b) =>
        b.groupPriority - a.groupPriority ||
        (a.group < b.group ? -1 : a.group > b.group ? 1 : b.versionPriority - a.versionPriority) ||
        comparePriority(a.version, b.version),
    );
  const groups = new Map<string, AggregatedApi[]>();
  for (const api of sorted) groups.set(api.group, [...(groups.get(api.group) ?? []), api]);
  return groups;
}

const versionsOf = (name: string, apis: readonly AggregatedApi[]) =>
  apis.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }));

/** If both have a group, the local versions come first. */
function withVersions(
  name: string,
  local: Partial<APIGroup> | undefined,
  apis: readonly AggregatedApi[],
): Partial<APIGroup> {
  const versions = [...(local?.versions ?? []), ...versionsOf(name, apis)];
  return { ...local, name, versions, preferredVersion: versions[0] };
}

async function mergeGroups(aggregation: Aggregation, local: GroupList): Promise<object> {
  const remote = byGroup(aggregation);
  const groups = local.groups.map((group) => {
    const { name = '' } = group;
    const apis = remote.get(name);
    remote.delete(name);
    return apis ? withVersions(name, group, apis) : group;
  });
  for (const [name, apis] of remote) groups.push(withVersions(name, undefined, apis));
  return { ...local, groups };
}

const mergeGroup: Merge = async (aggregation, local: Partial<APIGroup> | undefined, { path }) => {
  const name = path.split('/')[2];
  const apis = byGroup(aggregation).get(name);
  return apis && { kind: 'APIGroup', apiVersion: 'v1', ...withVersions(name, local, apis) };
};

async function mergeResources(aggregation: Aggregation, local: GroupDiscoveryList): Promise<object> {
  const items = [...local.items];
  for (const [name, apis] of byGroup(aggregation)) {
    const versions = await Promise.all(apis.map((api) => aggregation.documents.discovery(api)));
    const index = items.findIndex((item) => item.metadata?.name === name);
    if (index < 0) items.push({ metadata: { name }, versions });
    else items[index] = { ...items[index], versions: [...items[index].versions, ...versions] };
  }
  return { ...local, items };
}
