// Cases after pkg/controller/endpoint/endpoints_controller_test.go of Kubernetes.

import { describe, expect, test } from 'vitest';
import type { Endpoints, Pod, Service } from '../../api/api.ts';
import { endpoints } from './endpoints.ts';
import { named, type PodCase, pod, reconcileOnce, service } from './test-services.ts';

const write = (of: Service | undefined, pods: readonly Pod[], existing?: object) =>
  reconcileOnce(endpoints, {
    services: of ? [of] : [],
    pods,
    endpoints: existing ? [existing as Endpoints] : [],
  });

/** Subsets as texts: "ready addresses / others : ports". */
async function subsets(of: Service, pods: readonly Pod[]): Promise<string[]> {
  const { created } = await write(of, pods);
  return (created[0].subsets as NonNullable<Endpoints['subsets']>).map(
    ({ addresses = [], notReadyAddresses = [], ports = [] }) =>
      `${addresses.map(({ ip }) => ip)} / ${notReadyAddresses.map(({ ip }) => ip)} : ${ports.map(({ name, port, protocol }) => `${name ?? ''} ${port} ${protocol}`)}`,
  );
}

describe('addresses', () => {
  const http = 'http 80 TCP';
  test.each<[string, object, [number, PodCase?][], string[]]>([
    ['no pods', {}, [], []],
    ['in their order', {}, [[3], [1], [2]], [`10.0.0.1,10.0.0.2,10.0.0.3 /  : ${http}`]],
    ['of pods that are not ready', {}, [[1], [2, { ready: false }]], [`10.0.0.1 / 10.0.0.2 : ${http}`]],
    [
      'of pods that are not ready and published',
      { publishNotReadyAddresses: true },
      [[1], [2, { ready: false }]],
      [`10.0.0.1,10.0.0.2 /  : ${http}`],
    ],
    [
      'not of finished pods',
      {},
      [
        [1, { phase: 'Succeeded' }],
        [2, { phase: 'Failed' }],
      ],
      [],
    ],
    ['not of deleted pods', {}, [[1, { deleted: true }]], []],
    [
      'of deleted pods that are published',
      { publishNotReadyAddresses: true },
      [[1, { deleted: true }]],
      [`10.0.0.1 /  : ${http}`],
    ],
    ['not of other pods', {}, [[1, { labels: { app: 'other' } }]], []],
    ['not of pods without an address', {}, [[1, { ips: [] }]], []],
    [
      'of the first family',
      { ipFamilies: ['IPv6', 'IPv4'] },
      [[1, { ips: ['10.0.0.1', 'fd00::1'] }]],
      [`fd00::1 /  : ${http}`],
    ],
    ['not of another family', { ipFamilies: ['IPv6'] }, [[1]], []],
    [
      'of an IPv6 cluster address',
      { clusterIP: 'fd00::a' },
      [[1, { ips: ['10.0.0.1', 'fd00::1'] }]],
      [`fd00::1 /  : ${http}`],
    ],
  ])('%s', async (_, spec, pods, wanted) =>
    expect(
      await subsets(
        service(spec),
        pods.map(([n, given]) => pod(n, given)),
      ),
    ).toEqual(wanted),
  );
});

describe('ports', () => {
  const ports = (...list: object[]) => ({ ports: list });
  test.each<[string, object, object[], string[]]>([
    ['a number', ports({ port: 80, targetPort: 8080 }), [{}], ['10.0.0.1 /  :  8080 TCP']],
    ['a protocol', ports({ port: 53, protocol: 'UDP' }), [{}], ['10.0.0.1 /  :  53 UDP']],
    ['a name', ports({ port: 80, targetPort: 'web' }), [named(8080)], ['10.0.0.1 /  :  8080 TCP']],
    ['a name of another protocol', ports({ port: 80, targetPort: 'web' }), [named(8080, 'UDP')], []],
    ['an unknown name', ports({ port: 80, targetPort: 'other' }), [named(8080)], []],
    [
      'a name in a sidecar',
      ports({ port: 80, targetPort: 'web' }),
      [{ initContainers: named(8080, undefined, { restartPolicy: 'Always' }).containers }],
      ['10.0.0.1 /  :  8080 TCP'],
    ],
    [
      'a name in an init container',
      ports({ port: 80, targetPort: 'web' }),
      [{ initContainers: named(8080).containers }],
      [],
    ],
    [
      'one of two that a pod has',
      ports({ name: 'a', port: 80, targetPort: 'web' }, { name: 'b', port: 81, targetPort: 'other' }),
      [named(8080)],
      ['10.0.0.1 /  : a 8080 TCP'],
    ],
    [
      'a name with two numbers',
      ports({ port: 80, targetPort: 'web' }),
      [named(8080), named(9090), named(8080)],
      ['10.0.0.1,10.0.0.3 /  :  8080 TCP', '10.0.0.2 /  :  9090 TCP'],
    ],
    ['none, of a headless service', { clusterIP: 'None', ports: [] }, [{}], ['10.0.0.1 /  : ']],
    ['none, of a service with an address', { ports: [] }, [{}], []],
  ])('%s', async (_, spec, specs, wanted) =>
    expect(
      await subsets(
        service(spec),
        specs.map((one, i) => pod(i + 1, { spec: one })),
      ),
    ).toEqual(wanted),
  );
});

