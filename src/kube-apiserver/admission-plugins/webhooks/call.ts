// One AdmissionReview, sent and answered. https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/

import { Agent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { WebhookClientConfig } from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import { trusting } from '../../../machinery/certificates/trusting.ts';
import { Pieces } from '../../../machinery/collections/pieces.ts';
import { connectionError } from '../../../machinery/network-error.ts';
import type { Clock } from '../../../machinery/time/clock.ts';
import { ownTurn } from '../../../machinery/time/turn.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import { refusedCall } from './failure.ts';
import { authorizationOf, userFor, type WebhookUsers } from './users.ts';

/** Arguments of a call to any webhook. */
interface ReviewCall {
  readonly clientConfig: WebhookClientConfig;
  readonly review: object;
  readonly timeoutSeconds: number;
  readonly client: Client;
  readonly clock: Clock;
  /** Passes the span of the call on. */
  readonly tracing: Tracing | undefined;
  /** Default: no credentials. */
  readonly users?: WebhookUsers | undefined;
}

/** Idle connections do not block the process exit. */
const agent = new Agent({ keepAlive: true });
/** An answer that is longer is none. */
const mostBytes = 3 << 20;

/** Sends a review and resolves with the response's text. Rejects with an Error that has the cause. */
export async function postReview(call: ReviewCall): Promise<string> {
  const { clientConfig, review } = call;
  const { shown, host, port, path, servername } = await placeOf(call);
  // Hundreds of webhooks may get the same large object.
  await ownTurn();
  const body = Buffer.from(JSON.stringify(review));
  const user =
    call.users && userFor(call.users, servername, clientConfig.service ? (clientConfig.service.port ?? 443) : port);
  const tls = {
    ...(user?.cert && { cert: user.cert, key: user.key }),
    ...(!isIP(servername) && { servername }),
    ...(clientConfig.caBundle && trusting(Buffer.from(clientConfig.caBundle as string, 'base64'))),
  };
  const authorization = user && authorizationOf(user);
  const endMs = call.clock.monotonic() + call.timeoutSeconds * 1_000;
  const send = (at: string) => post({ host, port, path: at, tls, body, call, authorization, endMs });
  const { code, text, contentType } = await followed(send, path, `https://${inUrl(servername)}:${port}`).catch(
    (error: Error) => {
      throw new Error(`Post "${shown}": ${error.message}`);
    },
  );
  if (code < 200 || code > 299) throw refusedCall(code, text, contentType);
  return text;
}

const mostRedirects = 10;

const inUrl = (host: string) => (isIP(host) === 6 ? `[${host}]` : host);

/**
 * As Go's clients do: Go's servers redirect from //path to /path. Never to another server, which could be one that only
 * the API server can reach.
 */
async function followed(send: (path: string) => Promise<Posted>, path: string, origin: string): Promise<Posted> {
  let at = new URL(origin + path);
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const answer = await send(redirects === 0 ? path : at.pathname + at.search);
    if (answer.location === undefined || (answer.code !== 307 && answer.code !== 308)) return answer;
    const next = URL.parse(answer.location, at.href);
    if (next?.origin !== at.origin) throw new Error('the webhook redirects to another server, which is not supported');
    at = next;
  }
  throw new Error(`stopped after ${mostRedirects} redirects`);
}

interface Post {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly tls: object;
  readonly body: Buffer;
  readonly call: ReviewCall;
  readonly authorization: string | undefined;
  /** On the monotonic clock. */
  readonly endMs: number;
}

interface Posted {
  readonly code: number;
  readonly location: string | undefined;
  readonly text: string;
  readonly contentType: string | undefined;
}

function post({ host, port, path, tls, body, call, authorization, endMs }: Post): Promise<Posted> {
  const { promise, resolve, reject } = Promise.withResolvers<Posted>();
  const headers = {
    'content-type': 'application/json',
    'content-length': body.length,
    ...(authorization && { authorization }),
    ...call.tracing?.headers(),
  };
  const request = httpsRequest({ host, port, path, method: 'POST', headers, agent, ...tls }, (answer) => {
    const pieces = new Pieces();
    answer.on('data', (part: Buffer) => {
      pieces.add(part);
      if (pieces.length > mostBytes) request.destroy(new Error('the answer is too long'));
    });
    answer.once('error', reject);
    answer.once('end', () =>
      resolve({
        code: answer.statusCode ?? 0,
        location: answer.headers.location,
        text: Buffer.concat(pieces.parts()).toString(),
        contentType: answer.headers['content-type'],
      }),
    );
  });
  request.once('error', (error: NodeJS.ErrnoException) => reject(connectionError(error, host, port)));
  const timer = call.clock.after(
    endMs - call.clock.monotonic(),
    () => request.destroy(new Error('context deadline exceeded')),
    { background: true },
  );
  request.end(body);
  return promise.finally(() => timer.cancel());
}

interface Place {
  /** URL for messages. */
  readonly shown: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly servername: string;
}

/** A service is reached through one of its endpoints, because the API server may be outside of the service network. */
async function placeOf({ clientConfig: { url, service }, client, timeoutSeconds }: ReviewCall): Promise<Place> {
  const query = `?timeout=${timeoutSeconds}s`;
  if (url) {
    const { hostname, port, pathname } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '');
    return { shown: url + query, host, port: Number(port || 443), path: pathname + query, servername: host };
  }
  const { name = '', namespace = '', port = 443 } = service ?? {};
  const path = (service?.path ?? '/') + query;
  const servername = `${name}.${namespace}.svc`;
  const shown = `https://${servername}:${port}${path}`;
  const found = await client.get('services', { name, namespace }).catch(() => {
    throw new Error(`Post "${shown}": service ${JSON.stringify(name)} not found`);
  });
  const servicePort = found.spec.ports?.find((one) => one.port === port);
  const { items } = await client.list('endpointslices', {
    namespace,
    labelSelector: `kubernetes.io/service-name=${name}`,
  });
  for (const { endpoints, ports } of items) {
    const number = ports?.find((one) => (one.name ?? '') === (servicePort?.name ?? ''))?.port;
    const ready = endpoints?.find(({ conditions }) => conditions?.ready !== false);
    if (number && ready) return { shown, host: ready.addresses[0], port: number, path, servername };
  }
  throw new Error(`Post "${shown}": no endpoints available for service ${JSON.stringify(name)}`);
}
