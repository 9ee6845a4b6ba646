// Headers of a client that are forwarded to a backend.

import { withoutTokens } from '../access/authentication.ts';
import type { ApiRequest } from '../request/request.ts';

/** Hop-by-hop headers, which belong to one connection. RFC 9110, section 7.6.1. */
const hopByHop = [
  ...['connection', 'proxy-connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings'],
];

/** Those that the API server alone should see: they prove, or choose, the user. */
const credentials = /^(authorization$|impersonate-|x-remote-)/;

/** Rewritten for the backend, or answered here already. */
const written = new Set(['host', 'content-length', 'expect', 'x-forwarded-for']);

/** Hop-by-hop headers of an answer: those of every connection, those that it names, and CORS, which is the server's. */
export function ownHeaders(connection: readonly string[]): Set<string> {
  return new Set([...hopByHop, ...namedIn(connection), ...cors]);
}

const cors = ['credentials', 'headers', 'methods', 'origin'].map((suffix) => `access-control-allow-${suffix}`);

const namedIn = (connection: readonly string[]): string[] =>
  connection.flatMap((value) => value.split(',')).map((name) => name.trim().toLowerCase());

type Pair = readonly [name: string, value: string];

/** Names and values for the backend. `added` replaces the client's headers, including Host. */
export function passedHeaders(
  request: ApiRequest,
  added: Readonly<Record<string, string | readonly string[]>>,
): Pair[] {
  const all = pairsOf(request);
  const connection = all.filter(([name]) => name.toLowerCase() === 'connection').map(([, value]) => value);
  const instead = new Set(Object.keys(added).map((name) => name.toLowerCase()));
  const dropped = new Set([...hopByHop, ...namedIn(connection)]);
  const kept = all.filter(([name]) => {
    const lower = name.toLowerCase();
    return !dropped.has(lower) && !isOwn(lower) && !instead.has(lower);
  });
  if (all.some(([name, value]) => name.toLowerCase() === 'te' && /(^|,)\s*trailers\b/i.test(value)))
    kept.push(['Te', 'trailers']);
  return [...hostPair(request, instead), ...kept, ...addedPairs(added), ...forwardedFor(request)];
}

/** For an upgrade: its headers stay, too. */
export function upgradeHeaders(
  request: ApiRequest,
  added: Readonly<Record<string, string | readonly string[]>>,
): Pair[] {
  const instead = new Set(Object.keys(added).map((name) => name.toLowerCase()));
  const kept = pairsOf(request).flatMap(([name, value]): Pair[] => {
    const lower = name.toLowerCase();
    if (lower === 'proxy-authorization' || isOwn(lower) || instead.has(lower)) return [];
    const shown = lower === 'sec-websocket-protocol' ? withoutTokens(value) : value;
    return shown ? [[name, shown]] : [];
  });
  return [...hostPair(request, instead), ...kept, ...addedPairs(added), ...forwardedFor(request)];
}

const isOwn = (lower: string): boolean => lower.startsWith(':') || written.has(lower) || credentials.test(lower);

const addedPairs = (added: Readonly<Record<string, string | readonly string[]>>): Pair[] =>
  Object.entries(added).flatMap(([name, value]) => [value].flat().map((one): Pair => [name, one as string]));

/** Raw headers; for in-process requests, the equivalent ones. */
function pairsOf({ rawHeaders, headers, contentType, agent, connection }: ApiRequest): Pair[] {
  if (!connection)
    return [
      ['content-type', contentType],
      ['user-agent', agent ?? ''],
    ];
  if (!rawHeaders)
    return Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return Array.from({ length: rawHeaders.length / 2 }, (_, i) => [rawHeaders[2 * i], rawHeaders[2 * i + 1]] as const);
}

/** The backend sees the client's Host, as with any reverse proxy. */
function hostPair({ headers }: ApiRequest, instead: ReadonlySet<string>): Pair[] {
  const host = headers['host'] ?? headers[':authority'];
  return instead.has('host') || !host ? [] : [['Host', host]];
}

function forwardedFor(request: ApiRequest): Pair[] {
  const before = pairsOf(request)
    .filter(([name]) => name.toLowerCase() === 'x-forwarded-for')
    .map(([, value]) => value);
  const address = request.connection?.remoteAddress.replace(/^::ffff:/, '');
  const all = address ? [...before, address] : before;
  return all.length ? [['X-Forwarded-For', all.join(', ')]] : [];
}
