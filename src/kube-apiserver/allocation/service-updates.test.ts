// Changes of services between families and types, their refusals, and that no address is lost by it.
// https://kubernetes.io/docs/concepts/services-networking/dual-stack/#dual-stack-options-on-existing-services

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { createMemoryStore } from '../../store/store.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const [four, six] = ['10.0.0.0/29', 'fd00:10::/125'];
const dual = `${four},${six}`;
const services = '/api/v1/namespaces/default/services';
let server: TestServer;
afterEach(() => server.stop());

interface Spec {
  readonly [field: string]: unknown;
}
const ports = [{ port: 80 }];
const policy = (ipFamilyPolicy: string, ...ipFamilies: string[]): Spec => ({
  ipFamilyPolicy,
  ...(ipFamilies.length > 0 && { ipFamilies }),
});
const [single, prefer, require] = ['SingleStack', 'PreferDualStack', 'RequireDualStack'].map((name) => policy(name));
const [both, reverse] = [
  ['IPv4', 'IPv6'],
  ['IPv6', 'IPv4'],
];
const headless = { clusterIP: 'None', selector: { app: 'web' } };
const named = { type: 'ExternalName', externalName: 'web.test' };

const start = async (serviceCidr: string) => {
  server = await startTestServer({ config: { serviceCidr } });
};
const body = (spec: Spec, name = 'web') => ({ metadata: { name }, spec: { ports, ...spec } });
const make = (spec: Spec, name?: string, query = {}) => server.call('POST', services, body(spec, name), { query });
const patch = (spec: Spec, query = {}) =>
  server.call('PATCH', `${services}/web`, { spec }, { contentType: 'application/merge-patch+json', query });
const put = (spec: Spec) => server.call('PUT', `${services}/web`, body(spec));

/** Such as "PreferDualStack IPv4,IPv6 4 6", or the faults. */
function shown({ code, body }: { code: number; body: any }): string {
  if (code === 500) return body.message;
  if (code >= 300) return body.details.causes.map((cause: any) => `${cause.field}: ${cause.message}`).join('; ');
  const { ipFamilyPolicy, ipFamilies, clusterIP, clusterIPs = [] } = body.spec;
  expect(clusterIP).toBe(clusterIPs[0]);
  const addresses = clusterIPs.map((ip: string) => (ip === 'None' ? ip : ip.includes(':') ? '6' : '4'));
  return [ipFamilyPolicy, ipFamilies, ...addresses].join(' ').trim();
}

/** The addresses that have objects are exactly those of services. */
async function expectNoLeak() {
  const [made, objects] = await Promise.all(
    [services, '/apis/networking.k8s.io/v1/ipaddresses'].map(
      async (path) => (await server.call('GET', path)).body.items,
    ),
  );
  const held = made.flatMap(({ metadata, spec }: any) =>
    (spec.clusterIPs ?? []).filter((ip: string) => ip !== 'None').map((ip: string) => `${ip} ${metadata.name}`),
  );
  const written = objects.map(({ metadata, spec }: any) => `${metadata.name} ${spec.parentRef.name}`);
  expect(written.sort()).toEqual(held.sort());
}

const fault = (field: string, value: unknown, message: string) =>
  `${field}: Invalid value: ${JSON.stringify(value)}: ${message}`;
const release = (name: string) =>
  fault('spec.ipFamilyPolicy', name, "must be 'SingleStack' to release the secondary IP family");
const multiple = fault(
  'spec.ipFamilyPolicy',
  'SingleStack',
  "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
);

