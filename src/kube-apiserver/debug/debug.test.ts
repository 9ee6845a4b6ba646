import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { systemRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { createMemoryStore } from '../../store/store.ts';
import { type ApiServer, createApiServer, type Listener } from '../kube-apiserver.ts';

let api: ApiServer;
let listener: Listener;
beforeAll(async () => {
  api = await createApiServer({
    store: createMemoryStore({ clock: systemClock }),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    config: { flags: { 'secure-port': '6443', 'bind-address': '0.0.0.0' } },
  });
  listener = await api.listen({ port: 0 });
});
afterAll(() => api.stop());

async function get(path: string, accept?: string) {
  const answer = await fetch(`${listener.url}${path}`, { headers: accept === undefined ? {} : { accept } });
  return { code: answer.status, text: await answer.text(), warning: answer.headers.get('warning') };
}

const as = (kind: string, version: string, type = 'application/json') =>
  `${type};as=${kind};v=${version};g=config.k8s.io`;

describe('/flagz', () => {
  test('shows flags as text', async () => {
    const { code, text } = await get('/flagz', '*/*');
    expect(code).toBe(200);
    expect(text).toMatch(/^\napiserver flagz\nWarning: This endpoint is not meant to be machine parseable/);
    expect(text).toContain('\nbind-address=0.0.0.0\nsecure-port=6443\n');
  });
  test('shows them as an object to clients that name its kind', async () => {
    const { text, warning } = await get('/flagz', as('Flagz', 'v1beta1'));
    expect(JSON.parse(text)).toEqual({
      kind: 'Flagz',
      apiVersion: 'config.k8s.io/v1beta1',
      metadata: { name: 'apiserver' },
      flags: { 'bind-address': '0.0.0.0', 'secure-port': '6443' },
    });
    expect(warning).toBeNull();
    expect((await get('/flagz', as('Flagz', 'v1alpha1'))).warning).toMatch(/This version of the flagz endpoint/);
    expect((await get('/flagz', as('Flagz', 'v1beta1', 'application/yaml'))).text).toContain('kind: Flagz\n');
  });
});

describe('/statusz', () => {
  test('shows versions, times and paths as text', async () => {
    const { text } = await get('/statusz', 'text/plain');
    for (const line of [
      /^Started: \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d UTC \d{4}$/m,
      /^Up: 0 hr 00 min \d\d sec$/m,
      /^Binary version: 1\.36\.\d+$/m,
      /^Emulation version: 1\.36$/m,
      /^Paths: \/flagz \/healthz \/livez \/metrics \/readyz \/statusz \/version$/m,
    ])
      expect(text).toMatch(line);
  });
  test('and as an object', async () =>
    expect(JSON.parse((await get('/statusz', as('Statusz', 'v1beta1'))).text)).toMatchObject({
      kind: 'Statusz',
      uptimeSeconds: expect.any(Number),
      emulationVersion: '1.36',
    }));
  test.each(['application/json', as('Flagz', 'v1beta1'), as('Statusz', 'v9'), 'image/png'])(
    '%s is refused',
    async (accept) => expect(await get('/statusz', accept)).toMatchObject({ code: 406 }),
  );
});

describe('/debug/pprof', () => {
  test('records the CPU', async () => {
    const { code, text } = await get('/debug/pprof/profile?seconds=0.2');
    expect(code).toBe(200);
    const { nodes, startTime, endTime } = JSON.parse(text);
    expect(nodes.length).toBeGreaterThan(1);
    expect(endTime - startTime).toBeGreaterThan(150_000);
  });
  test('records allocations', async () => {
    const recording = get('/debug/pprof/heap?seconds=0.2');
    const kept = Array.from({ length: 100_000 }, (_, i) => ({ i }));
    expect(JSON.parse((await recording).text).head.callFrame).toBeDefined();
    expect(kept).toHaveLength(100_000);
  });
  test('one profile at a time', async () => {
    const first = get('/debug/pprof/profile?seconds=0.3');
    await systemClock.sleep(100);
    expect(await get('/debug/pprof/profile?seconds=0.1')).toMatchObject({ code: 429 });
    expect(await first).toMatchObject({ code: 200 });
  });
  test.each([
    ['/debug/pprof', 200],
    ['/debug/pprof/', 200],
    ['/debug/pprof/cmdline', 200],
    ['/debug/pprof/goroutine', 404],
    ['/debug/pprof/profile?seconds=0', 400],
    ['/debug/pprof/profile?seconds=-1', 400],
    ['/debug/pprof/profile?seconds=x', 400],
    ['/debug/pprof/profile?seconds=3600', 400],
    ['/debug/pprof/toString', 404],
    ['/logs', 404],
  ])('%s: %i', async (path, code) => expect(await get(path)).toMatchObject({ code }));
});

test('a server without flags and profiles has no such pages', async () => {
  const other = await createApiServer({
    store: createMemoryStore({ clock: systemClock }),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    config: { profiling: false },
  });
  const { url } = await other.listen({ port: 0 });
  for (const path of ['/flagz', '/debug/pprof/', '/debug/pprof/profile'])
    expect((await fetch(`${url}${path}`)).status, path).toBe(404);
  await other.stop();
});

test('before it stops, a server is alive and not ready', async () => {
  const draining = api.drain(300);
  expect(await get('/readyz')).toMatchObject({ code: 500, text: expect.stringContaining('[-]shutdown failed') });
  expect(await get('/livez')).toMatchObject({ code: 200 });
  expect(await get('/api/v1/namespaces')).toMatchObject({ code: 200 });
  await draining;
});
