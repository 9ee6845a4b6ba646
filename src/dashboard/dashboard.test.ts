import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { unauthorized } from '../api/api.ts';
import type { Page } from '../machinery/pages.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { createDashboard, type Forward } from './dashboard.ts';

const assets = mkdtempSync(path.join(os.tmpdir(), 'coracle-assets-'));
afterAll(() => rmSync(assets, { recursive: true }));
const script = 'main-ABC.js';
for (const suffix of ['', '.br', '.gz']) writeFileSync(path.join(assets, script + suffix), `code${suffix}`);
writeFileSync(path.join(assets, 'secret.txt'), 'secret');
writeFileSync(
  path.join(assets, 'manifest.json'),
  JSON.stringify({ files: [script], script, preload: ['chunk-A.js'], style: '', worker: '', icon: '' }),
);

const dashboard = createDashboard({
  clock: new VirtualClock(),
  assets,
  cluster: { name: 'test', version: '1', kubernetesVersion: 'v1.36.2', isCoracle: true },
  async userOfToken(token) {
    if (token !== 'good') throw unauthorized();
    return { name: 'jane', groups: [] };
  },
  clientFor: () => {
    throw new Error('unused');
  },
  insights: {
    decision: () => undefined,
    trace: () => [],
    history: async () => undefined,
    usage: () => [],
    refusals: () => [],
    deletions: () => [],
  },
});

const host = '192.0.2.1:6443';
const name = '__Secure-coracle-6443';

interface Sent {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: object;
  readonly isUpgrade?: boolean;
}

const send = (to: string, { method = 'GET', headers = {}, body, isUpgrade = false }: Sent = {}) =>
  dashboard.answer({
    ...{ method, isUpgrade, path: to, query: new URLSearchParams() },
    headers: { host, ...headers },
    body: async () => Buffer.from(JSON.stringify(body ?? {})),
  });

const page = async (to: string, sent?: Sent): Promise<Page> => {
  const answer = await send(to, sent);
  if (answer.type !== 'page') throw new Error('forwarded');
  return answer;
};

const json = { 'content-type': 'application/json' };
const post = (body: object, headers: Record<string, string> = json) =>
  page('/console/session', { method: 'POST', headers, body });

async function signIn(): Promise<Record<string, string>> {
  const code = dashboard.createLink({ name: 'admin', groups: ['g'] }).path.split('#code=')[1];
  const { code: status, headers, body } = await post({ code });
  expect(status).toBe(201);
  return { cookie: headers['Set-Cookie'].split(';')[0], 'x-coracle-key': JSON.parse(String(body)).key };
}

describe('pages', () => {
  test('the page has a strict policy, and a nonce for each response', async () => {
    const [first, second] = [await page('/console/'), await page('/console/list/pods')];
    expect(String(first.body)).toContain('<link rel="modulepreload" href="/console/assets/chunk-A.js">');
    const policy = first.headers['Content-Security-Policy'];
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self' 'nonce-");
    expect(policy).toContain("frame-ancestors 'none'; require-trusted-types-for 'script'");
    expect(policy).not.toContain('unsafe');
    expect(String(first.body)).not.toMatch(/<script>|\son\w+=|style=/);
    expect(second.headers['Content-Security-Policy']).not.toBe(policy);
  });

  test.each([
    ['br, gzip', 'br', 'code.br'],
    ['gzip, deflate', 'gzip', 'code.gz'],
    ['identity', undefined, 'code'],
  ])('files for %s', async (accepted, encoding, content) => {
    const { headers, body } = await page(`/console/assets/${script}`, { headers: { 'accept-encoding': accepted } });
    expect(headers['Content-Encoding']).toBe(encoding);
    expect(headers['Cache-Control']).toBe('public, max-age=31536000, immutable');
    expect(String(body)).toBe(content);
  });

  test.each(['secret.txt', '../dashboard.ts', '..%2fmanifest.json', 'manifest.json', ''])('no file %j', async (file) =>
    expect((await page(`/console/assets/${file}`)).code).toBe(404),
  );

  test('other methods are refused', async () => expect((await page('/console/', { method: 'PUT' })).code).toBe(405));
});

describe('sign-in', () => {
  test('the cookie is for this path and this site, and not for scripts', async () => {
    const code = dashboard.createLink({ name: 'admin', groups: [] }).path.split('#code=')[1];
    const { headers } = await post({ code });
    expect(headers['Set-Cookie']).toMatch(
      /^__Secure-coracle-6443=[\w-]{43}; Path=\/console\/; Max-Age=86400; HttpOnly; Secure; SameSite=Strict$/,
    );
    expect((await post({ code })).code).toBe(401);
  });

  test.each([
    ['a wrong token', { token: 'bad' }, json, 401],
    ['a token with a line break', { token: 'good\r\nX: y' }, json, 401],
    ['no credentials', {}, json, 401],
    ['a form of another site', { token: 'good' }, { 'content-type': 'text/plain' }, 403],
    ['another site', { token: 'good' }, { ...json, 'sec-fetch-site': 'cross-site' }, 403],
    ['another port of the host', { token: 'good' }, { ...json, 'sec-fetch-site': 'same-site' }, 403],
    ['another origin', { token: 'good' }, { ...json, origin: 'https://192.0.2.1:30443' }, 403],
    ['the console', { token: 'good' }, { ...json, origin: `https://${host}`, 'sec-fetch-site': 'same-origin' }, 201],
  ])('by %s', async (_, body, headers, code) => expect((await post(body, headers)).code).toBe(code));
});

