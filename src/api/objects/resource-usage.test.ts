import { describe, expect, test } from 'vitest';
import type { PersistentVolumeClaim, Pod, ResourceQuota, Service } from '../generated/types.ts';
import type { KubeObject } from '../kind.ts';
import type { QuotaRules } from './quota-rules.ts';
import {
  claimQuota,
  claimUsage,
  isInScope,
  podQuota,
  podUsage,
  serviceQuota,
  serviceUsage,
  UsageSum,
} from './resource-usage.ts';

const nowMs = Date.UTC(2026, 0, 1);
const box = (more: object = {}) => ({ name: 'box', image: 'i', ...more });
const pod = (spec: object = {}, status: object = {}, metadata: object = {}) =>
  ({ metadata, spec: { containers: [box()], ...spec }, status }) as unknown as Pod;
const claim = (spec: object, status: object = {}) =>
  ({ metadata: {}, spec, status }) as unknown as PersistentVolumeClaim;
const sized = (cpu: string) => ({ containers: [box({ resources: { requests: { cpu } } })] });
const actual = (cpu: string, allocated: string, conditions: object[] = []) => ({
  containerStatuses: [{ name: 'box', resources: { requests: { cpu } }, allocatedResources: { cpu: allocated } }],
  conditions,
});
const one = { pods: '1', 'count/pods': '1' };
const cpu = (amount: string) => ({ ...one, cpu: amount, 'requests.cpu': amount });
const deleted = (seconds: number) => ({
  deletionTimestamp: new Date(nowMs - seconds * 1_000).toISOString(),
  deletionGracePeriodSeconds: 30,
});

describe('the usage of a pod', () => {
  test.each([
    { case: 'without resources', of: pod(), usage: one },
    { case: 'that has ended', of: pod(sized('1'), { phase: 'Succeeded' }), usage: { 'count/pods': '1' } },
    { case: 'that is being deleted', of: pod(sized('1'), {}, deleted(30)), usage: cpu('1') },
    { case: 'that stays after its deletion', of: pod(sized('1'), {}, deleted(31)), usage: { 'count/pods': '1' } },
    {
      case: 'with own resources',
      of: pod({ ...sized('1'), resources: { requests: { cpu: '3' } } }),
      usage: cpu('3'),
    },
    { case: 'that is being made larger', of: pod(sized('2'), actual('1', '1')), usage: cpu('2') },
    { case: 'that is being made smaller', of: pod(sized('1'), actual('2', '1')), usage: cpu('2') },
    {
      case: 'that cannot be made larger',
      of: pod(sized('9'), actual('1', '2', [{ type: 'PodResizePending', reason: 'Infeasible' }])),
      usage: cpu('2'),
    },
    { case: 'with overhead', of: pod({ ...sized('1'), overhead: { cpu: '250m' } }), usage: cpu('1250m') },
    {
      case: 'with extended resources',
      of: pod({ containers: [box({ resources: { requests: { 'a.b/gpu': '2' }, limits: { 'a.b/gpu': '2' } } })] }),
      usage: { ...one, 'requests.a.b/gpu': '2' },
    },
  ])('$case', ({ of, usage }) => expect(podUsage(of, nowMs)).toEqual(usage));
});

test.each([
  { case: 'with node ports', spec: {}, nodePorts: '2' },
  { case: 'without node ports', spec: { allocateLoadBalancerNodePorts: false }, nodePorts: '0' },
  {
    case: 'with one given node port',
    spec: { allocateLoadBalancerNodePorts: false, ports: [{ port: 1 }, { port: 2, nodePort: 30_000 }] },
    nodePorts: '1',
  },
])('a load balancer $case', ({ spec, nodePorts }) => {
  const service = { metadata: {}, spec: { type: 'LoadBalancer', ports: [{ port: 1 }, { port: 2 }], ...spec } };
  expect(serviceUsage(service as unknown as Service)['services.nodeports']).toBe(nodePorts);
});

test.each([
  { case: 'requests', status: {}, storage: '1Gi' },
  { case: 'was allocated more than it requests', status: { allocatedResources: { storage: '2Gi' } }, storage: '2Gi' },
  { case: 'was allocated less than it requests', status: { allocatedResources: { storage: '1Mi' } }, storage: '1Gi' },
])('a claim counts by the storage that it $case', ({ status, storage }) =>
  expect(claimUsage(claim({ resources: { requests: { storage: '1Gi' } } }, status))['requests.storage']).toBe(storage),
);

