// Every request, in the order in which it happens, whether it came over a socket or from inside the process.

import { aggregateDiscovery } from './aggregation/discovery.ts';
import { aggregate } from './aggregation/proxy.ts';
import { audit, auditReceived } from './audit/audit.ts';
import { identify } from './authentication.ts';
import { authorize } from './authorization.ts';
import { answerErrors } from './errors.ts';
import { heavy } from './heavy.ts';
import { impersonate } from './impersonation.ts';
import { limit } from './limit.ts';
import { measure } from './measure.ts';
import { plain } from './plain.ts';
import { receive } from './receive.ts';
import type { ApiRequest, Reply, Stage } from './request.ts';
import { resource } from './resources.ts';

export const pipeline: readonly Stage[] = [
  audit, // around everything, to see what is answered
  answerErrors, // whatever is thrown below becomes a Status
  identify,
  auditReceived,
  measure,
  receive, // before limit: a slow sender must not hold a place
  limit, // before authorize: a flood must not cost policy evaluation
  impersonate,
  authorize,
  heavy, // after authorize: who may do nothing does not stand in this line
  aggregate, // requests for the APIs of other servers end here
  resource, // decode > managed fields > mutate > prepare > validate > store: registry/create.ts and its neighbours
  aggregateDiscovery, // adds those APIs to what `plain` says of ours
  plain, // what is no resource: health, version, discovery, OpenAPI, metrics
];

/** Runs a request through the stages. */
export function run(request: ApiRequest, stages: readonly Stage[] = pipeline): Promise<Reply> {
  const from = (index: number): Promise<Reply> => stages[index](request, () => from(index + 1));
  return from(0);
}
