import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../api/api.ts';
import { seededRandom } from '../machinery/random.ts';
import { enoughNodes, SchedulingCycle, unschedulableMessage } from './cycle.ts';
import { defaultPlugins } from './plugins/plugins.ts';
import { podInfo } from './pod-info.ts';
import { cacheOf, node, pod } from './test-objects.ts';

interface Case {
  readonly case: string;
  readonly nodes: readonly Node[];
  readonly there?: readonly (readonly [string, Pod])[];
  readonly pod: Pod;
  /** The node that it gets, or the message of FailedScheduling. */
  readonly goes?: string;
  readonly message?: string;
}

const decide = ({ nodes, there, pod: wanted }: Case): { goes?: string; message?: string } => {
  const result = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(podInfo(wanted), cacheOf(nodes, there));
  return result.ok ? { goes: result.node } : { message: unschedulableMessage(nodes.length, result) };
};

const ssd = { key: 'disk', operator: 'In', values: ['ssd'] };
const onSsd = { nodeSelectorTerms: [{ matchExpressions: [ssd] }] };
const gpu = { key: 'gpu', value: 'yes', effect: 'NoSchedule' };
const hostPort = { containerPort: 80, hostPort: 80 };
const web = { app: 'web' };
const spread = (whenUnsatisfiable: string) => ({
  labels: web,
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable, labelSelector: { matchLabels: web } },
  ],
});

const refused: readonly Case[] = [
  { case: 'no node at all', nodes: [], pod: pod(), message: 'no nodes available to schedule pods' },
  {
    case: 'too little CPU',
    nodes: [node('a'), node('b')],
    pod: pod({ cpu: '5' }),
    message: '0/2 nodes are available: 2 Insufficient cpu.',
  },
  {
    case: 'the message names each missing resource',
    nodes: [node('a')],
    pod: pod({ cpu: '5', memory: '9Gi', 'ephemeral-storage': '11Gi' }),
    message: '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient ephemeral-storage, 1 Insufficient memory.',
  },
  {
    case: 'an extended resource that no node has',
    nodes: [node('a')],
    pod: pod({ 'example.com/gpu': '1' }),
    message: '0/1 nodes are available: 1 Insufficient example.com/gpu.',
  },
  {
    case: "requests of the node's pods count",
    nodes: [node('a')],
    there: [['a', pod({ cpu: '3' })]],
    pod: pod({ cpu: '1100m' }),
    message: '0/1 nodes are available: 1 Insufficient cpu.',
  },
  {
    case: 'as many pods as a node takes',
    nodes: [node('a', { allocatable: { pods: '1' } })],
    there: [['a', pod()]],
    pod: pod(),
    message: '0/1 nodes are available: 1 Too many pods.',
  },
  {
    case: 'cordoned, tainted, and of another kind: the reasons are counted and sorted',
    nodes: [node('a', { unschedulable: true }), node('b', { taints: [gpu] }), node('c')],
    pod: pod({}, { nodeSelector: { disk: 'ssd' } }),
    message:
      "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.",
  },
  {
    case: 'required node affinity',
    nodes: [node('a', { labels: { disk: 'hdd' } })],
    pod: pod({}, { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: onSsd } } }),
    message: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
  },
  {
    case: 'a host port that is taken',
    nodes: [node('a')],
    there: [['a', pod({}, { ports: [hostPort] })]],
    pod: pod({}, { ports: [hostPort] }),
    message: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
  },
  {
    case: 'a spread that no node allows',
    nodes: [node('a'), node('b', { unschedulable: true })],
    there: [['a', pod({}, { labels: web })]],
    pod: pod(
      {},
      {
        ...spread('DoNotSchedule'),
        topologySpreadConstraints: [
          { ...spread('DoNotSchedule').topologySpreadConstraints[0], nodeTaintsPolicy: 'Ignore' },
        ],
      },
    ),
    message:
      "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable.",
  },
];