describe('a scope', () => {
  const ofPriority = (priorityClassName?: string) => pod({ priorityClassName });
  const ofClass = (volumeAttributesClassName?: string, status: object = {}) =>
    claim({ volumeAttributesClassName }, status);
  const changing = {
    currentVolumeAttributesClassName: 'old',
    modifyVolumeStatus: { targetVolumeAttributesClassName: 'new' },
  };
  test.each<[string, string[], 'pods' | 'claims', Pod | PersistentVolumeClaim, boolean]>([
    ['Terminating Exists', [], 'pods', pod({ activeDeadlineSeconds: 0 }), true],
    ['Terminating Exists', [], 'pods', pod(), false],
    ['NotTerminating Exists', [], 'pods', pod(), true],
    ['BestEffort Exists', [], 'pods', pod(), true],
    ['BestEffort Exists', [], 'pods', pod(sized('1')), false],
    ['BestEffort Exists', [], 'pods', pod({ resources: { requests: { cpu: '1' } } }), false],
    ['NotBestEffort Exists', [], 'pods', pod(sized('1')), true],
    ['PriorityClass Exists', [], 'pods', ofPriority('high'), true],
    ['PriorityClass Exists', [], 'pods', ofPriority(), false],
    ['PriorityClass DoesNotExist', [], 'pods', ofPriority(), true],
    ['PriorityClass DoesNotExist', [], 'pods', ofPriority('high'), false],
    ['PriorityClass In', ['high', 'low'], 'pods', ofPriority('low'), true],
    ['PriorityClass In', ['high'], 'pods', ofPriority('low'), false],
    ['PriorityClass In', ['high'], 'pods', ofPriority(), false],
    ['PriorityClass NotIn', ['high'], 'pods', ofPriority('low'), true],
    ['PriorityClass NotIn', ['high'], 'pods', ofPriority('high'), false],
    ['PriorityClass NotIn', ['high'], 'pods', ofPriority(), true],
    ['VolumeAttributesClass Exists', [], 'pods', pod(), false],
    ['VolumeAttributesClass Exists', [], 'claims', ofClass('gold'), true],
    ['VolumeAttributesClass Exists', [], 'claims', ofClass(), false],
    ['VolumeAttributesClass DoesNotExist', [], 'claims', ofClass(), true],
    ['VolumeAttributesClass In', ['gold'], 'claims', ofClass('gold'), true],
    ['VolumeAttributesClass In', ['gold'], 'claims', ofClass('silver'), false],
    ['VolumeAttributesClass In', ['old'], 'claims', ofClass('new', changing), true],
    ['VolumeAttributesClass In', ['new'], 'claims', ofClass('old', changing), true],
    ['VolumeAttributesClass NotIn', ['gold'], 'claims', ofClass(), true],
    ['VolumeAttributesClass NotIn', ['old'], 'claims', ofClass('new', changing), true],
    ['VolumeAttributesClass NotIn', ['gold'], 'claims', ofClass('gold'), false],
    ['BestEffort Exists', [], 'claims', ofClass('gold'), false],
  ])('%s %j of %j', (selector, values, resource, object, expected) => {
    const [scopeName, operator] = selector.split(' ');
    const rules = (resource === 'pods' ? podQuota : claimQuota) as QuotaRules<KubeObject>;
    expect(rules.holdsScope?.({ scopeName, operator, values }, object)).toBe(expected);
  });

  test('holds no object of a kind without scopes', () =>
    expect(
      isInScope(
        { spec: { scopes: ['NotTerminating'] } } as ResourceQuota,
        serviceQuota as QuotaRules<KubeObject>,
        pod(),
      ),
    ).toBe(false));
});

test('a sum has all names, and the format of the first amount that is not zero', () => {
  const sum = new UsageSum();
  sum.add({ pods: '1', cpu: '0', memory: '1Gi' });
  sum.add({ pods: '1', cpu: '500m' });
  sum.add({ cpu: '1500m', memory: '512Mi' });
  expect(sum.total()).toEqual({ pods: '2', cpu: '2', memory: '1536Mi' });
});