test.each([
  [{ hostname: 'h', subdomain: 'web' }, 'h'],
  [{ hostname: 'h', subdomain: 'other' }, undefined],
  [{ hostname: 'h' }, undefined],
  [{ subdomain: 'web' }, undefined],
])('the name of a pod with %j is %s', async (spec, hostname) => {
  const { created } = await write(service(), [pod(1, { node: 'n', spec })]);
  expect(created[0].subsets[0].addresses).toEqual([
    {
      ip: '10.0.0.1',
      ...(hostname && { hostname }),
      nodeName: 'n',
      targetRef: { kind: 'Pod', namespace: 'ns', name: 'pod-1', uid: 'uid-1' },
    },
  ]);
});

describe('more than a thousand addresses', () => {
  const many = (count: number, ready: boolean, from: number) =>
    Array.from({ length: count }, (_, i) => pod(from + i, { ready }));
  test.each<[string, Pod[], number, number, boolean]>([
    ['a thousand', many(1000, true, 1), 1000, 0, false],
    ['too many ready ones', [...many(5, false, 2000), ...many(1100, true, 1)], 1000, 0, true],
    ['ready ones come first', [...many(600, false, 2000), ...many(700, true, 1)], 700, 300, true],
  ])('%s', async (_, pods, ready, others, isTruncated) => {
    const { created } = await write(service(), pods);
    const [{ addresses = [], notReadyAddresses = [] }] = created[0].subsets;
    expect([addresses.length, notReadyAddresses.length]).toEqual([ready, others]);
    expect(created[0].metadata.annotations['endpoints.kubernetes.io/over-capacity']).toBe(
      isTruncated ? 'truncated' : undefined,
    );
  });

  test('are shared among the subsets by their size', async () => {
    const spec = { ports: [{ port: 80, targetPort: 'web' }] };
    const half = (from: number, count: number, port: number) =>
      Array.from({ length: count }, (_, i) => pod(from + i, { spec: named(port) }));
    const { created } = await write(service(spec), [...half(1, 1500, 8080), ...half(3000, 500, 9090)]);
    expect(created[0].subsets.map(({ addresses }: any) => addresses.length)).toEqual([750, 250]);
  });
});

describe('the object', () => {
  const managed = { 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' };
  const existing = async (of = service(), pods: Pod[] = []) => {
    const [object] = (await write(of, pods)).created;
    return { ...object, metadata: { ...object.metadata, resourceVersion: '1' } };
  };

  test('has the labels of its service', async () => {
    const { created } = await write(service({}, { labels: { own: 'x' } }), []);
    expect(created[0].metadata).toMatchObject({ name: 'web', namespace: 'ns', labels: { own: 'x', ...managed } });
  });

  test('of a headless service is marked', async () => {
    const { created } = await write(service({ clusterIP: 'None' }), []);
    expect(created[0].metadata.labels).toEqual({ 'service.kubernetes.io/headless': '', ...managed });
  });

  test('that is right stays as it is', async () =>
    expect(await write(service(), [pod(1)], await existing(service(), [pod(1)]))).toMatchObject({
      created: [],
      updated: [],
    }));

  test('is updated when a pod changes, and keeps its other annotations', async () => {
    const before = await existing(service(), [pod(1)]);
    before.metadata.annotations.own = 'x';
    const { updated } = await write(service(), [pod(1, { ready: false })], before);
    expect(updated[0].metadata).toMatchObject({ resourceVersion: '1', annotations: { own: 'x' } });
    expect(updated[0].subsets[0].notReadyAddresses).toHaveLength(1);
  });

  test.each([
    ['without a selector', service({ selector: undefined })],
    ['of another name', service({ type: 'ExternalName' })],
    ['that is being deleted', service({}, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ])('of a service %s is left alone', async (_, of) =>
    expect(await write(of, [pod(1)])).toMatchObject({ created: [], updated: [], deleted: [] }),
  );

  test.each([
    ['its own object', managed, ['web']],
    ["a user's object", {}, []],
  ])('without its service: %s', async (_, labels, deleted) =>
    expect((await write(undefined, [], { metadata: { name: 'web', namespace: 'ns', labels } })).deleted).toEqual(
      deleted,
    ),
  );
});
