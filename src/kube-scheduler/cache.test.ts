// The counts of the cache after any changes are those of a cache that is made from the pods and nodes that are left.

import { expect, test } from 'vitest';
import type { Pod } from '../api/api.ts';
import { must } from '../machinery/must.ts';
import fc from '../machinery/test-property.ts';
import { SchedulerCache } from './cache.ts';
import { podInfo } from './pod-info.ts';
import { node, pod } from './test-objects.ts';

const names = ['n1', 'n2', 'n3'];
const owners = ['', 'rs1', 'rs2'];

interface Kind {
  readonly owner: string;
  readonly priority: number;
  readonly claim: boolean;
  readonly affinity: boolean;
  readonly cpu: number;
}

const podOf = (uid: string, { owner, priority, claim, affinity, cpu }: Kind): Pod =>
  ({
    metadata: {
      name: uid,
      namespace: 'default',
      uid,
      ...(owner && { ownerReferences: [{ uid: owner, controller: true }] }),
    },
    spec: {
      priority,
      containers: [{ name: 'c', resources: { requests: { cpu: `${cpu}m` } } }],
      ...(claim && { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] }),
      ...(affinity && { affinity: { podAffinity: {} } }),
    },
  }) as unknown as Pod;

/** Each value that scheduling reads. */
const readingsOf = (cache: SchedulerCache) => ({
  nodes: Object.fromEntries(
    cache.nodes.map((each) => [each.name, { pods: [...each.pods.keys()].sort(), cpu: each.requested.cpuMillis }]),
  ),
  siblings: Object.fromEntries(
    owners.map((owner) => [owner, [...cache.siblings(owner)].sort(([a], [b]) => (a < b ? -1 : 1))]),
  ),
  users: cache.claimUsers('default/data'),
  lowest: cache.lowestPriority(),
  affine: [...cache.nodesWithPodAffinity].sort(),
  hasZones: cache.hasZones,
  images: cache.nodesWithImage('i'),
});

const kinds = fc.record<Kind>({
  owner: fc.constantFrom(...owners),
  priority: fc.constantFrom(0, 10, 1000),
  claim: fc.boolean(),
  affinity: fc.boolean(),
  cpu: fc.constantFrom(0, 100, 250),
});
const uids = fc.constantFrom('a', 'b', 'c', 'd');
const nodeNames = fc.constantFrom(...names);
const changes = fc.oneof(
  fc.record({ do: fc.constant('place' as const), uid: uids, node: nodeNames, kind: kinds }),
  fc.record({ do: fc.constant('remove' as const), uid: uids }),
  fc.record({ do: fc.constant('set node' as const), node: nodeNames, zone: fc.boolean(), image: fc.boolean() }),
  fc.record({ do: fc.constant('remove node' as const), node: nodeNames }),
);

test('counts follow every change of pods and nodes', () =>
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 30 }), (list) => {
      const cache = new SchedulerCache();
      const pods = new Map<string, readonly [node: string, pod: Pod]>();
      const nodes = new Map<string, ReturnType<typeof node>>();
      for (const change of list)
        switch (change.do) {
          case 'place': {
            const placed = podOf(change.uid, change.kind);
            pods.set(change.uid, [change.node, placed]);
            cache.place(podInfo(placed), change.node);
            break;
          }
          case 'remove':
            pods.delete(change.uid);
            cache.remove(change.uid);
            break;
          case 'set node': {
            const made = node(change.node, { labels: change.zone ? { 'topology.kubernetes.io/zone': 'z' } : {} });
            if (change.image && made.status) made.status.images = [{ names: ['i'], sizeBytes: 1 }];
            nodes.set(change.node, made);
            cache.setNode(made);
            break;
          }
          default:
            nodes.delete(change.node);
            cache.removeNode(change.node);
        }
      const fresh = new SchedulerCache();
      for (const each of nodes.values()) fresh.setNode(each);
      for (const [name, each] of pods.values()) fresh.place(podInfo(each), name);
      expect(readingsOf(cache)).toEqual(readingsOf(fresh));
    }),
    { numRuns: 500 },
  ));

test('a pod that a controller adopts counts among its pods', () => {
  const cache = new SchedulerCache();
  const kind: Kind = { owner: 'rs1', priority: 0, claim: false, affinity: false, cpu: 0 };
  cache.setNode(node('n1'));
  cache.place(podInfo(podOf('a', kind)), 'n1');
  cache.place(podInfo(podOf('b', { ...kind, owner: '' })), 'n1');
  cache.place(podInfo(podOf('b', kind)), 'n1');
  expect([...cache.siblings('rs1')]).toEqual([['n1', 2]]);
  cache.remove('b');
  expect([...cache.siblings('rs1')]).toEqual([['n1', 1]]);
});

test('matching pods are counted again after a change of the node', () => {
  const cache = new SchedulerCache();
  cache.setNode(node('n'));
  const info = must(cache.node('n'), 'node');
  const count = () => info.matching('foo', ({ metadata }) => metadata.labels?.['foo'] !== undefined);
  const [first, second] = [podInfo(pod({}, { labels: { foo: '' } })), podInfo(pod())];
  const counts = [count()];
  for (const change of [
    () => cache.place(first, 'n'),
    () => cache.place(second, 'n'),
    () => cache.remove(first.pod.metadata.uid),
    () => cache.place({ ...second, pod: { ...second.pod, metadata: first.pod.metadata } }, 'n'),
  ]) {
    change();
    counts.push(count());
  }
  expect(counts).toEqual([0, 1, 1, 0, 1]);
});
