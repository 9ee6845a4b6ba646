// Cases after staging/src/k8s.io/endpointslice/reconciler_test.go of Kubernetes.

import { describe, expect, test } from 'vitest';
import type { Endpoint, EndpointSlice, Node, Pod, Service } from '../../api/api.ts';
import { endpointslice } from './endpointslice.ts';
import { named, type PodCase, pod, reconcileOnce, service, type Written } from './test-services.ts';

const nodes = [
  { metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z1' } } },
  { metadata: { name: 'n2', labels: {} } },
] as unknown as Node[];

const write = (of: Service, pods: readonly Pod[], endpointslices: readonly EndpointSlice[] = []) =>
  reconcileOnce(endpointslice, { services: [of], pods, nodes, endpointslices });

/** Slices as the API would have them. */
const stored = ({ created }: Written): EndpointSlice[] =>
  created.map((slice, i) => ({ ...slice, metadata: { ...slice.metadata, name: `web-${i}`, resourceVersion: '1' } }));

const pods = (count: number, from = 1, given: PodCase = {}) =>
  Array.from({ length: count }, (_, i) => pod(from + i, given));

/** Numbers of endpoints that a reconciliation creates and updates, and the slices that it deletes. */
const sizes = ({ created, updated, deleted }: Written) => ({
  created: created.map(({ endpoints }) => endpoints.length),
  updated: updated.map(({ endpoints }) => endpoints.length),
  deleted,
});

describe('conditions', () => {
  const one = async (given: PodCase, spec: object = {}): Promise<Endpoint['conditions'][]> =>
    (await write(service(spec), [pod(1, given)])).created[0].endpoints.map((endpoint: Endpoint) => endpoint.conditions);
  const published = { publishNotReadyAddresses: true };

  test.each<[string, PodCase, object, boolean, boolean, boolean]>([
    ['a ready pod', {}, {}, true, true, false],
    ['a pod that is not ready', { ready: false }, {}, false, false, false],
    ['a pod that is being deleted', { deleted: true }, {}, false, true, true],
    ['a pod that is being deleted and not ready', { deleted: true, ready: false }, {}, false, false, true],
    ['a published pod that is not ready', { ready: false }, published, true, false, false],
    ['a published pod that is being deleted', { deleted: true }, published, true, true, true],
  ])('of %s', async (_, given, spec, ready, serving, terminating) =>
    expect(await one(given, spec)).toEqual([{ ready, serving, terminating }]),
  );

  test.each(['Succeeded', 'Failed'])('a pod in phase %s has no endpoint', async (phase) =>
    expect(await one({ phase })).toEqual([]),
  );
});

describe('an endpoint', () => {
  const endpoint = async (given: PodCase, spec: object = {}) =>
    (await write(service(spec), [pod(1, given)])).created[0].endpoints[0];
  const base = {
    addresses: ['10.0.0.1'],
    conditions: { ready: true, serving: true, terminating: false },
    targetRef: { kind: 'Pod', namespace: 'ns', name: 'pod-1', uid: 'uid-1' },
  };
  const hints = (wish: string) => ({ trafficDistribution: wish });
  const z1 = { nodeName: 'n1', zone: 'z1' };

  test.each<[string, PodCase, object, object]>([
    ['of a pod without a node', {}, {}, {}],
    ['has its node and zone', { node: 'n1' }, {}, z1],
    ['of a node without a zone', { node: 'n2' }, {}, { nodeName: 'n2' }],
    ['of an unknown node', { node: 'n3' }, {}, { nodeName: 'n3' }],
    ['has a name in its service', { spec: { hostname: 'h', subdomain: 'web' } }, {}, { hostname: 'h' }],
    ['has no name in another service', { spec: { hostname: 'h', subdomain: 'other' } }, {}, {}],
    ['that is wanted near', { node: 'n1' }, hints('PreferClose'), { ...z1, hints: { forZones: [{ name: 'z1' }] } }],
    [
      'that is wanted in its zone',
      { node: 'n1' },
      hints('PreferSameZone'),
      { ...z1, hints: { forZones: [{ name: 'z1' }] } },
    ],
    [
      'that is wanted on its node',
      { node: 'n1' },
      hints('PreferSameNode'),
      { ...z1, hints: { forZones: [{ name: 'z1' }], forNodes: [{ name: 'n1' }] } },
    ],
    ['without a zone has no hints', { node: 'n2' }, hints('PreferClose'), { nodeName: 'n2' }],
  ])('%s', async (_, given, spec, more) => expect(await endpoint(given, spec)).toEqual({ ...base, ...more }));
});

describe('families', () => {
  const both = { ips: ['10.0.0.1', 'fd00::1'] };
  const byFamily = async (spec: object, given: PodCase) =>
    (await write(service(spec), [pod(1, given)])).created.map(
      ({ addressType, endpoints }) => `${addressType} ${endpoints.map(({ addresses }: Endpoint) => addresses)}`,
    );
  test.each<[object, PodCase, string[]]>([
    [{ ipFamilies: ['IPv4'] }, both, ['IPv4 10.0.0.1']],
    [{ ipFamilies: ['IPv6', 'IPv4'] }, both, ['IPv6 fd00::1', 'IPv4 10.0.0.1']],
    [{ ipFamilies: ['IPv4', 'IPv6'] }, {}, ['IPv4 10.0.0.1', 'IPv6 ']],
    [{ clusterIP: 'fd00::a' }, both, ['IPv6 fd00::1']],
  ])('%j', async (spec, given, wanted) => expect(await byFamily(spec, given)).toEqual(wanted));
});

describe('ports', () => {
  test('pods with different numbers have separate slices', async () => {
    const of = service({ ports: [{ port: 80, targetPort: 'web' }] });
    const { created } = await write(
      of,
      [8080, 9090, 8080].map((port, i) => pod(i + 1, { spec: named(port) })),
    );
    expect(created.map(({ ports, endpoints }) => [ports[0].port, endpoints.length])).toEqual([
      [8080, 2],
      [9090, 1],
    ]);
  });

  test('have the protocol of the application', async () => {
    const { created } = await write(service({ ports: [{ name: 'a', port: 80, appProtocol: 'http' }] }), [pod(1)]);
    expect(created[0].ports).toEqual([{ name: 'a', port: 80, protocol: 'TCP', appProtocol: 'http' }]);
  });
});

describe('slices', () => {
  test.each([
    [0, [0]],
    [1, [1]],
    [100, [100]],
    [101, [100, 1]],
    [250, [100, 100, 50]],
  ])('of %d pods', async (count, created) =>
    expect(sizes(await write(service(), pods(count)))).toEqual({ created, updated: [], deleted: [] }),
  );

  const has = async (count: number) => stored(await write(service(), pods(count)));

  test('that are right stay as they are', async () =>
    expect(sizes(await write(service(), pods(101), await has(101)))).toEqual({
      created: [],
      updated: [],
      deleted: [],
    }));

  test('get new endpoints where there is room', async () =>
    expect(sizes(await write(service(), pods(151), await has(150)))).toEqual({
      created: [],
      updated: [51],
      deleted: [],
    }));

  test('are added when all are full', async () =>
    expect(sizes(await write(service(), pods(102), await has(100)))).toEqual({
      created: [2],
      updated: [],
      deleted: [],
    }));

  test('lose the endpoints of deleted pods', async () =>
    expect(sizes(await write(service(), pods(140), await has(150)))).toEqual({
      created: [],
      updated: [40],
      deleted: [],
    }));

  test('that become empty are deleted', async () =>
    expect(sizes(await write(service(), pods(100), await has(150)))).toEqual({
      ...{ created: [], updated: [] },
      deleted: ['web-1'],
    }));

  test('of a service without pods: one empty slice stays', async () =>
    expect(sizes(await write(service(), [], await has(150)))).toEqual({
      ...{ created: [], updated: [0] },
      deleted: ['web-1'],
    }));

  test('of former ports get the new ones', async () => {
    const next = service({ ports: [{ name: 'http', port: 8080 }] });
    const written = await write(next, pods(2), await has(2));
    expect(sizes(written)).toEqual({ created: [], updated: [2], deleted: [] });
    expect(written.updated[0]).toMatchObject({ metadata: { name: 'web-0' }, ports: [{ port: 8080 }] });
  });

  test('of another controller are left alone', async () => {
    const [slice] = await has(1);
    const labels = { ...slice.metadata.labels, 'endpointslice.kubernetes.io/managed-by': 'other' };
    const others = [{ ...slice, metadata: { ...slice.metadata, labels } }];
    expect(sizes(await write(service(), pods(1), others))).toEqual({ created: [1], updated: [], deleted: [] });
  });

  test('that are being deleted are replaced', async () => {
    const [slice] = await has(1);
    const leaving = [{ ...slice, metadata: { ...slice.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }];
    expect(sizes(await write(service(), pods(1), leaving))).toEqual({ created: [1], updated: [], deleted: [] });
  });
});

describe('labels', () => {
  const managed = {
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  };
  test.each<[string, object, object, object]>([
    ['are those of the service', {}, { own: 'x' }, { own: 'x' }],
    ['mark a headless service', { clusterIP: 'None' }, {}, { 'service.kubernetes.io/headless': '' }],
    ['of the controller win', {}, { 'kubernetes.io/service-name': 'x', 'service.kubernetes.io/headless': 'x' }, {}],
  ])('%s', async (_, spec, labels, more) => {
    const { created } = await write(service(spec, { labels }), []);
    expect(created[0].metadata).toMatchObject({ generateName: 'web-', namespace: 'ns' });
    expect(created[0].metadata.labels).toEqual({ ...managed, ...more });
    expect(created[0].metadata.ownerReferences).toMatchObject([{ kind: 'Service', name: 'web', controller: true }]);
  });

  test('follow the service', async () => {
    const before = stored(await write(service(), [pod(1)]));
    const { updated } = await write(service({}, { labels: { own: 'x' } }), [pod(1)], before);
    expect(updated.map(({ metadata }) => metadata.labels)).toEqual([{ ...managed, own: 'x' }]);
  });
});

test.each([
  ['without a selector', service({ selector: undefined })],
  ['of another name', service({ type: 'ExternalName' })],
  ['that is being deleted', service({}, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
])('a service %s is left alone', async (_, of) =>
  expect(sizes(await write(of, [pod(1)]))).toEqual({ created: [], updated: [], deleted: [] }),
);
