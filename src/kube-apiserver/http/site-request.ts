// Requests of the site: pages are answered here, requests for the API continue in the pipeline.

import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Page } from '../../machinery/pages.ts';
import { run } from '../pipeline.ts';
import type { Connection } from '../request/connection.ts';
import type { Reply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { requestInfo } from '../request/request-info.ts';
import type { Site, SiteForward } from '../site.ts';
import { answerErrors } from '../stages/errors.ts';
import { failure } from '../status.ts';
import { sandboxed } from './sandbox.ts';

/** Headers that belong to the site, or that choose the user: they do not reach the API or its backends. */
const withheld = /^(cookie|authorization|sec-websocket-protocol|x-coracle-.*|x-remote-.*|origin|referer)$/;

export type SiteOutcome =
  | Page
  | { readonly type: 'api'; readonly request: ApiRequest; readonly reply: Reply; readonly ends?: AbortSignal };

/** Never rejects: errors become a Status. */
export async function answerSite(site: Site, request: ApiRequest): Promise<SiteOutcome> {
  let outcome: SiteOutcome | undefined;
  const reply = await answerErrors(request, async () => {
    const { method, path, query, headers, connection } = request;
    const isUpgrade = connection?.upgrade !== undefined;
    const answer = await site.answer({ method, path, query, headers, isUpgrade, body: () => bytesOf(request) });
    if (answer.type === 'page') {
      outcome = answer;
      return { type: 'hijacked', code: answer.code };
    }
    const forwarded = forwardedRequest(request, answer);
    const answered = await run(forwarded);
    const fromApi = answer.preview ? sandboxed(answered) : withoutCookies(answered);
    outcome = { type: 'api', request: forwarded, reply: fromApi, ends: answer.ends };
    return fromApi;
  });
  return outcome ?? { type: 'api', request, reply };
}

async function bytesOf(request: ApiRequest): Promise<Uint8Array> {
  const body = await request.body();
  return body && 'bytes' in body ? body.bytes : new Uint8Array();
}

function forwardedRequest(request: ApiRequest, { path, as, protocols, preview }: SiteForward): ApiRequest {
  const info = requestInfo(request.method, path, request.query);
  // The content comes from pods, and would have the origin of the console: it is shown as a preview alone.
  if ((info.subresource === 'proxy') !== (preview !== undefined))
    throw failure(403, 'Forbidden', 'the console opens pages of pods and services as previews, and no others');
  const { remoteAddress = '', upgrade } = request.connection ?? {};
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !withheld.test(name)));
  const rawHeaders = pairsOf(request.rawHeaders ?? []).flatMap(([name, value]) =>
    withheld.test(name.toLowerCase()) ? [] : [name, value],
  );
  if (protocols) {
    headers['sec-websocket-protocol'] = protocols;
    rawHeaders.push('Sec-WebSocket-Protocol', protocols);
  }
  if ('token' in as) headers['authorization'] = `Bearer ${as.token}`;
  // The client's certificate does not count: the session alone names the user.
  const connection: Connection = {
    remoteAddress,
    ...('user' in as && { user: as.user }),
    ...(upgrade && { upgrade: { ...upgrade, rawHeaders } }),
  };
  return { ...request, path, info, headers, rawHeaders, connection, ...(preview && { proxyPrefix: preview }) };
}

const pairsOf = (raw: readonly string[]): (readonly [string, string])[] =>
  Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i], raw[2 * i + 1]] as const);

/** A backend behind the API has no cookies of the console's origin. */
function withoutCookies(reply: Reply): Reply {
  const names = Object.keys(reply.headers ?? {});
  if (!names.some((name) => name.toLowerCase() === 'set-cookie')) return reply;
  const kept = Object.entries(reply.headers ?? {}).filter(([name]) => name.toLowerCase() !== 'set-cookie');
  return { ...reply, headers: Object.fromEntries(kept) };
}

export function sendPage(
  { method }: ApiRequest,
  outgoing: ServerResponse | Http2ServerResponse,
  { code, headers, body }: Page,
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const response = outgoing as ServerResponse;
  response.writeHead(code, { ...headers, 'Content-Length': bytes.length });
  response.end(method === 'HEAD' ? undefined : bytes);
}
