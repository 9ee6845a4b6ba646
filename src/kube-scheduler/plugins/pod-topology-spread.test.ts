// Scores are those of Kubernetes 1.36's scheduler for the same pods and nodes.

import { describe, expect, test } from 'vitest';
import type { ClusterEvent } from '../cluster-events.ts';
import { podInfo } from '../pod-info.ts';
import { cacheOf, node, pod, scoresOf, verdictsOf } from '../test-objects.ts';
import { podTopologySpread, podTopologySpreadWith } from './pod-topology-spread.ts';

const host = 'kubernetes.io/hostname';
const selecting = (...keys: string[]) => ({ matchExpressions: keys.map((key) => ({ key, operator: 'Exists' })) });
const constraint = (topologyKey: string, more: object = {}) => ({
  ...{ topologyKey, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector: selecting('foo') },
  ...more,
});
const soft = (topologyKey: string, more: object = {}) =>
  constraint(topologyKey, { whenUnsatisfiable: 'ScheduleAnyway', ...more });
const labels = { foo: '' };
const spreading = (...topologySpreadConstraints: object[]) => pod({}, { labels, topologySpreadConstraints });

const inZone = (name: string, zone: string, more: object = {}) => node(name, { labels: { zone }, ...more });
const zones = [inZone('a', '1'), inZone('b', '1'), inZone('x', '2'), inZone('y', '2')];
const hosts = ['a', 'b', 'c', 'd'].map((name) => node(name));
/** So many pods with the label on each node. */
const there = (counts: Readonly<Record<string, number>>, having: object = labels) =>
  Object.entries(counts).flatMap(([name, count]) =>
    Array.from({ length: count }, () => [name, pod({}, { labels: having })] as const),
  );
const other = (name: string, change: object) => {
  const one = pod({}, { labels });
  return [name, { ...one, metadata: { ...one.metadata, ...change } } as typeof one] as const;
};
const skewed = "node(s) didn't match pod topology spread constraints";
const missing = `${skewed} (missing required label)`;

const fitting = (plugin: typeof podTopologySpread, coming: ReturnType<typeof pod>, cache: ReturnType<typeof cacheOf>) =>
  Object.entries(verdictsOf(plugin, coming, cache))
    .filter(([, verdict]) => verdict === 'fits')
    .map(([name]) => name)
    .join('');

