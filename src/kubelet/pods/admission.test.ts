import { expect, test } from 'vitest';
import type { Node, Pod } from '../../api/api.ts';
import type { KubeletConfig } from '../config.ts';
import { refuse } from './admission.ts';

const config = {
  maxPods: 3,
  capacity: { cpuMillis: 2000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 30 },
  reserved: { cpuMillis: 0, memoryBytes: 0 },
} as KubeletConfig;
const able = { supplementalGroupsPolicy: true, appArmor: true, object: undefined };
const container = (requests: object, more: object = {}) => ({ name: 'c', resources: { requests }, ...more });
const pod = (spec: object, uid = 'u') => ({ metadata: { name: uid, uid }, spec }) as unknown as Pod;
const sidecar = { restartPolicy: 'Always' };
const insufficient = (name: string, requested: number, used: number, capacity: number) => ({
  reason: `OutOf${name}`,
  message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
});

test.each<[string, object, ReturnType<typeof insufficient> | undefined]>([
  ['containers that fit', { containers: [container({ cpu: '500m' }), container({ cpu: '1500m' })] }, undefined],
  ['too much CPU', { containers: [container({ cpu: '2100m' })] }, insufficient('cpu', 2100, 0, 2000)],
  [
    'an init container and the sidecar that comes after it do not run together at first',
    {
      initContainers: [container({ cpu: '1700m' }), container({ cpu: '500m' }, sidecar)],
      containers: [container({ cpu: '700m' })],
    },
    undefined,
  ],
  [
    'an init container and the sidecar before it do',
    {
      initContainers: [container({ cpu: '500m' }, sidecar), container({ cpu: '1700m' })],
      containers: [container({ cpu: '100m' })],
    },
    insufficient('cpu', 2200, 0, 2000),
  ],
  [
    'the overhead counts',
    { containers: [container({ cpu: '2' })], overhead: { cpu: '1m' } },
    insufficient('cpu', 2001, 0, 2000),
  ],
  [
    'resources of the pod as a whole count in place of the containers',
    { containers: [container({ cpu: '3' })], resources: { requests: { cpu: '1' } } },
    undefined,
  ],
  [
    'too much local storage',
    { containers: [container({ 'ephemeral-storage': '2Gi' })] },
    insufficient('ephemeral-storage', 2 ** 31, 0, 2 ** 30),
  ],
])('%s', (_, spec, refusal) => expect(refuse(pod(spec), [], config, able)).toEqual(refusal));

test('resources of active pods are used', () => {
  const used = pod({ containers: [container({ cpu: '1500m' })] }, 'other');
  const wanted = pod({ containers: [container({ cpu: '600m' })] });
  expect(refuse(wanted, [used], config, able)).toEqual(insufficient('cpu', 600, 1500, 2000));
  expect(refuse(wanted, [{ ...used, status: { phase: 'Succeeded' } } as Pod], config, able)).toBeUndefined();
});

const node = (more: object = {}) =>
  ({
    metadata: { name: 'n', labels: { disk: 'ssd' } },
    spec: {},
    status: { allocatable: { 'example.com/gpu': '2' } },
    ...more,
  }) as unknown as Node;
const withPort = (port: object, uid?: string) => pod({ containers: [container({}, { ports: [port] })] }, uid);
const predicate = (name: string, why: string) => ({ reason: name, message: `Predicate ${name} failed: ${why}` });
const noPorts = predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports");

test.each<[string, object, object, object | undefined]>([
  ['the same port', { hostPort: 80 }, { hostPort: 80 }, noPorts],
  ['another port', { hostPort: 80 }, { hostPort: 81 }, undefined],
  ['another protocol', { hostPort: 80 }, { hostPort: 80, protocol: 'UDP' }, undefined],
  ['another address', { hostPort: 80, hostIP: '10.0.0.1' }, { hostPort: 80, hostIP: '10.0.0.2' }, undefined],
  ['every address', { hostPort: 80, hostIP: '10.0.0.1' }, { hostPort: 80 }, noPorts],
  ['the same port of its own network', { containerPort: 80 }, { containerPort: 80 }, undefined],
])('a pod beside one with %s', (_, taken, wanted, refusal) => {
  const beside = refuse(withPort(wanted), [withPort(taken, 'other')], config, { ...able, object: node() });
  expect(beside).toEqual(refusal);
});

const affinity = (operator: string) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator }] }],
    },
  },
});
const noMatch = predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
const tainted = (effect: string) => node({ spec: { taints: [{ key: 'a', effect }] } });
const notTolerated = predicate('TaintToleration', "node(s) had taints that the pod didn't tolerate");

test.each<[string, object, Node, object | undefined]>([
  ['labels that it has', { nodeSelector: { disk: 'ssd' } }, node(), undefined],
  ['labels that it does not have', { nodeSelector: { disk: 'hdd' } }, node(), noMatch],
  ['an affinity that it meets', { affinity: affinity('Exists') }, node(), undefined],
  ['an affinity that it does not meet', { affinity: affinity('DoesNotExist') }, node(), noMatch],
  ['its name', { nodeName: 'n' }, node(), undefined],
  ['another name', { nodeName: 'm' }, node(), predicate('NodeName', "node(s) didn't match the requested node name")],
  ['no toleration of a taint that evicts', {}, tainted('NoExecute'), notTolerated],
  ['a toleration of it', { tolerations: [{ key: 'a', operator: 'Exists' }] }, tainted('NoExecute'), undefined],
  ['no toleration of a taint that only the scheduler minds', {}, tainted('NoSchedule'), undefined],
  ['a resource of the node', { containers: [container({ 'example.com/gpu': '2' })] }, node(), undefined],
  [
    'too much of it',
    { containers: [container({ 'example.com/gpu': '3' })] },
    node(),
    insufficient('example.com/gpu', 3, 0, 2),
  ],
  ['a resource that is not the node’s', { containers: [container({ 'example.com/fpga': '1' })] }, node(), undefined],
  [
    'huge pages that it does not have',
    { containers: [container({ 'hugepages-2Mi': '2Mi' })] },
    node(),
    insufficient('hugepages-2Mi', 2 ** 21, 0, 0),
  ],
])('a pod that requires %s', (_, spec, object, refusal) =>
  expect(refuse(pod({ containers: [], ...spec }), [], { ...config, nodeName: 'n' }, { ...able, object })).toEqual(
    refusal,
  ),
);