describe('an update', () => {
  test.each<[cluster: string, first: Spec, change: Spec, wanted: string]>([
    // One family to two.
    [dual, {}, prefer, 'PreferDualStack IPv4,IPv6 4 6'],
    [dual, policy('SingleStack', 'IPv6'), require, 'RequireDualStack IPv6,IPv4 6 4'],
    [dual, {}, policy('PreferDualStack', ...both), 'PreferDualStack IPv4,IPv6 4 6'],
    [dual, {}, { ipFamilies: both }, multiple],
    [four, {}, prefer, 'PreferDualStack IPv4 4'],
    [
      four,
      {},
      require,
      fault('spec.ipFamilyPolicy', 'RequireDualStack', 'this cluster is not configured for dual-stack services'),
    ],
    [
      four,
      {},
      policy('PreferDualStack', ...both),
      fault('spec.ipFamilies[1]', 'IPv6', 'not configured on this cluster'),
    ],
    [
      dual,
      {},
      policy('PreferDualStack', ...reverse),
      /expected an IPv6 value as indicated by `ipFamilies\[0\]`/.source,
    ],
    // Two to one.
    [dual, require, single, 'SingleStack IPv4 4'],
    [`${six},${four}`, require, single, 'SingleStack IPv6 6'],
    [dual, require, policy('SingleStack', 'IPv4'), 'SingleStack IPv4 4'],
    [dual, require, { ipFamilies: ['IPv4'] }, release('RequireDualStack')],
    [dual, prefer, { ipFamilies: ['IPv4'] }, release('PreferDualStack')],
    [dual, prefer, { ipFamilies: null, clusterIPs: null, clusterIP: null }, 'PreferDualStack IPv4,IPv6 4 6'],
    [dual, prefer, { ipFamilyPolicy: null }, 'PreferDualStack IPv4,IPv6 4 6'],
    [dual, prefer, { ipFamilies: null }, 'PreferDualStack IPv4,IPv6 4 6'],
    [dual, prefer, { selector: { app: 'web' } }, 'PreferDualStack IPv4,IPv6 4 6'],
    // Types.
    [dual, require, { ...named }, ''],
    [dual, named, { type: 'ClusterIP', externalName: null, ...require }, 'RequireDualStack IPv4,IPv6 4 6'],
    [dual, named, { type: 'ClusterIP', externalName: null }, 'SingleStack IPv4 4'],
    [dual, require, { type: 'NodePort' }, 'RequireDualStack IPv4,IPv6 4 6'],
    [
      dual,
      headless,
      { type: 'NodePort' },
      fault('spec.clusterIPs[0]', 'None', "may not be set to 'None' for NodePort services"),
    ],
    // Without addresses.
    [dual, headless, require, 'RequireDualStack IPv4,IPv6 None'],
    [dual, { ...headless, ...require }, single, 'SingleStack IPv4 None'],
    [dual, { ...headless, ...policy('SingleStack', 'IPv6') }, { ipFamilies: ['IPv4'] }, 'SingleStack IPv4 None'],
    [four, { clusterIP: 'None' }, single, 'SingleStack IPv4 None'],
    [dual, headless, { clusterIP: '10.0.0.5' }, fault('spec.clusterIPs[0]', ['10.0.0.5'], 'may not change once set')],
  ])('in %s: %j and then %j', async (cluster, first, change, wanted) => {
    await start(cluster);
    expect((await make(first)).code).toBe(201);
    const planned = shown(await patch(change, { dryRun: 'All' }));
    const done = shown(await patch(change));
    if (wanted.includes('\\')) expect(done).toMatch(new RegExp(wanted));
    else expect([planned, done]).toEqual([wanted, wanted]);
    await expectNoLeak();
  });

  test.each<[first: Spec, next: Spec, wanted: string]>([
    [{}, {}, 'SingleStack IPv4 4'],
    [policy('SingleStack', 'IPv6'), {}, 'SingleStack IPv6 6'],
    [require, {}, 'RequireDualStack IPv4,IPv6 4 6'],
    [require, single, 'SingleStack IPv4 4'],
    [require, policy('SingleStack', 'IPv4'), 'SingleStack IPv4 4'],
    [{}, require, 'RequireDualStack IPv4,IPv6 4 6'],
    // Without addresses and families it gets the cluster's family.
    [{ ...headless, ...policy('SingleStack', 'IPv6') }, headless, 'SingleStack IPv4 None'],
  ])('that replaces %j by %j', async (first, next, wanted) => {
    await start(dual);
    await make(first);
    expect(shown(await put(next))).toBe(wanted);
    await expectNoLeak();
  });

  test('keeps a single address of a service that prefers two when the cluster gets its second family', async () => {
    const store = createMemoryStore({ clock: systemClock });
    server = await startTestServer({ store, config: { serviceCidr: four } });
    await make(prefer);
    await server.stop();
    server = await startTestServer({ store, config: { serviceCidr: dual }, namespaces: [] });
    expect(shown(await patch({ selector: { app: 'web' } }))).toBe('PreferDualStack IPv4 4');
    expect(shown(await patch({ type: 'NodePort' }))).toBe('PreferDualStack IPv4,IPv6 4 6');
    await expectNoLeak();
  });
});

