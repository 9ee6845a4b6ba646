import { expect, test } from 'vitest';
import type { Node, Pod } from '../../api/api.ts';
import { seededRandom } from '../../machinery/random.ts';
import { SchedulerCache } from '../cache.ts';
import { SchedulingCycle } from '../cycle.ts';
import { podInfo } from '../pod-info.ts';
import { podTopologySpread } from './pod-topology-spread.ts';

const node = (name: string, zone?: string) =>
  ({
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, ...(zone && { 'topology.kubernetes.io/zone': zone }) },
    },
    status: { allocatable: { pods: '110' } },
  }) as unknown as Node;
let serial = 0;
const pod = (owner: string | undefined) => {
  const ownerReferences = owner && [{ uid: owner, controller: true, kind: 'ReplicaSet' }];
  return {
    metadata: { name: 'p', namespace: 'default', uid: `${serial++}`, ...(ownerReferences && { ownerReferences }) },
    spec: { containers: [] },
  } as unknown as Pod;
};

/** Places `count` pods of one controller, one after the other, and counts them by node. */
function spread(nodes: readonly Node[], count: number): Record<string, number> {
  const cache = new SchedulerCache();
  for (const one of nodes) cache.setNode(one);
  const cycle = new SchedulingCycle([podTopologySpread], seededRandom(3));
  const counts: Record<string, number> = Object.fromEntries(nodes.map((n) => [n.metadata.name, 0]));
  for (let i = 0; i < count; i++) {
    const info = podInfo(pod('set'));
    const result = cycle.run(info, cache);
    if (!result.ok) throw new Error('every node has room');
    cache.place(info, result.node);
    counts[result.node]++;
  }
  return counts;
}

test.each([
  { case: 'over hosts', nodes: [node('a'), node('b'), node('c')], count: 6, counts: { a: 2, b: 2, c: 2 } },
  { case: 'over zones first', nodes: [node('a', '1'), node('b', '1'), node('c', '2')], count: 2, zones: true },
])('pods of one controller spread $case', ({ nodes, count, counts, zones }) => {
  const found = spread(nodes, count);
  if (counts) expect(found).toEqual(counts);
  if (zones) expect(found['c']).toBe(1);
});

test('deleted pods do not count', () => {
  const cache = new SchedulerCache();
  for (const name of ['a', 'b']) cache.setNode(node(name));
  const first = podInfo(pod('set'));
  cache.place(first, 'a');
  expect([...cache.siblings('set')]).toEqual([['a', 1]]);
  cache.remove(first.pod.metadata.uid);
  expect([...cache.siblings('set')]).toEqual([]);
});
