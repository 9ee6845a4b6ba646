// The HTTP request of a probe or of a lifecycle hook, with the errors of Go's client.

import http from 'node:http';
import https from 'node:https';
import type { HTTPGetAction } from '../../api/api.ts';
import type { Clock } from '../../machinery/time/clock.ts';

export interface HttpGet {
  readonly action: Pick<HTTPGetAction, 'scheme' | 'httpHeaders'>;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Part of the User-Agent. */
  readonly purpose: 'probe' | 'lifecycle';
  /** Whether redirects to another host are followed. */
  readonly leavesHost: boolean;
  readonly timeoutMs: number;
}

interface HttpAnswer {
  readonly code: number;
  /** At most 10 KiB. */
  readonly body: string;
}

/** The server did not answer. */
export class NoAnswer extends Error {
  /** The server does not speak TLS. */
  readonly isPlain: boolean;
  constructor(message: string, isPlain = false) {
    super(message);
    this.isPlain = isPlain;
  }
}

/** The answer's body did not end in time. */
export class EndlessBody extends Error {}

const longestBody = 10 * 1024;
const mostRequests = 10;

/** Rejects with NoAnswer or EndlessBody. */
export async function httpGet(clock: Clock, request: HttpGet): Promise<HttpAnswer> {
  const first = urlOf(request);
  const timeout = new AbortController();
  const timer = clock.after(request.timeoutMs, () => timeout.abort());
  try {
    let url = first;
    let headers = headersOf(request);
    for (let count = 1; ; count++) {
      const nextOf = (location: string): URL | undefined => {
        const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
        return request.leavesHost || next?.hostname === new URL(first).hostname ? next : undefined;
      };
      const { location = '', ...answer } = await get(url, headers, timeout.signal, (to) => nextOf(to) !== undefined);
      const next = nextOf(location);
      if (!location || !next) return answer;
      if (count >= mostRequests) throw new NoAnswer(`Get "${url}": stopped after ${mostRequests} redirects`);
      // An absolute location names its host.
      if (URL.canParse(location)) headers = new Map([...headers].filter(([name]) => name !== 'host'));
      url = next.href;
    }
  } finally {
    timer.cancel();
  }
}

/** As Go's net/url writes it. A path that is no URL is escaped as a whole. */
function urlOf({ action, host, port, path }: HttpGet): string {
  const scheme = action.scheme === 'HTTPS' ? 'https' : 'http';
  const isBad = /%(?![0-9a-fA-F]{2})/.test(path.replace(/\?[^#]*/, ''));
  const text = isBad ? encodeURI(path).replaceAll('?', '%3F').replaceAll('#', '%23') : path;
  const slash = text === '' || /^[/?#]/.test(text) ? '' : '/';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${slash}${text}`;
}

type Headers = ReadonlyMap<string, string[]>;

/** By their lower-case names. An empty Accept or User-Agent is not sent. */
function headersOf({ action, purpose }: HttpGet): Headers {
  const headers = new Map<string, string[]>();
  for (const { name, value } of action.httpHeaders ?? []) {
    const key = name.toLowerCase();
    headers.set(key, [...(headers.get(key) ?? []), value]);
  }
  // One host only.
  for (const key of ['host', 'user-agent']) {
    const values = headers.get(key);
    if (values) headers.set(key, values.slice(0, 1));
  }
  const usual = { 'user-agent': `kube-${purpose}/1.36`, accept: '*/*' };
  for (const [key, value] of Object.entries(usual)) {
    const given = headers.get(key);
    if (given?.[0] === '') headers.delete(key);
    else if (!given) headers.set(key, [value]);
  }
  if (headers.get('host')?.[0] === '') headers.delete('host');
  return headers.set('connection', ['close']);
}

type Response = HttpAnswer & { readonly location?: string };

/** One request. The location is that of a redirect, whose body is read unless it is followed. */
function get(
  url: string,
  headers: Headers,
  signal: AbortSignal,
  isFollowed: (location: string) => boolean,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const fail = (text: string, isPlain = false) => reject(new NoAnswer(`Get "${url}": ${text}`, isPlain));
    const end = () => {
      fail('context deadline exceeded (Client.Timeout exceeded while awaiting headers)');
      request.destroy();
    };
    let request: http.ClientRequest;
    try {
      const sent = Object.fromEntries(
        [...headers].map(([name, values]) => [name, values.length > 1 ? values : values[0]]),
      );
      const options = { headers: sent, agent: false, rejectUnauthorized: false };
      request = (url.startsWith('https:') ? https : http).get(url, options);
    } catch (error) {
      // A header that HTTP does not allow.
      return fail(`net/http: ${(error as Error).message}`);
    }
    if (signal.aborted) return end();
    signal.addEventListener('abort', end);
    request.on('error', (error: NodeJS.ErrnoException) => fail(...dialFault(error, new URL(url))));
    request.on('response', (response) => {
      signal.removeEventListener('abort', end);
      resolve(bodyOf(response, signal, isFollowed).finally(() => request.destroy()));
    });
  });
}

async function bodyOf(
  response: http.IncomingMessage,
  signal: AbortSignal,
  isFollowed: (location: string) => boolean,
): Promise<Response> {
  const code = response.statusCode ?? 0;
  const location = [301, 302, 303, 307, 308].includes(code) ? response.headers.location : undefined;
  if (location && isFollowed(location)) return { code, body: '', location };
  const late = () => response.destroy(new EndlessBody());
  signal.addEventListener('abort', late);
  if (signal.aborted) late();
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= longestBody) break;
    }
  } catch (error) {
    throw new EndlessBody(
      signal.aborted
        ? 'context deadline exceeded (Client.Timeout or context cancellation while reading body)'
        : ((error as NodeJS.ErrnoException).code ?? '') === 'ECONNRESET'
          ? 'unexpected EOF'
          : (error as Error).message,
    );
  } finally {
    signal.removeEventListener('abort', late);
  }
  return { code, body: Buffer.concat(chunks).subarray(0, longestBody).toString() };
}

const portOf = (url: URL) => url.port || (url.protocol === 'https:' ? '443' : '80');
const plainAnswers = ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO'];

function dialFault(error: NodeJS.ErrnoException, url: URL): [text: string, isPlain: boolean] {
  const isPlain = url.protocol === 'https:' && plainAnswers.includes(error.code ?? '');
  if (isPlain) return ['http: server gave HTTP response to HTTPS client', true];
  return [dialText(error, url.hostname, portOf(url)), false];
}

const dialFaults: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
};

/** Go's text for an error of a connection. */
export function dialText(error: NodeJS.ErrnoException, host: string, port: number | string): string {
  const fault = dialFaults[error.code ?? ''];
  if (fault) return `dial tcp ${host}:${port}: connect: ${fault}`;
  if (error.code === 'ENOTFOUND') return `dial tcp: lookup ${host}: no such host`;
  return error.code === 'ECONNRESET' ? 'EOF' : error.message;
}