describe('filters', () => {
  const byZone = spreading(constraint('zone'));
  const byHost = spreading(constraint(host));
  test.each<{
    case: string;
    coming: ReturnType<typeof pod>;
    nodes?: typeof zones;
    placed?: ReturnType<typeof there>;
    fits: string;
  }>([
    { case: 'no pods', coming: byZone, fits: 'abxy' },
    {
      case: 'no pods, and a selector that matches none',
      coming: spreading(constraint('zone', { labelSelector: selecting('bar') })),
      fits: 'abxy',
    },
    { case: 'the same number in each zone', coming: byZone, placed: there({ a: 1, b: 2, x: 1, y: 2 }), fits: 'abxy' },
    { case: 'more in one zone', coming: byZone, placed: there({ a: 1, y: 2 }), fits: 'ab' },
    {
      case: 'more in one zone, within the skew',
      coming: spreading(constraint('zone', { maxSkew: 2 })),
      placed: there({ a: 1, y: 2 }),
      fits: 'abxy',
    },
    {
      case: 'a pod that does not count itself',
      coming: pod({}, { topologySpreadConstraints: [constraint('zone')] }),
      placed: there({ a: 1 }),
      fits: 'abxy',
    },
    { case: 'hosts', coming: byHost, placed: there({ a: 2, b: 1, y: 3 }), fits: 'x' },
    {
      case: 'another namespace',
      coming: byZone,
      placed: [other('a', { namespace: 'x' }), other('b', { namespace: 'x' })],
      fits: 'abxy',
    },
    { case: 'terminating pods', coming: byZone, placed: [other('a', { deletionTimestamp: 'x' })], fits: 'abxy' },
    {
      case: 'a selector without requirements counts no other pod',
      coming: spreading(constraint('zone', { labelSelector: {} })),
      placed: there({ a: 5 }),
      fits: 'abxy',
    },
    {
      case: 'no selector',
      coming: spreading(constraint('zone', { labelSelector: undefined })),
      placed: there({ a: 5 }),
      fits: 'abxy',
    },
    {
      case: 'fewer zones than wanted',
      coming: spreading(constraint('zone', { minDomains: 3 })),
      placed: there({ a: 1, x: 1 }),
      fits: '',
    },
    {
      case: 'as many zones as wanted',
      coming: spreading(constraint('zone', { minDomains: 2 })),
      placed: there({ a: 1, x: 1 }),
      fits: 'abxy',
    },
    {
      case: 'two constraints',
      coming: spreading(constraint('zone'), constraint(host)),
      placed: there({ a: 2, b: 1, x: 2, y: 2 }),
      fits: 'b',
    },
    {
      case: 'two constraints that exclude each other',
      coming: spreading(constraint('zone'), constraint(host)),
      placed: there({ a: 1, b: 1, y: 1, x: 0 }),
      fits: 'x',
    },
    {
      case: 'a node without one of two keys counts for neither',
      coming: spreading(constraint('zone'), constraint('rack')),
      nodes: [
        inZone('a', '1', { labels: { zone: '1', rack: '1' } }),
        inZone('b', '2', { labels: { zone: '2', rack: '2' } }),
        inZone('c', '3'),
      ],
      placed: there({ a: 1, b: 1, c: 0 }),
      fits: 'ab',
    },
    {
      case: 'zones that the pod may not have',
      coming: pod({}, { labels, nodeSelector: { zone: '1' }, topologySpreadConstraints: [constraint('zone')] }),
      placed: there({ a: 3 }),
      fits: 'abxy',
    },
    {
      case: 'zones that the pod may not have, which count',
      coming: pod(
        {},
        {
          labels,
          nodeSelector: { zone: '1' },
          topologySpreadConstraints: [constraint('zone', { nodeAffinityPolicy: 'Ignore' })],
        },
      ),
      placed: there({ a: 3 }),
      fits: 'xy',
    },
    {
      case: 'zones with a taint, which do not count',
      coming: spreading(constraint('zone', { nodeTaintsPolicy: 'Honor' })),
      nodes: [inZone('a', '1'), inZone('x', '2', { taints: [{ key: 't', effect: 'NoSchedule' }] })],
      placed: there({ a: 3 }),
      fits: 'ax',
    },
    {
      case: 'keys of labels that must match, too',
      coming: pod(
        {},
        {
          labels: { foo: '', v: '2' },
          topologySpreadConstraints: [constraint('zone', { matchLabelKeys: ['v', 'w'] })],
        },
      ),
      placed: [...there({ a: 3 }, { foo: '', v: '1' }), ...there({ x: 1 }, { foo: '', v: '2' })],
      fits: 'ab',
    },
  ])('$case', ({ coming, nodes = zones, placed = [], fits }) =>
    expect(fitting(podTopologySpread, coming, cacheOf(nodes, placed))).toBe(fits),
  );

  test('the reasons', () => {
    const nodes = [...zones, node('z')];
    expect(verdictsOf(podTopologySpread, byZone, cacheOf(nodes, there({ a: 1 })))).toEqual({
      ...{ a: skewed, b: skewed, x: 'fits', y: 'fits' },
      z: missing,
    });
  });
});

describe('scores', () => {
  const hostOnly = spreading(soft(host));
  const skewOf = (maxSkew: number) => spreading(soft(host, { maxSkew }));
  test.each<{
    case: string;
    coming: ReturnType<typeof pod>;
    nodes?: typeof hosts;
    counts?: Record<string, number>;
    candidates?: string[];
    scores: object | undefined;
  }>([
    { case: 'no constraint', coming: spreading(), scores: undefined },
    { case: 'hard constraints only', coming: spreading(constraint(host)), scores: undefined },
    { case: 'no pods', coming: hostOnly, scores: { a: 100, b: 100, c: 100, d: 100 } },
    { case: 'one candidate', coming: hostOnly, counts: { a: 2, b: 1 }, candidates: ['a'], scores: { a: 100 } },
    {
      case: 'the same number',
      coming: hostOnly,
      counts: { a: 1, b: 1, c: 1, d: 1 },
      scores: { a: 100, b: 100, c: 100, d: 100 },
    },
    { case: '2, 1, 0, 3', coming: hostOnly, counts: { a: 2, b: 1, d: 3 }, scores: { a: 20, b: 60, c: 100, d: 0 } },
    {
      case: '2, 1, 0, 3, skew 2',
      coming: skewOf(2),
      counts: { a: 2, b: 1, d: 3 },
      scores: { a: 33, b: 66, c: 100, d: 16 },
    },
    {
      case: '4, 3, 2, 1, skew 3',
      coming: skewOf(3),
      counts: { a: 4, b: 3, c: 2, d: 1 },
      scores: { a: 44, b: 66, c: 77, d: 100 },
    },
    {
      case: 'a candidate without the key',
      coming: hostOnly,
      nodes: [hosts[0], node('b', { labels: { [host]: undefined } }), node('x'), node('y')] as typeof hosts,
      counts: { a: 4, b: 2, x: 1, y: 3 },
      candidates: ['a', 'b', 'x'],
      scores: { a: 16, b: 0, x: 100 },
    },
    {
      case: 'zones, of which one node is no candidate',
      coming: spreading(soft('zone')),
      nodes: zones,
      counts: { a: 4, b: 2, x: 1, y: 3 },
      candidates: ['a', 'b', 'x'],
      scores: { a: 75, b: 75, x: 100 },
    },
    {
      case: 'zones and hosts',
      coming: spreading(soft('zone'), soft(host)),
      nodes: zones,
      counts: { a: 2, b: 1, x: 2, y: 4 },
      candidates: ['a', 'x'],
      scores: { a: 100, x: 63 },
    },
  ])('$case', ({ coming, nodes = hosts, counts = {}, candidates, scores }) =>
    expect(scoresOf(podTopologySpread, coming, cacheOf(nodes, there(counts)), candidates)).toEqual(scores),
  );
});

