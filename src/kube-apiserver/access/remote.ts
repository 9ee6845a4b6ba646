// Servers that decide for this one, and issuers of tokens: one bounded HTTP request each.

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isObject, type Shape, shapeFaults, withoutNulls } from '../../machinery/fields/configuration-shape.ts';
import type { Clock } from '../../machinery/time/clock.ts';

export interface RemoteServer {
  readonly url: string;
  /** PEM; default: the machine's authorities. */
  readonly ca?: string;
  /** PEM of a client certificate. */
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
}

export interface RemoteCall {
  /** Sent as JSON by POST, a text as it is; a GET when left out. */
  readonly body?: object | string;
  readonly timeoutMs: number;
  /** Of a review: how long after the first failure it is sent again. Default half a second. */
  readonly firstRetryMs?: number;
  /** Default 1 MB. A longer answer is none. */
  readonly mostBytes?: number;
}

export interface RemoteAnswer {
  readonly code: number;
  readonly text: string;
}

/** Rejects with an Error that has the cause. */
export function callRemote(server: RemoteServer, call: RemoteCall): Promise<RemoteAnswer> {
  const { url, ca, cert, key, token } = server;
  const { body, timeoutMs, mostBytes = 1 << 20 } = call;
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  const headers = {
    accept: 'application/json',
    ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    ...(token && { authorization: `Bearer ${token}` }),
  };
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  const late = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(late.aborted ? new Error(`no answer within ${timeoutMs / 1000}s`) : error);
    const request = send(url, { method: text === undefined ? 'GET' : 'POST', headers, ca, cert, key, signal: late });
    request.on('error', fail);
    request.on('response', (response) => {
      const pieces: Buffer[] = [];
      let size = 0;
      response.on('error', fail);
      response.on('data', (piece: Buffer) => {
        size += piece.length;
        if (size > mostBytes) request.destroy(new Error(`the answer is longer than ${mostBytes} bytes`));
        else pieces.push(piece);
      });
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text: Buffer.concat(pieces).toString() }));
    });
    request.end(text);
  });
}

// As kube-apiserver tries: five times, from half a second on, each time half as long again.
const attempts = 5;
const defaultRetryMs = 500;

export interface ReviewCall extends RemoteCall {
  readonly body: object;
  /** The types of the status' fields; others are ignored. */
  readonly shape: Shape;
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
