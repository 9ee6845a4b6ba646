import { expect, test } from 'vitest';
import { HealthChecks } from '../../machinery/health-checks.ts';
import type { Store, StoreProblem } from '../../store/store.ts';
import { storeChecks } from './health.ts';
import { rankOf } from './health-names.ts';

test.each([
  { case: 'all is well', endpoints: { healthz: 200, livez: 200, readyz: 200 } },
  {
    case: 'the disk is full',
    problem: { message: 'full', canBeRead: true },
    endpoints: { healthz: 200, livez: 200, readyz: 500 },
  },
  {
    case: 'etcd is away',
    problem: { message: 'away', canBeRead: false },
    endpoints: { healthz: 500, livez: 500, readyz: 500 },
  },
  { case: 'the watch of the store ended', fault: 'ended', endpoints: { healthz: 500, livez: 500, readyz: 500 } },
] as { case: string; problem?: StoreProblem; fault?: string; endpoints: Record<string, number> }[])(
  'health while $case',
  async ({ problem, fault, endpoints }) => {
    const health = new HealthChecks(0, rankOf);
    const store = { health: async () => problem } as Partial<Store> as Store;
    for (const check of storeChecks(store, () => fault)) health.add(check);
    for (const [endpoint, code] of Object.entries(endpoints)) {
      const ask = (path: string, query = '') => health.answer(path, new URLSearchParams(query));
      expect(await ask(`/${endpoint}`), endpoint).toMatchObject({ code });
      expect(await ask(`/${endpoint}/etcd`), endpoint).toMatchObject({ code });
      const verbose = JSON.stringify(await ask(`/${endpoint}`, 'verbose'));
      expect(verbose).toContain(code === 200 ? '[+]etcd ok' : '[-]etcd failed: reason withheld');
    }
  },
);

test.each([
  {
    canChange: false,
    wanted: { 'kms-provider-0': 200, 'kms-provider-1': 500, 'kms-provider-2': 404, 'kms-providers': 404 },
  },
  { canChange: true, wanted: { 'kms-provider-0': 404, 'kms-providers': 500 } },
])('key management services that can change: $canChange', async ({ canChange, wanted }) => {
  const health = new HealthChecks(0, rankOf);
  const list = () => [{ health: async () => undefined }, { health: async () => 'kms plugin b: Status: away' }];
  const store = { health: async () => undefined, keyServices: { canChange, list } } as Partial<Store> as Store;
  for (const check of storeChecks(store, () => undefined)) health.add(check);
  const ask = (path: string) => health.answer(path, new URLSearchParams());
  for (const [name, code] of Object.entries(wanted))
    for (const endpoint of ['healthz', 'readyz'])
      expect(await ask(`/${endpoint}/${name}`), name).toMatchObject({ code });
  expect([(await ask('/readyz')).code, (await ask('/healthz')).code, (await ask('/livez')).code]).toEqual([
    500, 500, 200,
  ]);
});

test('checks fail until the work of the start is done', async () => {
  const health = new HealthChecks(0, rankOf);
  const finished = health.pending(['poststarthook/rbac/bootstrap-roles']);
  const ask = (path: string, query = '') => health.answer(path, new URLSearchParams(query));
  expect(await ask('/livez')).toMatchObject({
    code: 500,
    text: '[+]ping ok\n[+]log ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\nlivez check failed\n',
  });
  expect(await ask('/livez/poststarthook/rbac/bootstrap-roles')).toMatchObject({
    code: 500,
    text: 'internal server error: not finished\n',
  });
  expect(await ask('/livez', 'exclude=poststarthook/rbac/bootstrap-roles')).toMatchObject({ code: 200, text: 'ok' });
  finished();
  expect(await ask('/livez', 'verbose&exclude=a&exclude=b')).toMatchObject({
    code: 200,
    text: '[+]ping ok\n[+]log ok\n[+]poststarthook/rbac/bootstrap-roles ok\nwarn: some health checks cannot be excluded: no matches for "a", "b"\nlivez check passed\n',
  });
});

test('the results of the checks are metrics', async () => {
  const health = new HealthChecks(0, rankOf);
  let problem: string | undefined = 'away';
  health.add({ name: 'etcd', check: () => problem });
  await health.answer('/readyz', new URLSearchParams());
  problem = undefined;
  await health.answer('/readyz', new URLSearchParams());
  await health.answer('/livez', new URLSearchParams('exclude=etcd'));
  const lines = health.slis.text().split('\n');
  expect(lines).toContain('kubernetes_healthcheck{name="etcd",type="readyz"} 1');
  expect(lines).toContain('kubernetes_healthchecks_total{name="etcd",status="error",type="readyz"} 1');
  expect(lines).toContain('kubernetes_healthchecks_total{name="etcd",status="success",type="readyz"} 1');
  expect(lines.some((line) => line.includes('name="etcd",type="livez"'))).toBe(false);
});

test('two checks of one name are one, which fails while one of them does', async () => {
  const health = new HealthChecks(0, rankOf);
  const finished = ['a', 'b'].map(() => health.pending(['poststarthook/crd-informer-synced']));
  const code = async () => (await health.answer('/livez', new URLSearchParams())).code;
  const codes = [await code()];
  for (const finish of finished) {
    finish();
    codes.push(await code());
  }
  expect(codes).toEqual([500, 500, 200]);
  expect(health.names('livez')).toEqual(['ping', 'log', 'poststarthook/crd-informer-synced']);
});