describe('defaults', () => {
  const metadata = { name: 's', namespace: 'default' };
  const cacheWithService = (counts: Record<string, number>, nodes = hosts) => {
    const cache = cacheOf(nodes, there(counts));
    cache.setService({ metadata, spec: { selector: labels } } as never, false);
    return cache;
  };
  const counts = { a: 4, b: 3, c: 2, d: 1 };

  test('pods of a service spread over hosts', () =>
    expect(scoresOf(podTopologySpread, pod({}, { labels }), cacheWithService(counts))).toEqual({
      ...{ a: 44, b: 66, c: 77, d: 100 },
    }));

  test('pods of no service, and of a job, do not', () => {
    const job = pod();
    const ownerReferences = [{ kind: 'Job', uid: 'job', controller: true }] as never;
    const ofJob = { ...job, metadata: { ...job.metadata, ownerReferences } };
    for (const coming of [pod({}, { labels: { bar: '' } }), ofJob])
      expect(scoresOf(podTopologySpread, coming, cacheWithService(counts))).toBeUndefined();
  });

  test('a deleted service does not count', () => {
    const cache = cacheWithService(counts);
    cache.setService({ metadata } as never, true);
    expect(scoresOf(podTopologySpread, pod({}, { labels }), cache)).toBeUndefined();
  });

  test('those of the arguments filter, and take the place of the usual ones', () => {
    const { labelSelector: _, ...byZone } = constraint('zone');
    const plugin = podTopologySpreadWith({ defaultConstraints: [byZone as never] });
    const cache = cacheWithService({ a: 1 }, zones);
    expect(fitting(plugin, pod({}, { labels }), cache)).toBe('xy');
    expect(fitting(plugin, spreading(constraint(host)), cache)).toBe('bxy');
    expect(scoresOf(plugin, pod({}, { labels }), cache)).toBeUndefined();
  });
});

describe('looks again', () => {
  const waiting = podInfo(spreading(constraint('zone')));
  const changed = (before: Parameters<typeof node>[1], after: Parameters<typeof node>[1]): ClusterEvent => ({
    ...{ type: 'node-changed', aspects: ['labels', 'taints'] },
    ...{ old: node('n', before), node: node('n', after) },
  });
  const gone = (change: object) => ({ type: 'pod-gone', pod: other('a', change)[1] });
  const zone = (value: string) => ({ labels: { zone: value } });
  test.each([
    { case: 'a node with the key', event: { type: 'node-added', node: inZone('n', '1') }, wakes: true },
    { case: 'a node without it', event: { type: 'node-added', node: node('n') }, wakes: false },
    { case: 'a node with the key is removed', event: { type: 'node-removed', node: inZone('n', '1') }, wakes: true },
    { case: 'a node gets the key', event: changed({}, zone('1')), wakes: true },
    { case: 'a node gets another value', event: changed(zone('1'), zone('2')), wakes: true },
    { case: 'a node gets another label', event: changed(zone('1'), { labels: { zone: '1', a: 'b' } }), wakes: false },
    {
      case: 'a node gets a taint',
      event: changed(zone('1'), { ...zone('1'), taints: [{ key: 't', effect: 'NoSchedule' }] }),
      wakes: true,
    },
    { case: 'a matching pod is gone', event: gone({}), wakes: true },
    { case: 'a pod of another namespace is gone', event: gone({ namespace: 'x' }), wakes: false },
    { case: 'another pod is gone', event: gone({ labels: { bar: '' } }), wakes: false },
    { case: 'a matching pod is placed', event: { type: 'pod-assigned', pod: other('a', {})[1] }, wakes: true },
    {
      case: 'a pod matches no longer',
      event: { type: 'pod-relabelled', pod: other('a', { labels: {} })[1], old: other('a', {})[1] },
      wakes: true,
    },
    {
      case: 'a pod gets another label',
      event: { type: 'pod-relabelled', pod: other('a', { labels: { foo: '', a: 'b' } })[1], old: other('a', {})[1] },
      wakes: false,
    },
    { case: 'a volume', event: { type: 'storage-changed' }, wakes: false },
  ])('$case: $wakes', ({ event, wakes }) =>
    expect(podTopologySpread.wakes?.(event as ClusterEvent, waiting, cacheOf(zones))).toBe(wakes),
  );
});
