import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Client, cutClient, Link } from '../../client/client.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { seededRandom } from '../../machinery/random.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { completeConfig } from '../config.ts';
import { type Cluster, startParts } from '../start.ts';
import { DefaultServiceRange } from './default-service-range.ts';

const path = '/apis/networking.k8s.io/v1/servicecidrs/kubernetes';
const [four, six] = ['10.96.0.0/12', 'fd00:10:96::/112'];
const clock = new VirtualClock();
let cluster: Cluster;
let client: Client;

beforeEach(async () => {
  const config = completeConfig({
    name: 'test',
    dataDirectory: '/nonexistent',
    port: undefined,
    store: 'memory',
    nodeIP: '192.0.2.1',
    components: ['kube-apiserver'],
  });
  const environment = { clock, random: seededRandom(1), logger: silentLogger, metrics: new Metrics() };
  const starting = startParts(config, environment);
  await clock.settle();
  cluster = await starting;
  client = cluster.client;
});
afterEach(() => cluster.stop());

const get = () => client.raw<any>('GET', path);
const makeRange = (...cidrs: string[]) => new DefaultServiceRange({ client, clock, logger: silentLogger }, cidrs);
async function events(): Promise<string[]> {
  await clock.settle();
  const { items } = await client.raw<any>('GET', '/api/v1/events');
  return items.map(({ source, reason, message }: any) => `${source.component} ${reason}: ${message}`);
}
const ready = (status: string, reason: string, message: string) =>
  client.raw('PUT', `${path}/status`, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    status: {
      conditions: [{ type: 'Ready', status, reason, message, lastTransitionTime: '2026-01-01T00:00:00Z' }],
    },
  });

test('an API server alone makes its range, and makes it ready', async () => {
  const { spec, status, metadata } = await get();
  expect(spec).toEqual({ cidrs: [four] });
  expect(status.conditions).toEqual([
    {
      type: 'Ready',
      status: 'True',
      reason: '',
      message: 'Kubernetes default Service CIDR is ready',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ]);
  expect(metadata.managedFields.map(({ manager, subresource = '' }: any) => `${manager} ${subresource}`)).toContain(
    'kubernetes-service-cidr-controller status',
  );
  await makeRange(four).ensure();
  expect(await events()).toEqual([]);
});

test('the range of a cluster that gets its second family gets it too, and no other change', async () => {
  const cidrsWith = async (...cidrs: string[]) => {
    await makeRange(...cidrs).ensure();
    return (await get()).spec.cidrs;
  };
  expect(await cidrsWith('10.0.0.0/16', six)).toEqual([four]);
  expect(await cidrsWith(four, six)).toEqual([four, six]);
  expect(await cidrsWith(four)).toEqual([four, six]);
});

test('a range of another configuration is reported once', async () => {
  const range = makeRange('10.0.0.0/16', six);
  await range.ensure();
  await range.ensure();
  expect(await events()).toEqual([
    `kubernetes-service-cidr-controller KubernetesDefaultServiceCIDRInconsistent: The default ServiceCIDR [${four}] does not match the controller flag configurations [10.0.0.0/16 ${six}]`,
  ]);
});

test('a range that another program declared not ready is reported once, and stays so', async () => {
  await ready('False', 'Terminating', 'there are still addresses');
  const range = makeRange(four);
  await range.ensure();
  await range.ensure();
  expect(await events()).toEqual([
    'kubernetes-service-cidr-controller Terminating: Configuration matches, but there are still addresses',
  ]);
  expect((await get()).status.conditions[0].status).toBe('False');
});

test('a deleted range is back after ten seconds', async () => {
  await client.raw('DELETE', path);
  await clock.advance(11_000);
  expect((await get()).status.conditions[0].status).toBe('True');
});

test('an unknown state becomes ready', async () => {
  await ready('Unknown', 'R', 'm');
  await makeRange(four).ensure();
  expect((await get()).status.conditions[0].status).toBe('True');
});

test.each<{ verb: 'create' | 'update' | 'patch'; wanted: string; rejects: boolean }>([
  { verb: 'create', wanted: 'The default ServiceCIDR can not be created', rejects: true },
  {
    verb: 'update',
    wanted: `The default ServiceCIDR can not be upgraded from ${four} to dual stack [${four} ${six}] : no`,
    rejects: false,
  },
  { verb: 'patch', wanted: 'The default ServiceCIDR Status can not be set to Ready=True', rejects: false },
])('a failed $verb is an event', async ({ verb, wanted, rejects }) => {
  if (verb === 'create') await client.raw('DELETE', path);
  if (verb === 'patch') await ready('Unknown', 'R', 'm');
  const refuse = () => Promise.reject(new Error('no'));
  const failing: Client = {
    ...cutClient(client, new Link()),
    [verb]: (resource: never, ...rest: never[]) =>
      resource === 'servicecidrs' ? refuse() : client[verb](resource, ...(rest as unknown as [never, never])),
  };
  const cidrs = verb === 'update' ? [four, six] : [four];
  const ensured = new DefaultServiceRange({ client: failing, clock, logger: silentLogger }, cidrs).ensure();
  await (rejects ? expect(ensured).rejects.toThrow('no') : ensured);
  const [event] = await events();
  expect(event).toBe(`kubernetes-service-cidr-controller KubernetesDefaultServiceCIDRError: ${wanted}`);
});