describe('a failed write', () => {
  beforeEach(() => start(dual));

  test('of a second address that is taken releases the first', async () => {
    await make({ clusterIP: 'fd00:10::5' }, 'other');
    const ips = ['10.0.0.5', 'fd00:10::5'];
    const spec = { ...require, clusterIP: ips[0], clusterIPs: ips };
    const why = 'failed to allocate IP fd00:10::5: provided IP is already allocated';
    expect(shown(await make(spec))).toBe(fault('spec.clusterIPs', ips, why));
    expect(shown(await make({ clusterIP: ips[0] }))).toBe('SingleStack IPv4 4');
    expect(shown(await patch({ ...require, clusterIPs: ips }))).toBe(fault('spec.clusterIPs', ips, why));
    await expectNoLeak();
  });

  test('of an invalid service leaves its addresses free, and the families come first', async () => {
    expect(shown(await make({ clusterIP: '10.0.0.5', ports: [] }))).toBe('spec.ports: Required value');
    expect(shown(await make({ ports: [], ipFamilies: both }))).toBe(multiple);
    expect(shown(await make({ clusterIP: '10.0.0.5' }))).toBe('SingleStack IPv4 4');
  });

  test('in a full range is an internal error, for the second address too, and a dry run is none', async () => {
    for (let i = 0; i < 7; i++) await make(policy('SingleStack', 'IPv6'), `six-${i}`);
    const full = 'Internal error occurred: failed to allocate a serviceIP: range is full';
    expect(shown(await make(require))).toBe(full);
    expect(shown(await make(prefer))).toBe(full);
    expect(shown(await make(require, 'web', { dryRun: 'All' }))).toBe('RequireDualStack IPv4,IPv6 4 6');
    for (let i = 0; i < 6; i++) expect((await make({}, `four-${i}`)).code).toBe(201);
    expect(shown(await make({}))).toBe(full);
    await expectNoLeak();
  });

  test('of an address that is an object of a user names it', async () => {
    const object = {
      metadata: { name: 'fd00:10::5' },
      spec: { parentRef: { resource: 'services', namespace: 'default', name: 'x' } },
    };
    expect((await server.call('POST', '/apis/networking.k8s.io/v1/ipaddresses', object)).code).toBe(201);
    const ips = ['10.0.0.5', 'fd00:10::5'];
    const refused = shown(await make({ ...require, clusterIP: ips[0], clusterIPs: ips }));
    expect(refused).toContain('failed to allocate IP fd00:10::5: provided IP is already allocated');
    expect(shown(await make({ clusterIP: ips[0] }))).toBe('SingleStack IPv4 4');
  });

  test('of services at the same time gives each address once', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, (_, i) => make(require, `s${i}`)));
    expect(all.filter(({ code }) => code === 201)).toHaveLength(6);
    await expectNoLeak();
  });
});

