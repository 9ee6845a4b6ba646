import { expect, test } from 'vitest';
import type { Pod } from '../api/api.ts';
import { VirtualClock } from '../machinery/time/clock.ts';
import { SchedulerCache } from './cache.ts';
import type { ClusterEvent } from './cluster-events.ts';
import { defaultPlugins } from './plugins/plugins.ts';
import { podInfo } from './pod-info.ts';
import { SchedulingQueue } from './queue.ts';
import { node, pod } from './test-objects.ts';

const plugins = new Map(defaultPlugins.map((plugin) => [plugin.name, plugin]));

function queueOf(...pods: Pod[]) {
  const clock = new VirtualClock();
  const queue = new SchedulingQueue({
    pluginsOf: () => plugins,
    snapshot: new SchedulerCache(),
    clock,
    ready: () => {},
  });
  for (const one of pods) queue.add(podInfo(one));
  const names = () => {
    const popped: string[] = [];
    for (let next = queue.pop(); next; next = queue.pop()) popped.push(next.info.pod.metadata.name);
    return popped;
  };
  return { clock, queue, names };
}

test('the most important first, then the longest in the queue', () => {
  const [a, b, c] = [pod(), pod({}, { priority: 7 }), pod()];
  expect(queueOf(a, b, c).names()).toEqual([b, a, c].map((p) => p.metadata.name));
});

test('a failure backs off for 1, 2, 4, 8 and then always 10 seconds', async () => {
  const { clock, queue } = queueOf(pod());
  const waits: number[] = [];
  for (let i = 0; i < 6; i++) {
    queue.failed(queue.pop()!);
    const since = clock.now();
    while (queue.counts.active === 0) await clock.advance(500);
    waits.push((clock.now() - since) / 1000);
  }
  expect(waits).toEqual([1, 2, 4, 8, 10, 10]);
});

test('a gated pod waits until its gates are removed', () => {
  const gated = pod({}, { schedulingGates: [{ name: 'example.com/one' }, { name: 'example.com/two' }] });
  const { queue, names } = queueOf();
  expect(queue.add(podInfo(gated))).toBe('waiting for scheduling gates: [example.com/one example.com/two]');
  expect(names()).toEqual([]);
  const free = { ...gated, spec: { ...gated.spec, schedulingGates: [] } } as Pod;
  expect(queue.update(podInfo(free), { type: 'pod-updated', pod: free, old: gated })).toBeUndefined();
  expect(names()).toEqual([gated.metadata.name]);
});

const changed = (aspect: 'allocatable' | 'labels' | 'taints' | 'conditions', labels = {}): ClusterEvent => ({
  type: 'node-changed',
  node: node('a', { labels }),
  old: node('a'),
  aspects: [aspect],
});

const untainted: ClusterEvent = {
  ...{ type: 'node-changed', node: node('a'), old: node('a', { taints: [{ key: 'a', effect: 'NoSchedule' }] }) },
  aspects: ['taints'],
};
const grown: ClusterEvent = {
  ...{ type: 'node-changed', node: node('a'), old: node('a', { allocatable: { pods: '5' } }) },
  aspects: ['allocatable'],
};

test.each([
  { refusedBy: 'NodeResourcesFit', event: 'a pod is gone', happened: { type: 'pod-gone', pod: pod() }, wakes: true },
  { refusedBy: 'NodeResourcesFit', event: 'a node gets more pods', happened: grown, wakes: true },
  { refusedBy: 'NodeResourcesFit', event: 'a node is relabelled', happened: changed('labels'), wakes: false },
  { refusedBy: 'TaintToleration', event: 'taints go', happened: untainted, wakes: true },
  { refusedBy: 'TaintToleration', event: 'a pod is gone', happened: { type: 'pod-gone', pod: pod() }, wakes: false },
  {
    refusedBy: 'NodeAffinity',
    event: 'labels come that match',
    happened: changed('labels', { disk: 'ssd' }),
    wakes: true,
  },
  {
    refusedBy: 'NodeAffinity',
    event: 'labels come that do not',
    happened: changed('labels', { disk: 'hdd' }),
    wakes: false,
  },
  {
    refusedBy: 'NodeUnschedulable',
    event: 'a node comes',
    happened: { type: 'node-added', node: node('b') },
    wakes: true,
  },
  {
    refusedBy: 'NodePorts',
    event: 'a pod is gone that had no port',
    happened: { type: 'pod-gone', pod: pod() },
    wakes: false,
  },
] as { refusedBy: string; event: string; happened: ClusterEvent; wakes: boolean }[])(
  '$refusedBy refused; $event: tried again $wakes',
  async ({ refusedBy, happened, wakes }) => {
    const { clock, queue, names } = queueOf(pod({}, { nodeSelector: { disk: 'ssd' } }));
    queue.refused(queue.pop()!, new Set([refusedBy]));
    queue.wake(happened);
    await clock.advance(1_000);
    expect(names().length > 0).toBe(wakes);
  },
);

test('events during a scheduling attempt count too', async () => {
  const { clock, queue, names } = queueOf(pod());
  const trying = queue.pop()!;
  queue.wake({ type: 'pod-gone', pod: pod() });
  queue.refused(trying, new Set(['NodeResourcesFit']));
  await clock.advance(1_000);
  expect(names()).toHaveLength(1);
});

test('a pod is retried after five minutes without events', async () => {
  const { clock, queue, names } = queueOf(pod());
  queue.refused(queue.pop()!, new Set(['TaintToleration']));
  await clock.advance(299_000);
  expect(names()).toEqual([]);
  await clock.advance(2_000);
  expect(names()).toHaveLength(1);
});