describe('requests for the API', () => {
  test('go on as the user, without the key', async () => {
    const headers = await signIn();
    expect(await send('/console/api/api/v1/pods', { headers })).toMatchObject({
      ...{ type: 'forward', path: '/api/v1/pods' },
      as: { user: { name: 'admin', groups: ['g'] } },
    });
  });

  test('of a token are authenticated by it', async () => {
    const { headers: set, body } = await post({ token: 'good' });
    const headers = { cookie: set['Set-Cookie'].split(';')[0], 'x-coracle-key': JSON.parse(String(body)).key };
    expect(await send('/console/api/version', { headers })).toMatchObject({ as: { token: 'good' } });
  });

  test.each<[string, (headers: Record<string, string>) => Record<string, string>]>([
    ['without the key', ({ cookie }) => ({ cookie })],
    ['without the cookie', ({ cookie: _, ...rest }) => rest],
    ['with a cookie of another port', ({ cookie, ...rest }) => ({ ...rest, cookie: cookie.replace('6443', '30443') })],
    ['from another site', (headers) => ({ ...headers, 'sec-fetch-site': 'cross-site' })],
    ['from a page of another port', (headers) => ({ ...headers, origin: 'https://192.0.2.1:30443' })],
  ])('%s are refused', async (_, change) =>
    expect(await send('/console/api/api/v1/pods', { headers: change(await signIn()) })).toMatchObject({ code: 401 }),
  );

  test('of a WebSocket have the key in a protocol, which does not reach the API', async () => {
    const { cookie, 'x-coracle-key': key } = await signIn();
    const offered = `v5.channel.k8s.io, key.console.coracle.${key}`;
    const headers = { cookie, 'sec-websocket-protocol': offered };
    const forward = (await send('/console/api/exec', { headers, isUpgrade: true })) as Forward;
    expect(forward).toMatchObject({ type: 'forward', protocols: 'v5.channel.k8s.io' });
    const wrong = { cookie, 'sec-websocket-protocol': 'v5.channel.k8s.io', 'x-coracle-key': key };
    expect(await send('/console/api/exec', { headers: wrong, isUpgrade: true })).toMatchObject({ code: 401 });
  });

  test('end with the session', async () => {
    const headers = await signIn();
    const { ends } = (await send('/console/api/api/v1/pods', { headers })) as Forward;
    const { headers: set } = await page('/console/session', { method: 'DELETE', headers });
    expect(set['Set-Cookie']).toMatch(new RegExp(`^${name}=; .*Max-Age=0`));
    expect(ends.aborted).toBe(true);
    expect(await send('/console/api/api/v1/pods', { headers })).toMatchObject({ code: 401 });
  });
});

describe('previews', () => {
  const target = { resource: 'services', scheme: 'http', namespace: 'shop', name: 'web', port: '80' };
  const open = (headers: Record<string, string>, body: object = target) =>
    page('/console/previews', { method: 'POST', headers, body });

  test('a ticket leads to one port of one object, as the user of the session', async () => {
    const headers = await signIn();
    const { code, body } = await open(headers);
    const { path } = JSON.parse(String(body));
    expect([code, path]).toEqual([201, expect.stringMatching(/^\/console\/preview\/[\w-]{43}\/$/)]);
    const forward = (await send(`${path}a/..b/c%2Fd`)) as Forward;
    expect(forward).toMatchObject({
      type: 'forward',
      path: '/api/v1/namespaces/shop/services/http:web:80/proxy/a/..b/c%2Fd',
      as: { user: { name: 'admin' } },
      preview: path.slice(0, -1),
    });
    expect(await page(path.slice(0, -1))).toMatchObject({ code: 308, headers: { Location: path } });
    expect((await page(path, { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST' } })).code).toBe(
      204,
    );
    for (const outside of ['../x', 'a/..', '%2e%2e/x', 'a%2f..%2fx', '..%5cx', './x', '%zz'])
      expect((await page(path + outside)).code, outside).toBe(400);
    await page('/console/session', { method: 'DELETE', headers });
    expect((await page(path)).code).toBe(404);
  });

  test.each([
    ['without a session', {}, {}, 401],
    ['of nodes', undefined, { resource: 'nodes' }, 400],
    ['with a path in the name', undefined, { name: 'a/../../secrets' }, 400],
    ['with a port that is a path', undefined, { port: '80/proxy' }, 400],
    ['with an escaped namespace', undefined, { namespace: '%2e%2e' }, 400],
    ['of another scheme', undefined, { scheme: 'file' }, 400],
  ])('%s: refused', async (_, headers, change, code) => {
    expect((await open(headers ?? (await signIn()), { ...target, ...change })).code).toBe(code);
  });

  test('a guessed ticket is refused', async () => {
    expect((await page('/console/preview/AAAA/')).code).toBe(404);
  });
});
