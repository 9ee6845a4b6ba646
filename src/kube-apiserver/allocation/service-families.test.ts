// https://kubernetes.io/docs/concepts/services-networking/dual-stack/#services

import { afterEach, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const [four, six] = ['10.0.0.0/24', 'fd00:10::/112'];
const dual = `${four},${six}`;
const services = '/api/v1/namespaces/default/services';
let server: TestServer;
afterEach(() => server.stop());

interface Spec {
  readonly [field: string]: unknown;
}
const port = { ports: [{ port: 80 }] };

/** Such as "PreferDualStack IPv4,IPv6 4 6": policy, families, and the families of the addresses; or the faults. */
function shown({ code, body }: { code: number; body: any }): string {
  if (code >= 300) return body.details.causes.map((cause: any) => `${cause.field}: ${cause.message}`).join('; ');
  const { ipFamilyPolicy, ipFamilies, clusterIPs = [] } = body.spec;
  const addresses = clusterIPs.map((ip: string) => (ip === 'None' ? ip : ip.includes(':') ? '6' : '4'));
  return [ipFamilyPolicy, ipFamilies, ...addresses].join(' ');
}
const headless = { clusterIP: 'None', selector: { app: 'web' } };
const notDual =
  'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services';
const needsDual = (what: string) =>
  `spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`;

test.each<[string, Spec, string]>([
  [four, {}, 'SingleStack IPv4 4'],
  [six, {}, 'SingleStack IPv6 6'],
  [dual, {}, 'SingleStack IPv4 4'],
  [`${six},${four}`, {}, 'SingleStack IPv6 6'],
  [dual, { ipFamilies: ['IPv6'] }, 'SingleStack IPv6 6'],
  [dual, { clusterIP: 'fd00:10::7' }, 'SingleStack IPv6 6'],
  [dual, { ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack IPv4,IPv6 4 6'],
  [dual, { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6'] }, 'PreferDualStack IPv6,IPv4 6 4'],
  [dual, { ipFamilyPolicy: 'PreferDualStack', clusterIP: 'fd00:10::7' }, 'PreferDualStack IPv6,IPv4 6 4'],
  [four, { ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack IPv4 4'],
  [dual, { ipFamilyPolicy: 'RequireDualStack' }, 'RequireDualStack IPv4,IPv6 4 6'],
  [four, { ipFamilyPolicy: 'RequireDualStack' }, notDual],
  [dual, { ipFamilies: ['IPv4', 'IPv6'] }, needsDual('IP families')],
  [dual, { clusterIP: '10.0.0.7', clusterIPs: ['10.0.0.7', 'fd00:10::7'] }, needsDual('cluster IPs')],
  [four, { ipFamilies: ['IPv6'] }, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
  [
    four,
    { clusterIP: 'fd00:10::7' },
    'spec.clusterIPs[0]: Invalid value: ["fd00:10::7"]: IPv6 is not configured on this cluster',
  ],
  [
    dual,
    { clusterIP: 'fd00:99::7' },
    'spec.clusterIPs: Invalid value: ["fd00:99::7"]: failed to allocate IP fd00:99::7: the provided network does not match the current range',
  ],
  [dual, headless, 'SingleStack IPv4 None'],
  [dual, { ...headless, ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack IPv4,IPv6 None'],
  [four, { clusterIP: 'None' }, 'RequireDualStack IPv4,IPv6 None'],
  [six, { clusterIP: 'None' }, 'RequireDualStack IPv6,IPv4 None'],
  [four, { clusterIP: 'None', ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv6'] }, 'SingleStack IPv6 None'],
])('a new service in %s: %j', async (serviceCidr, spec, wanted) => {
  server = await startTestServer({ config: { serviceCidr } });
  const made = await server.call('POST', services, { metadata: { name: 'web' }, spec: { ...port, ...spec } });
  expect(shown(made)).toBe(wanted);
});

describe('an update', () => {
  const merge = { contentType: 'application/merge-patch+json' };
  const addresses = async () => {
    const { body } = await server.call('GET', '/apis/networking.k8s.io/v1/ipaddresses');
    return body.items.map((item: any) => item.metadata.name).sort();
  };
  async function started(spec: Spec): Promise<any> {
    server = await startTestServer({ config: { serviceCidr: dual } });
    const { body } = await server.call('POST', services, { metadata: { name: 'web' }, spec: { ...port, ...spec } });
    return body.spec;
  }
  const patch = (spec: Spec) => server.call('PATCH', `${services}/web`, { spec }, merge);

  test('to RequireDualStack adds an address, which has its object', async () => {
    const { clusterIP } = await started({});
    const next = await patch({ ipFamilyPolicy: 'RequireDualStack' });
    expect(shown(next)).toBe('RequireDualStack IPv4,IPv6 4 6');
    expect(next.body.spec.clusterIP).toBe(clusterIP);
    expect(await addresses()).toEqual([...next.body.spec.clusterIPs].sort());
  });

  test('to SingleStack releases the second address', async () => {
    const { clusterIPs } = await started({ ipFamilyPolicy: 'RequireDualStack' });
    expect(shown(await patch({ ipFamilyPolicy: 'SingleStack' }))).toBe('SingleStack IPv4 4');
    expect(await addresses()).toEqual([clusterIPs[0]]);
    const again = { metadata: { name: 'other' }, spec: { ...port, clusterIP: clusterIPs[1] } };
    expect(shown(await server.call('POST', services, again))).toBe('SingleStack IPv6 6');
  });

  test('of other fields keeps both addresses, and a deletion releases them', async () => {
    const { clusterIPs } = await started({ ipFamilyPolicy: 'PreferDualStack' });
    const { body } = await patch({ selector: { app: 'web' } });
    expect(body.spec.clusterIPs).toEqual(clusterIPs);
    await server.call('DELETE', `${services}/web`);
    expect(await addresses()).toEqual([]);
  });

  test('that drops a family without the policy is refused', async () => {
    const { clusterIPs } = await started({ ipFamilyPolicy: 'RequireDualStack' });
    const faults = shown(await patch({ clusterIPs: [clusterIPs[0]], ipFamilies: ['IPv4'] }));
    const fault = (what: string) =>
      `spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be 'SingleStack' to release the secondary ${what}`;
    expect(faults).toBe(`${fault('cluster IP')}; ${fault('IP family')}`);
  });
});

test('an address in another spelling is the same address', async () => {
  server = await startTestServer({ config: { serviceCidr: dual } });
  const make = (name: string, clusterIP: string) =>
    server.call('POST', services, { metadata: { name }, spec: { ...port, clusterIP } });
  expect(shown(await make('one', 'fd00:10:0::00A7'))).toBe('SingleStack IPv6 6');
  expect(shown(await make('two', 'fd00:10::a7'))).toContain('provided IP is already allocated');
  const { body } = await server.call('GET', '/apis/networking.k8s.io/v1/ipaddresses/fd00:10::a7');
  expect(body.metadata.labels['ipaddress.kubernetes.io/ip-family']).toBe('IPv6');
});
