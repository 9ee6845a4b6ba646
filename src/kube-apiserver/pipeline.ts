// The stages of every request, in order, over a socket or in process.

import { aggregateDiscovery } from './aggregation/discovery.ts';
import { aggregate } from './aggregation/proxy.ts';
import { audit, auditReceived } from './audit/audit.ts';
import { heavy } from './heavy.ts';
import type { Reply } from './request/reply.ts';
import type { ApiRequest, Stage } from './request/request.ts';
import { authorize } from './stages/authorize.ts';
import { deadline } from './stages/deadline.ts';
import { answerErrors } from './stages/errors.ts';
import { identify } from './stages/identify.ts';
import { impersonate } from './stages/impersonation.ts';
import { limit } from './stages/limit.ts';
import { longSelectors } from './stages/long-selectors.ts';
import { measure } from './stages/measure.ts';
import { noteRefusals } from './stages/note-refusals.ts';
import { plain } from './stages/plain.ts';
import { receive } from './stages/receive.ts';
import { resource } from './stages/resource.ts';
import { trace } from './stages/trace.ts';

const pipeline: readonly Stage[] = [
  audit, // around everything, to see every answer
  measure, // counts errors too
  answerErrors, // converts every error to a Status
  noteRefusals, // sees the errors themselves
  deadline, // before identify: an authenticator may wait for another server
  identify,
  auditReceived,
  trace, // after authentication: which spans continue depends on the user
  receive, // before limit: a slow sender must not hold a place
  longSelectors, // before impersonate and authorize, which read them
  impersonate, // before limit: flow schemas match the impersonated user
  limit, // before authorize: a flood must not cost policy evaluation
  authorize,
  heavy, // after authorize: a refused request takes no place in this queue
  aggregate, // requests for the APIs of other servers end here
  resource, // registry/from-request.ts makes the operation; a write runs registry/write/write-steps.ts
  aggregateDiscovery, // adds those APIs to the documents of `plain`
  plain, // paths that are no resource: health, version, discovery, OpenAPI, metrics
];

/** Runs a request through the stages. Each may go on once: a request is never handled twice. */
export function run(request: ApiRequest, stages: readonly Stage[] = pipeline): Promise<Reply> {
  const from = (index: number): Promise<Reply> => {
    let isPassed = false;
    return stages[index](request, () => {
      if (isPassed) throw new Error(`stage ${stages[index].name || index} went on twice`);
      isPassed = true;
      return from(index + 1);
    });
  };
  return from(0);
}
