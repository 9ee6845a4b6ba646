// Authorizes the request's user and attributes.

import type { FieldRequirement } from '../../machinery/selectors/field-selector.ts';
import { pathSegmentFaults } from '../../machinery/text/names.ts';
import { type Attributes, type Decision, decide, refusal } from '../access/authorization.ts';
import { fieldRequirements, labelRequirements } from '../access/selector-requirements.ts';
import { type AuthorizationResult, accessMetrics } from '../metrics/access-metrics.ts';
import { requestMetrics } from '../metrics/request-metrics.ts';
import { refusedBy } from '../refusals.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import type { Server } from '../server.ts';
import { inSpan, noAttributes } from '../tracing/tracing.ts';

export const authorize: Stage = async (request, next) => {
  const attributes = await attributesOf(request);
  const { server } = request;
  const { decision, reason } = await inSpan(server, 'Authorization', noAttributes, () => judged(server, attributes));
  request.audit?.annotate('authorization.k8s.io/decision', decision === 'allow' ? 'allow' : 'forbid');
  request.audit?.annotate('authorization.k8s.io/reason', reason ?? '');
  if (decision === 'allow') return next();
  const refused = refusal(attributes, reason);
  refusedBy(refused, 'authorization');
  throw refused;
};

async function judged(server: Server, attributes: Attributes): Promise<Decision> {
  const { clock, metrics } = server;
  const startMs = clock.monotonic();
  let result: AuthorizationResult = 'error';
  try {
    const decided = await decide(server.authorizers, attributes);
    result = results[decided.decision];
    return decided;
  } finally {
    const seconds = (clock.monotonic() - startMs) / 1_000;
    const { attempts, duration } = accessMetrics(metrics).authorization[result];
    attempts.add();
    duration.observe(seconds);
    requestMetrics(metrics).filters.authorization.observe(seconds);
  }
}

const results = { allow: 'allowed', deny: 'denied', 'no-opinion': 'no-opinion' } as const;

/** The attributes of a request. */
export async function attributesOf({ user, info, query, server }: ApiRequest): Promise<Attributes> {
  const { verb } = info;
  const isSelective = selects.has(verb) && !info.viaPath;
  const fields = isSelective && query.get('fieldSelector');
  const labels = isSelective && query.get('labelSelector');
  const fieldSelector = fields ? await fieldRequirements(fields, server.clock) : undefined;
  const name = info.name || (verb === 'deletecollection' ? '' : nameSelected(fieldSelector));
  return {
    ...info,
    name,
    user,
    ...(fieldSelector && { fieldSelector }),
    ...(labels && { labelRequirements: () => labelRequirements(labels, server.clock) }),
  };
}

const selects = new Set(['list', 'watch', 'deletecollection']);

/** A list or watch of one name alone is judged as one of that name: rules with resourceNames may allow it. */
function nameSelected(requirements: readonly FieldRequirement[] | undefined): string {
  const name = requirements?.find(({ field, operator }) => field === 'metadata.name' && operator === '=')?.value ?? '';
  return pathSegmentFaults(name).length ? '' : name;
}
