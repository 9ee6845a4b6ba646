// https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport

import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const services = '/api/v1/namespaces/default/services';
const merge = { contentType: 'application/merge-patch+json' };
let server: TestServer;
beforeEach(async () => {
  server = await startTestServer({ config: { nodePortRange: { from: 30_000, to: 30_040 } } });
  await make('taken', { ...balanced, ports: [port(80, 30_001)], healthCheckNodePort: 30_002 });
});
afterEach(() => server.stop());

interface Spec {
  readonly [field: string]: unknown;
}
const port = (number: number, nodePort?: number, protocol = 'TCP') => ({
  name: `p${number}${protocol.toLowerCase()}`,
  port: number,
  protocol,
  ...(nodePort && { nodePort }),
});
const exposed = { type: 'NodePort' };
const balanced = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
const named = { ...balanced, externalTrafficPolicy: 'Cluster', allocateLoadBalancerNodePorts: false };

const make = (name: string, spec: Spec, query = {}) =>
  server.call('POST', services, { metadata: { name }, spec: { ports: [port(80)], ...spec } }, { query });

/** The node ports, that of health checks after a slash; or the error. */
function shown({ code, body }: { code: number; body: any }): string {
  if (code >= 300) return `${code} ${body.message}`;
  const { ports, healthCheckNodePort } = body.spec;
  const numbers = ports.map(({ nodePort = '-' }: any) => nodePort).join(',');
  return healthCheckNodePort ? `${numbers}/${healthCheckNodePort}` : numbers;
}
const refused = (index: number, value: number, why: string) =>
  `422 Service "web" is invalid: spec.ports[${index}].nodePort: Invalid value: ${value}: ${why}`;
const isTaken = 'provided port is already allocated';
const isOutside = 'provided port is not in the valid range. The range of valid ports is 30000-30040';
const health = (value: number, why: string) =>
  `500 Internal error occurred: failed to allocate requested HealthCheck NodePort ${value}: ${why}`;

test.each<[string, Spec, wanted: string, wantedOfDryRun?: string]>([
  ['a free port', { ...exposed, ports: [port(80, 30_005)] }, '30005'],
  ['a taken one', { ...exposed, ports: [port(80, 30_001)] }, refused(0, 30_001, isTaken)],
  ['one of health checks', { ...exposed, ports: [port(80), port(81, 30_002)] }, refused(1, 30_002, isTaken)],
  ['one outside of the range', { ...exposed, ports: [port(80, 40_000)] }, refused(0, 40_000, isOutside), '40000'],
  ['one for two protocols', { ...exposed, ports: [port(53, 30_005), port(53, 30_005, 'UDP')] }, '30005,30005'],
  ['one for one of two protocols', { ...exposed, ports: [port(53), port(53, 30_005, 'UDP')] }, '30005,30005'],
  [
    'one for two numbers',
    { ...exposed, ports: [port(80, 30_005), port(53, 30_005, 'UDP')] },
    refused(1, 30_005, isTaken),
  ],
  ['none of a balancer without node ports', named, '-'],
  ['a free one of such a balancer', { ...named, ports: [port(80, 30_005), port(81)] }, '30005,-'],
  ['a taken one of such a balancer', { ...named, ports: [port(80, 30_001)] }, refused(0, 30_001, isTaken)],
  ['a port for health checks', { ...balanced, ports: [port(80, 30_005)], healthCheckNodePort: 30_006 }, '30005/30006'],
  ['a taken port for health checks', { ...balanced, healthCheckNodePort: 30_001 }, health(30_001, isTaken)],
  [
    'a port for health checks outside of the range',
    { ...balanced, ports: [port(80, 30_005)], healthCheckNodePort: 40_000 },
    health(40_000, isOutside),
    '30005/40000',
  ],
  [
    'one port for traffic and health checks',
    { ...balanced, ports: [port(80, 30_005)], healthCheckNodePort: 30_005 },
    health(30_005, isTaken),
  ],
])('a new service that asks for %s', async (_, spec, wanted, wantedOfDryRun = wanted) => {
  expect(shown(await make('web', spec, { dryRun: 'All' }))).toBe(wantedOfDryRun);
  expect(shown(await make('web', spec))).toBe(wanted);
});

test('a refused service keeps none of its ports', async () => {
  const ports = [port(80, 30_005), port(81, 30_001)];
  expect(shown(await make('web', { ...exposed, ports }))).toBe(refused(1, 30_001, isTaken));
  const spec = { ...balanced, ports: [port(80, 30_005)], healthCheckNodePort: 30_001 };
  expect(shown(await make('web', spec))).toBe(health(30_001, isTaken));
  expect(shown(await make('web', { ...exposed, ports: [port(80, 30_005)] }))).toBe('30005');
});

test.each<[string, first: Spec, change: Spec, wanted: string]>([
  ['one more port', exposed, { ports: [port(80, 30_005), port(81, 30_006)] }, '30005,30006'],
  ['a taken one', exposed, { ports: [port(80, 30_001)] }, refused(0, 30_001, isTaken)],
  ['one for two numbers', exposed, { ports: [port(80, 30_005), port(53, 30_005, 'UDP')] }, '30005,30005'],
  [
    'one twice for a protocol',
    exposed,
    { ports: [port(80, 30_005), port(81, 30_005)] },
    '500 duplicate nodePort: {TCP 30005}',
  ],
  ['a taken one of a balancer without node ports', named, { ports: [port(80, 30_001)] }, refused(0, 30_001, isTaken)],
  [
    'a taken port for health checks',
    exposed,
    { ...balanced, ports: [port(80, 30_005)], healthCheckNodePort: 30_001 },
    health(30_001, isTaken),
  ],
])('an update that asks for %s', async (_, first, change, wanted) => {
  await make('web', first);
  expect(
    shown(await server.call('PATCH', `${services}/web`, { spec: change }, { ...merge, query: { dryRun: 'All' } })),
  ).toBe(wanted);
  expect(shown(await server.call('PATCH', `${services}/web`, { spec: change }, merge))).toBe(wanted);
});

test('in a full range new ports are an internal error', async () => {
  for (let i = 0; i < 39; i++) await make(`s${i}`, exposed);
  const full = '500 Internal error occurred: failed to allocate a nodePort: range is full';
  expect(shown(await make('web', exposed))).toBe(full);
  expect(shown(await make('web', { ...named, externalTrafficPolicy: 'Local' }))).toBe(
    '500 Internal error occurred: failed to allocate a HealthCheck NodePort 0: range is full',
  );
});