describe('a requested address', () => {
  const outside = 'the provided network does not match the current range';
  const notValid = (ip: string, range: string) =>
    `the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${range}`;
  const noAddress = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

  test.each<[ip: string, range: string, written?: string]>([
    ['10.0.0.0', four],
    ['10.0.0.7', four],
    ['fd00:10::', six],
    ['fd00:10:0::0', six, 'fd00:10::'],
    ['10.0.0.8', four],
    ['fd00:10::8', six],
    ['fe80::1', six],
  ])('%s is refused', async (ip, range, written = ip) => {
    await start(dual);
    const refused = (text: string) => fault('spec.clusterIPs', [ip], `failed to allocate IP ${ip}: ${text}`);
    expect(shown(await make({ clusterIP: ip }))).toBe(refused(outside));
    expect(shown(await make({ clusterIP: ip }, 'web', { dryRun: 'All' }))).toBe(refused(notValid(written, range)));
  });

  test.each<[ips: readonly string[], wanted: string]>([
    [['fd00:10::7'], 'SingleStack IPv6 6'],
    [['::ffff:10.0.0.5'], fault('spec.clusterIPs[0]', '::ffff:10.0.0.5', 'must not be an IPv4-mapped IPv6 address')],
    [['fd00:10::5%eth0'], fault('spec.clusterIPs[0]', 'fd00:10::5%eth0', noAddress)],
    [['10.0.0.05'], fault('spec.clusterIPs[0]', '10.0.0.05', 'must not have leading 0s')],
    [['10.0.0.5', 'None'], fault('spec.clusterIPs[1]', 'None', noAddress)],
    [['None', '10.0.0.5'], fault('spec.clusterIPs', ['None', '10.0.0.5'], "'None' must be the first and only value")],
    [['10.0.0.5', ''], fault('spec.clusterIPs[1]', '', noAddress)],
    [
      ['10.0.0.4', '10.0.0.5'],
      fault('spec.clusterIPs', ['10.0.0.4', '10.0.0.5'], 'may specify no more than one IP for each IP family'),
    ],
    [
      ['10.0.0.4', 'fd00:10::5', '10.0.0.6'],
      fault('spec.clusterIPs', ['10.0.0.4', 'fd00:10::5', '10.0.0.6'], 'may only hold up to 2 values'),
    ],
  ])('%j', async (ips, wanted) => {
    await start(dual);
    const first = { clusterIP: ips[0], clusterIPs: ips };
    expect(shown(await make(first))).toBe(wanted);
  });

  test('in a range of any size is given', async () => {
    await start('10.0.0.0/29,fd00:10::/64');
    for (const [name, clusterIP] of Object.entries({ a: 'fd00:10::5678:9abc', b: 'fd00:10::ffff:ffff:ffff:ffff' })) {
      expect(shown(await make({ clusterIP }, name))).toBe('SingleStack IPv6 6');
      expect(shown(await make({ clusterIP }, 'other'))).toContain('already allocated');
    }
    const { body } = await make(policy('SingleStack', 'IPv6'), 'three');
    expect(body.spec.clusterIP).toMatch(/^fd00:10::/);
  });

  test('in lists and texts without end is refused at once', async () => {
    await start(dual);
    const many = Array.from({ length: 10_000 }, (_, i) => `x${i}`);
    const startMs = performance.now();
    const codes = await Promise.all([
      make({ ipFamilies: many }),
      make({ clusterIP: many[0], clusterIPs: many }),
      make({ clusterIP: '10.0.0.5', clusterIPs: many.map(() => '10.0.0.5') }),
      make({ ipFamilies: many.map(() => 'IPv4') }),
      make({ clusterIP: `${'0'.repeat(500_000)}x` }),
      make({ externalIPs: [`1.${'0'.repeat(500_000)}x`] }),
    ]);
    expect(codes.map(({ code }) => code)).toEqual(codes.map(() => 422));
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });
});
