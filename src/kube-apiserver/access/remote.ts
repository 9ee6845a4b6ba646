// Servers that decide for this one.

import { callRemote, type RemoteCall, type RemoteServer } from '../../client/client.ts';
import { isObject, type Shape, shapeFaults, withoutNulls } from '../../machinery/fields/configuration-shape.ts';
import type { Clock } from '../../machinery/time/clock.ts';

// As kube-apiserver tries: five times, from half a second on, each time half as long again.
const attempts = 5;
const defaultRetryMs = 500;

interface ReviewCall extends RemoteCall {
  readonly body: object;
  /** The types of the status' fields; others are ignored. */
  readonly shape: Shape;
  /** How long after the first failure it is sent again. Default half a second. */
  readonly firstRetryMs?: number;
}

/**
 * Sends a review, and resolves with its status. Retries if the server is unreachable, fails or is busy. Rejects with an
 * Error that has the cause.
 */
export async function reviewRemotely<Status>(
  server: RemoteServer,
  call: ReviewCall,
  clock: Clock,
): Promise<Partial<Status>> {
  for (let attempt = 1; ; attempt++) {
    const answer = await callRemote(server, call).catch((error: Error) => error);
    if (!(answer instanceof Error) && answer.code >= 200 && answer.code < 300)
      return statusIn<Status>(answer.text, call.shape);
    const isFinal = !(answer instanceof Error) && answer.code < 500 && answer.code !== 429;
    if (isFinal || attempt === attempts)
      throw answer instanceof Error ? answer : new Error(`the server answered ${answer.code}`);
    await clock.sleep((call.firstRetryMs ?? defaultRetryMs) * 1.5 ** (attempt - 1));
  }
}

function statusIn<Status>(text: string, shape: Shape): Partial<Status> {
  const { status } = (JSON.parse(text) ?? {}) as { status?: unknown };
  if (!isObject(status)) throw new Error('the answer has no status');
  // "false" in quotes would count as true.
  const [fault] = shapeFaults(status, shape, { path: 'status', ignoresUnknown: true });
  if (fault) throw new Error(`the answer is invalid: ${fault}`);
  return withoutNulls(status) as Partial<Status>;
}