const placed: readonly Case[] = [
  { case: 'the only node', nodes: [node('a')], pod: pod({ cpu: '4', memory: '8Gi' }), goes: 'a' },
  {
    case: 'the emptier node',
    nodes: [node('a'), node('b')],
    there: [['a', pod({ cpu: '2', memory: '4Gi' })]],
    pod: pod({ cpu: '1', memory: '2Gi' }),
    goes: 'b',
  },
  {
    case: 'a taint that is tolerated',
    nodes: [node('a', { taints: [gpu] })],
    pod: pod({}, { tolerations: [{ key: 'gpu', operator: 'Exists' }] }),
    goes: 'a',
  },
  {
    case: 'a taint that is only avoided, when there is another node',
    nodes: [node('a', { taints: [{ ...gpu, effect: 'PreferNoSchedule' }] }), node('b')],
    pod: pod(),
    goes: 'b',
  },
  {
    case: 'preferred node affinity',
    nodes: [node('a'), node('b', { labels: { disk: 'ssd' } })],
    pod: pod(
      {},
      {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: { matchExpressions: [ssd] } }],
          },
        },
      },
    ),
    goes: 'b',
  },
  {
    case: 'the same host port on another address',
    nodes: [node('a')],
    there: [['a', pod({}, { ports: [{ ...hostPort, hostIP: '127.0.0.1' }] })]],
    pod: pod({}, { ports: [{ ...hostPort, hostIP: '127.0.0.2' }] }),
    goes: 'a',
  },
  {
    case: 'a hard spread',
    nodes: [node('a'), node('b')],
    there: [['a', pod({}, { labels: web })]],
    pod: pod({}, spread('DoNotSchedule')),
    goes: 'b',
  },
  {
    case: 'a soft spread',
    nodes: [node('a'), node('b')],
    there: [['a', pod({}, { labels: web })]],
    pod: pod({}, spread('ScheduleAnyway')),
    goes: 'b',
  },
];

describe('a pod', () => {
  test.each(refused)('is refused: $case', (one) => expect(decide(one)).toEqual({ message: one.message }));
  test.each(placed)('is placed on $goes: $case', (one) => expect(decide(one)).toEqual({ goes: one.goes }));
});

test('among equals chance decides, and a seed plays the same way', () => {
  const nodes = Array.from({ length: 20 }, (_, i) => node(`n${i}`));
  const draw = (seed: number) => {
    const cycle = new SchedulingCycle(defaultPlugins, seededRandom(seed));
    const cache = cacheOf(nodes);
    return Array.from({ length: 30 }, () => {
      const result = cycle.run(podInfo(pod()), cache);
      return result.ok && result.node;
    });
  };
  expect(draw(3)).toEqual(draw(3));
  expect(new Set(draw(3)).size).toBeGreaterThan(5);
});

test.each([
  { total: 1, enough: 1 },
  { total: 99, enough: 99 },
  { total: 100, enough: 100 },
  { total: 1_000, enough: 420 },
  { total: 5_000, enough: 500 },
  { total: 6_000, enough: 300 },
])('of $total nodes, $enough that fit are enough', ({ total, enough }) => expect(enoughNodes(total)).toBe(enough));

test.each([
  { case: 'a pod of lower priority', priority: 1, fits: false },
  { case: 'a pod of the same priority', priority: 5, fits: false },
  { case: 'a pod of higher priority', priority: 9, fits: true },
])('the place of a nominated pod is kept from $case: fits $fits', ({ priority, fits }) => {
  const cache = cacheOf([node('a')]);
  cache.nominations.set(podInfo(pod({ cpu: '3' }, { priority: 5 })), 'a');
  const info = podInfo(pod({ cpu: '2' }, { priority }));
  expect(new SchedulingCycle(defaultPlugins, seededRandom(1)).run(info, cache).ok).toBe(fits);
});

test('a pod is placed on its nominated node as soon as it fits there', () => {
  const cache = cacheOf(['a', 'b', 'c', 'd'].map((name) => node(name)));
  for (const name of ['a', 'b', 'c', 'd']) {
    const info = podInfo(pod({ cpu: '1' }));
    cache.nominations.set(info, name);
    const result = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(info, cache);
    expect(result).toMatchObject({ ok: true, node: name, evaluated: 1 });
    cache.nominations.delete(info.pod.metadata.uid);
  }
});

test('a nominated pod that repels others does so before it is there', () => {
  const cache = cacheOf([node('a')]);
  const podAntiAffinity = {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { labelSelector: { matchLabels: { app: 'x' } }, topologyKey: 'kubernetes.io/hostname' },
    ],
  };
  cache.nominations.set(podInfo(pod({}, { priority: 5, affinity: { podAntiAffinity } })), 'a');
  const info = podInfo(pod({}, { labels: { app: 'x' } }));
  expect(new SchedulingCycle(defaultPlugins, seededRandom(1)).run(info, cache).ok).toBe(false);
});
