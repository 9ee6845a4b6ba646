import { describe, expect, test } from 'vitest';
import type { ConfigMap, Container, Pod, Secret, Service } from '../../api/api.ts';
import { containerResources, podCgroup } from '../resources/resources.ts';
import {
  type EnvironmentSources,
  expand,
  expandAll,
  fieldValue,
  makeEnvironment,
  resourceValue,
} from './environment.ts';

const pod = {
  metadata: {
    name: 'web-0',
    namespace: 'shop',
    uid: 'u-1',
    labels: { b: '2', a: '"x"' },
    annotations: { note: 'two\nlines' },
  },
  spec: {
    serviceAccountName: 'robot',
    containers: [{ name: 'main' }, { name: 'other', resources: { limits: { cpu: '1500m' } } }],
  },
} as unknown as Pod;
const service = (namespace: string, name: string, clusterIP: string, ports: object[]) =>
  ({ metadata: { namespace, name }, spec: { clusterIP, ports } }) as unknown as Service;
const sources: EnvironmentSources = {
  services: [],
  podIPs: ['10.0.0.5', 'fd00::5'],
  hostIPs: ['192.0.2.1'],
  nodeName: 'node-1',
  allocatable: { cpuMillis: 3500, memoryBytes: 8 * 2 ** 30, ephemeralStorageBytes: 2 ** 40 },
  configMap: async (name) =>
    name === 'settings' ? ({ data: { level: 'debug', 'not-a-name.x': 'y' } } as unknown as ConfigMap) : undefined,
  secret: async (name) =>
    name === 'keys' ? ({ data: { token: Buffer.from('s3cret').toString('base64') } } as unknown as Secret) : undefined,
};
const environmentOf = async (container: Partial<Container>, more: Partial<EnvironmentSources> = {}) =>
  Object.fromEntries(
    (await makeEnvironment(pod, { name: 'main', ...container } as Container, { ...sources, ...more })).map(
      ({ key, value }) => [key, value],
    ),
  );

