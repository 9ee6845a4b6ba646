import { afterEach, expect, test, vi } from 'vitest';
import { systemClock, VirtualClock } from '../../machinery/time/clock.ts';
import type { ImageStore } from './image-store.ts';
import { pullFromRegistry } from './registry.ts';
import { getFollowing, pacing, realmOf } from './registry-requests.ts';

afterEach(() => vi.unstubAllGlobals());

/** Answers each URL with a redirect; others with 200. Returns the requests: URL and authorization. */
function redirecting(locations: Readonly<Record<string, string>>): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (url: string, { headers }: { headers: Record<string, string> }) => {
    asked.push(`${url} ${headers['authorization'] ?? '-'}`);
    const location = locations[url];
    return new Response('', location === undefined ? {} : { status: 307, headers: { location } });
  });
  return asked;
}

const get = (url: string) => getFollowing(new URL(url), { authorization: 'secret' }, new AbortController().signal);

test('another server gets no credentials, and its answer is not the own one', async () => {
  const asked = redirecting({
    'https://r.test/a': '/b',
    'https://r.test/b': 'https://cdn.test/c',
    'https://cdn.test/c': 'https://cdn.test:8443/d',
  });
  expect((await get('https://r.test/a')).isOwn).toBe(false);
  expect(asked).toEqual([
    'https://r.test/a secret',
    'https://r.test/b secret',
    'https://cdn.test/c -',
    'https://cdn.test:8443/d -',
  ]);
  expect((await get('https://r.test/x')).isOwn).toBe(true);
});

test.each([
  ['http://cdn.test/c', 'only https is allowed'],
  ['http://r.test/b', 'only https is allowed'],
  ['http://169.254.169.254/latest', 'only https is allowed'],
  ['file:///etc/passwd', 'only https is allowed'],
  ['data:,x', 'only https is allowed'],
  ['https://a:b@cdn.test/', 'a URL with a password'],
  ['https://[', 'which is no URL'],
  ['/a', 'stopped after 10 redirects'],
])('a redirect to %s is refused', async (location, message) => {
  const asked = redirecting({ 'https://r.test/a': location });
  await expect(get('https://r.test/a')).rejects.toThrow(message);
  expect(asked.every((each) => each === 'https://r.test/a secret')).toBe(true);
});

test('a registry of TLS names a server for tokens with TLS', () => {
  const registry = new URL('https://r.test/v2/app');
  expect(realmOf('https://tokens.test/t', registry).href).toBe('https://tokens.test/t');
  expect(() => realmOf('http://tokens.test/t', registry)).toThrow('r.test leads its users to "http://tokens.test/t"');
  expect(realmOf('http://127.0.0.1:1/t', new URL('http://127.0.0.1:2/')).port).toBe('1');
  expect(() => realmOf('file:///t', new URL('http://127.0.0.1:2/'))).toThrow('only https is allowed');
});

test.each([
  [0, 'no data for 60 s'],
  [100, 'only 100 bytes for 60 s'],
])('a response of %d bytes in a minute ends', async (bytes, message) => {
  const clock = new VirtualClock(0);
  const pace = pacing(clock);
  for (let minute = 0; minute < 5; minute++) {
    pace.count(20_000);
    await clock.advance(60_000);
    expect(pace.signal.aborted).toBe(false);
  }
  pace.count(bytes);
  await clock.advance(60_000);
  expect(pace.signal.reason.message).toBe(message);
});

test.each([
  ['a password', 'Basic'],
  ['a password for its tokens', 'Bearer realm="https://evil.test/token"'],
])('a server that a registry redirects to asks for %s in vain', async (_, challenge) => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (url: string, { headers }: { headers: Record<string, string> }) => {
    asked.push(`${new URL(url).host} ${headers['authorization'] ?? '-'}`);
    return url.startsWith('https://r.test/')
      ? new Response('', { status: 307, headers: { location: 'https://evil.test/blob' } })
      : new Response('', { status: 401, headers: { 'www-authenticate': challenge } });
  });
  const store = { discard: async () => {} } as unknown as ImageStore;
  const pull = pullFromRegistry(store, systemClock, 'r.test/app:1', { username: 'me', password: 'secret' });
  await expect(pull).rejects.toThrow('pull access denied');
  expect(asked).toEqual(['r.test -', 'evil.test -']);
});
