// Requests of a pull. A registry is not trusted: it may redirect to other servers and name a server for tokens. The
// user's password reaches the registry itself and the server that the registry names, the token the registry alone, and
// neither is sent over plain HTTP when the registry uses TLS.

import type { Clock } from '../../machinery/time/clock.ts';
import { RuntimeError } from '../runtime-error.ts';

/** As in Go's clients. */
const mostRedirects = 10;
/** A response that brings fewer bytes in this time ends. */
const paceMs = 60_000;
const leastBytes = 16 << 10;

interface Redirected {
  readonly response: Response;
  /** It comes from the server of the request. */
  readonly isOwn: boolean;
}

/** A GET that follows redirects. Other servers than the one of `url` do not get `authorization`. */
export async function getFollowing(
  url: URL,
  { authorization, ...rest }: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Redirected> {
  let at = url;
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const isOwn = at.origin === url.origin;
    const headers = isOwn && authorization ? { ...rest, authorization } : rest;
    const response = await fetch(at.href, { headers, signal, redirect: 'manual' });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status > 399 || location === null) return { response, isOwn };
    await response.body?.cancel();
    at = safely(location, at, 'redirects');
  }
  throw new RuntimeError('image', `stopped after ${mostRedirects} redirects`);
}

/** The server for tokens that a registry names. */
export const realmOf = (realm: string, registry: URL): URL => safely(realm, registry, 'leads its users');

/** Where a server leads to: never from TLS to plain HTTP, and with no other scheme. */
function safely(target: string, from: URL, leads: string): URL {
  const shown = JSON.stringify(target.slice(0, 200));
  const url = URL.parse(target, from.href);
  if (!url) throw new RuntimeError('image', `${from.host} ${leads} to ${shown}, which is no URL`);
  if (url.username || url.password)
    throw new RuntimeError('image', `${from.host} ${leads} to a URL with a password, which is not supported`);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && from.protocol === 'http:')) return url;
  throw new RuntimeError('image', `${from.host} ${leads} to ${shown}: only https is allowed`);
}

interface Pace {
  /** Aborts when the response is too slow. */
  readonly signal: AbortSignal;
  count(bytes: number): void;
  end(): void;
}

/** The least speed of a response: a server that sends one byte now and then must not hold a pull for ever. */
export function pacing(clock: Clock): Pace {
  const abort = new AbortController();
  let received = 0;
  const next = () =>
    clock.after(
      paceMs,
      () => {
        if (received < leastBytes) {
          const how = received === 0 ? 'no data' : `only ${received} bytes`;
          return abort.abort(new Error(`${how} for ${paceMs / 1000} s`));
        }
        received = 0;
        timer = next();
      },
      { background: true },
    );
  let timer = next();
  return {
    signal: abort.signal,
    count: (bytes) => void (received += bytes),
    end: () => timer.cancel(),
  };
}