describe('expansion, as the documentation has it', () => {
  const variables = new Map([
    ['A', '1'],
    ['B', '$(A)'],
  ]);
  test.each([
    ['$(A)', '1'],
    ['x$(A)y$(A)', 'x1y1'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(MISSING)', '$(MISSING)'],
    ['$A', '$A'],
    ['$(B)', '$(A)'],
    ['$', '$'],
    ['$(', '$('],
    ['$()', '$()'],
  ])('%s is %s', (text, wanted) => expect(expand(text, variables)).toBe(wanted));
});

describe('makeEnvironment', () => {
  test('later entries see earlier ones, not the other way round', async () =>
    expect(
      await environmentOf({
        env: [
          { name: 'EARLY', value: '$(LATE)' },
          { name: 'LATE', value: 'x' },
          { name: 'SEES', value: '$(LATE)' },
        ],
      }),
    ).toEqual({ EARLY: '$(LATE)', LATE: 'x', SEES: 'x' }));

  test('env wins over envFrom', async () =>
    expect(
      await environmentOf({
        envFrom: [{ prefix: 'P_', configMapRef: { name: 'settings' } }, { secretRef: { name: 'keys' } }],
        env: [{ name: 'token', value: 'own' }],
      }),
    ).toEqual({ P_level: 'debug', 'P_not-a-name.x': 'y', token: 'own' }));

  test('values from elsewhere', async () =>
    expect(
      await environmentOf({
        env: [
          { name: 'LEVEL', valueFrom: { configMapKeyRef: { name: 'settings', key: 'level' } } },
          { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'keys', key: 'token' } } },
          { name: 'NONE', valueFrom: { secretKeyRef: { name: 'none', key: 'x', optional: true } } },
          { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'CPU', valueFrom: { resourceFieldRef: { containerName: 'other', resource: 'limits.cpu' } } },
        ] as Container['env'],
      }),
    ).toEqual({ LEVEL: 'debug', TOKEN: 's3cret', NAME: 'web-0', CPU: '2' }));

  const tooLong = { name: 'ConfigError', message: expect.stringMatching(/^argument list too long: /) };
  const big = 'x'.repeat(1 << 20);
  test('variables that repeat the one before them twice', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `V${i}`);
    const env = names.map((name, i) => ({ name, value: i > 0 ? `$(V${i - 1})$(V${i - 1})` : 'text' }));
    await expect(environmentOf({ env })).rejects.toMatchObject(tooLong);
    expect(await environmentOf({ env: env.slice(0, 19) })).toMatchObject({ V18: 'text'.repeat(1 << 18) });
  });

  test('the same large value under many names, and again under one', async () => {
    const many = (count: number, name: (i: number) => string) => ({
      env: [
        { name: 'BIG', value: big },
        ...Array.from({ length: count }, (_, i) => ({ name: name(i), value: '$(BIG)' })),
      ],
    });
    await expect(environmentOf(many(6, (i) => `V${i}`))).rejects.toMatchObject(tooLong);
    expect(Object.keys(await environmentOf(many(100, () => 'V')))).toEqual(['BIG', 'V']);
    const from = Array.from({ length: 7 }, (_, i) => ({ prefix: `P${i}`, configMapRef: { name: 'big' } }));
    const configMap = async () => ({ data: { V: big } }) as unknown as ConfigMap;
    await expect(environmentOf({ envFrom: from }, { configMap })).rejects.toMatchObject(tooLong);
  });

  test('arguments that repeat a variable', () => {
    const variables = new Map([['BIG', big]]);
    for (const words of [['$(BIG)'.repeat(1000)], Array.from({ length: 1000 }, () => '$(BIG)')])
      expect(() => expandAll(words, variables)).toThrow('argument list too long');
    expect(expandAll(['$(BIG)', 'a'], variables)).toEqual([big, 'a']);
  });

  test.each<[string, Partial<Container>, string]>([
    ['a ConfigMap', { envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
    [
      'a Secret',
      { env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'none', key: 'x' } } }] },
      'secret "none" not found',
    ],
    [
      'a key',
      { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'settings', key: 'x' } } }] },
      "couldn't find key x in ConfigMap shop/settings",
    ],
  ])('%s that is missing', async (_, container, message) =>
    expect(environmentOf(container)).rejects.toMatchObject({ name: 'ConfigError', message }),
  );

  test('services of the namespace, and the API server', async () => {
    const services = [
      service('default', 'kubernetes', '10.96.0.1', [{ name: 'https', port: 443, protocol: 'TCP' }]),
      service('shop', 'my-db', '10.96.0.9', [{ port: 5432 }]),
      service('shop', 'headless', 'None', [{ port: 1 }]),
      service('other', 'hidden', '10.96.0.10', [{ port: 1 }]),
    ];
    expect(await environmentOf({}, { services })).toEqual({
      KUBERNETES_SERVICE_HOST: '10.96.0.1',
      KUBERNETES_SERVICE_PORT: '443',
      KUBERNETES_SERVICE_PORT_HTTPS: '443',
      KUBERNETES_PORT: 'tcp://10.96.0.1:443',
      KUBERNETES_PORT_443_TCP: 'tcp://10.96.0.1:443',
      KUBERNETES_PORT_443_TCP_PROTO: 'tcp',
      KUBERNETES_PORT_443_TCP_PORT: '443',
      KUBERNETES_PORT_443_TCP_ADDR: '10.96.0.1',
      MY_DB_SERVICE_HOST: '10.96.0.9',
      MY_DB_SERVICE_PORT: '5432',
      MY_DB_PORT: 'tcp://10.96.0.9:5432',
      MY_DB_PORT_5432_TCP: 'tcp://10.96.0.9:5432',
      MY_DB_PORT_5432_TCP_PROTO: 'tcp',
      MY_DB_PORT_5432_TCP_PORT: '5432',
      MY_DB_PORT_5432_TCP_ADDR: '10.96.0.9',
    });
  });
});

describe('downward API', () => {
  test.each([
    ['metadata.namespace', 'shop'],
    ['metadata.uid', 'u-1'],
    ['metadata.labels', 'a="\\"x\\""\nb="2"'],
    ["metadata.labels['b']", '2'],
    ["metadata.annotations['none']", ''],
    ['metadata.annotations', 'note="two\\nlines"'],
    ['spec.nodeName', 'node-1'],
    ['spec.serviceAccountName', 'robot'],
    ['status.podIP', '10.0.0.5'],
    ['status.podIPs', '10.0.0.5,fd00::5'],
    ['status.hostIP', '192.0.2.1'],
    ['status.hostIPs', '192.0.2.1'],
  ])('%s', (path, value) => expect(fieldValue(pod, path, sources)).toBe(value));
  test('another field is refused', () =>
    expect(() => fieldValue(pod, 'spec.containers', sources)).toThrow('unsupported fieldPath'));

  const container = {
    name: 'x',
    resources: { requests: { cpu: '250m', memory: '64Mi' }, limits: { memory: '1Gi' } },
  } as unknown as Container;
  test.each([
    ['requests.cpu', undefined, '1'],
    ['requests.cpu', '1m', '250'],
    ['requests.memory', '1Mi', '64'],
    ['limits.memory', undefined, '1073741824'],
    ['limits.memory', '1Gi', '1'],
    ['limits.cpu', '1m', '3500'],
    ['limits.cpu', undefined, '4'],
    ['limits.ephemeral-storage', '1Gi', '1024'],
    ['requests.ephemeral-storage', undefined, '0'],
  ])('%s in %s', (resource, divisor, value) =>
    expect(resourceValue(container, resource, divisor, sources)).toBe(value),
  );
});

describe('resources', () => {
  const gib = 2 ** 30;
  const node = { memoryBytes: 8 * gib };
  const withClass = (qosClass: string, spec = {}) =>
    ({ metadata: { uid: 'u' }, spec: { containers: [], ...spec }, status: { qosClass } }) as unknown as Pod;
  const container = (resources: object) => ({ name: 'x', resources }) as unknown as Container;
  test.each([
    ['Guaranteed', '/kubepods/podu'],
    ['Burstable', '/kubepods/burstable/podu'],
    ['BestEffort', '/kubepods/besteffort/podu'],
  ])('cgroup of %s', (qosClass, cgroup) => expect(podCgroup(withClass(qosClass))).toBe(cgroup));
  test.each([
    ['nothing asked for', 'BestEffort', {}, { cpuShares: 2, oomScoreAdj: 1000 }],
    ['requests', 'Burstable', { requests: { cpu: '500m', memory: '1Gi' } }, { cpuShares: 512, oomScoreAdj: 875 }],
    [
      'limits',
      'Guaranteed',
      { limits: { cpu: '1500m', memory: '256Mi' } },
      { cpuShares: 1536, cpuPeriod: 100_000, cpuQuota: 150_000, memoryLimitBytes: 256 * 2 ** 20, oomScoreAdj: -997 },
    ],
    [
      'very little',
      'Burstable',
      { requests: { cpu: '1m', memory: '8Gi' }, limits: { cpu: '5m' } },
      { cpuShares: 2, cpuPeriod: 100_000, cpuQuota: 1000, oomScoreAdj: 3 },
    ],
    ['next to no memory', 'Burstable', { requests: { memory: '1' } }, { cpuShares: 2, oomScoreAdj: 999 }],
  ])('%s', (_, qosClass, resources, wanted) =>
    expect(containerResources(withClass(qosClass), container(resources), node)).toEqual(wanted),
  );
  test('a limit of the whole pod holds for containers without one', () => {
    const limits = { cpu: '2', memory: '1Gi' };
    const of = (resources: object) => {
      const one = withClass('Burstable');
      return containerResources({ ...one, spec: { ...one.spec, resources: { limits } } }, container(resources), node);
    };
    expect(of({})).toMatchObject({ cpuShares: 2048, cpuQuota: 200_000, memoryLimitBytes: gib });
    expect(of({ limits: { memory: '1Mi' } })).toMatchObject({ cpuQuota: 200_000, memoryLimitBytes: 2 ** 20 });
  });
  test('a pod that the node cannot live without is not for the OOM killer', () =>
    expect(
      containerResources(withClass('BestEffort', { priorityClassName: 'system-node-critical' }), container({}), node)
        .oomScoreAdj,
    ).toBe(-997));
});

describe('variables from files', () => {
  const fileKeyRef = { volumeName: 'v', path: 'dir/env', key: 'K' };
  const made = (more: object, file?: EnvironmentSources['file']) =>
    makeEnvironment(
      { ...pod, spec: { ...pod.spec, enableServiceLinks: false } } as Pod,
      { name: 'c', env: [{ name: 'X', valueFrom: { fileKeyRef: { ...fileKeyRef, ...more } } }] } as Container,
      { ...sources, ...(file && { file }) },
    );
  const content = async (volume: string, path: string) => `K='${volume} ${path}'`;

  test('have the value of the key', async () => {
    expect(await made({}, content)).toEqual([{ key: 'X', value: 'v dir/env' }]);
    expect(await made({ key: 'other', optional: true }, content)).toEqual([]);
  });

  test('are errors without the key, the file, or its format', async () => {
    await expect(made({ key: 'other' }, content)).rejects.toThrow(
      'environment variable key "other" not found in file "dir/env"',
    );
    await expect(made({}, async () => 'K=x')).rejects.toThrow("couldn't parse env file");
  });

  test('do not exist on simulated nodes', async () => expect(await made({})).toEqual([]));
});
