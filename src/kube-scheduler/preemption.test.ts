import { expect, test } from 'vitest';
import type { Pod, PodDisruptionBudget } from '../api/api.ts';
import { seededRandom } from '../machinery/random.ts';
import type { SchedulerCache } from './cache.ts';
import { SchedulingCycle } from './cycle.ts';
import { defaultPlugins } from './plugins/plugins.ts';
import { type PodInfo, podInfo } from './pod-info.ts';
import { findPreemption } from './preemption.ts';
import { cacheOf, node, pod } from './test-objects.ts';

const of = (priority: number, cpu: string, more: object = {}) => pod({ cpu }, { priority, ...more });

test.each([
  {
    case: 'the less important pod goes',
    nodes: [node('a'), node('b')],
    there: [['a', of(5, '4')] as const, ['b', of(1, '4')] as const],
    pod: of(10, '2'),
    node: 'b',
    victims: [1],
  },
  {
    case: 'no more than needed',
    nodes: [node('a')],
    there: [['a', of(3, '2')] as const, ['a', of(1, '2')] as const],
    pod: of(10, '2'),
    node: 'a',
    victims: [1],
  },
  {
    case: 'fewer victims, when they are as important',
    nodes: [node('a'), node('b')],
    there: [['a', of(1, '2')] as const, ['a', of(1, '2')] as const, ['b', of(1, '4')] as const],
    pod: of(10, '4'),
    node: 'b',
    victims: [1],
  },
  {
    case: 'no pod has a lower priority',
    nodes: [node('a'), node('b')],
    there: [['a', of(10, '4')] as const, ['b', of(11, '4')] as const],
    pod: of(10, '2'),
    message: 'preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.',
  },
  {
    case: 'it would not help',
    nodes: [node('a'), node('b', { unschedulable: true })],
    there: [['a', of(1, '1')] as const],
    pod: of(10, '5'),
    message: 'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
  },
  {
    case: 'it is not to preempt',
    nodes: [node('a')],
    there: [['a', of(1, '4')] as const],
    pod: of(10, '2', { preemptionPolicy: 'Never' }),
    message: 'preemption: not eligible due to preemptionPolicy=Never.',
  },
])('$case', ({ nodes, there, pod: wanted, node: goes, victims, message }) => {
  const cache = cacheOf(nodes, there);
  const info = podInfo(wanted);
  const failure = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(info, cache);
  if (failure.ok) throw new Error(`it fits on ${failure.node}`);
  const found = findPreemption({ plugins: defaultPlugins, pod: info, failure, snapshot: cache, budgets: [] });
  if (message) expect(found).toMatchObject({ why: message });
  else
    expect(found).toMatchObject({
      node: goes,
      victims: victims!.map((priority) => ({ spec: { priority } })),
    });
});

const budget = (
  allowed: number,
  matchLabels: object = { app: 'db' },
  disruptedPods: Readonly<Record<string, string>> = {},
) =>
  ({
    metadata: { name: 'budget', namespace: 'default' },
    spec: { selector: { matchLabels } },
    status: { disruptionsAllowed: allowed, disruptedPods },
  }) as unknown as PodDisruptionBudget;

test.each([
  { case: 'a node whose victim has a budget is spared', allowed: 0, node: 'plain' },
  { case: 'a budget that allows it does not matter', allowed: 1, node: 'db' },
  { case: 'an empty selector protects nothing', allowed: 0, matchLabels: {}, node: 'db' },
  { case: 'a pod that is disrupted already does not count', allowed: 0, isDisrupted: true, node: 'db' },
])('$case', ({ allowed, matchLabels, isDisrupted, node: goes }) => {
  const victim = of(1, '4', { labels: { app: 'db' } });
  const there = [['db', victim] as const, ['plain', of(2, '4')] as const];
  const cache = cacheOf([node('db'), node('plain')], there);
  const info = podInfo(of(10, '2'));
  const failure = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(info, cache) as any;
  const disrupted = isDisrupted ? { [victim.metadata.name]: '2026-01-01T00:00:00Z' } : undefined;
  const budgets = [budget(allowed, matchLabels, disrupted)];
  const found = findPreemption({ plugins: defaultPlugins, pod: info, failure, snapshot: cache, budgets });
  expect(found).toMatchObject({ node: goes });
});

test('pods with a budget get their place back first', () => {
  const cache = cacheOf(
    [node('a')],
    [
      ['a', of(1, '2', { labels: { app: 'db' } })],
      ['a', of(2, '2', { labels: { app: 'web' } })],
    ],
  );
  const info = podInfo(of(10, '2'));
  const failure = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(info, cache) as any;
  const found = findPreemption({ plugins: defaultPlugins, pod: info, failure, snapshot: cache, budgets: [budget(0)] });
  expect(found).toMatchObject({ victims: [{ metadata: { labels: { app: 'web' } } }] });
});

const wait = (cache: SchedulerCache, info: PodInfo, changes: (victim: Pod) => void = () => {}) => {
  const victim = [...cache.node('a')!.pods.values()][0].pod;
  cache.nominations.set(info, 'a');
  changes(victim);
  const failure = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(info, cache) as any;
  return findPreemption({ plugins: defaultPlugins, pod: info, failure, snapshot: cache, budgets: [] });
};
const onItsWayOut = 'preemption: not eligible due to a terminating pod on the nominated node.';

test.each([
  { case: 'a victim that was just chosen', changes: undefined, chosen: true, why: onItsWayOut },
  {
    case: 'a victim that terminates',
    changes: (victim: Pod) => {
      victim.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
      victim.status = {
        conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' }],
      } as any;
    },
    chosen: false,
    why: onItsWayOut,
  },
  {
    case: 'a pod that terminates for another reason',
    changes: (victim: Pod) => {
      victim.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    },
    chosen: false,
    why: undefined,
  },
])('$case: no second set of victims is chosen', ({ changes, chosen, why }) => {
  const cache = cacheOf(
    [node('a'), node('b')],
    [
      ['a', of(1, '4')],
      ['b', of(1, '4')],
    ],
  );
  const found = wait(cache, podInfo(of(10, '2')), (victim) => {
    changes?.(victim);
    cache.setPreempted(victim.metadata.uid, chosen);
  });
  if (why) expect(found).toEqual({ why, waits: true });
  else expect(found).toHaveProperty('victims');
});

test('a nominated pod of lower priority loses its place to the one that preempts', () => {
  const cache = cacheOf([node('a')], [['a', of(1, '4')]]);
  const lesser = podInfo(of(5, '2'));
  cache.nominations.set(lesser, 'a');
  const info = podInfo(of(10, '4'));
  const failure = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(info, cache) as any;
  const found = findPreemption({ plugins: defaultPlugins, pod: info, failure, snapshot: cache, budgets: [] });
  expect(found).toMatchObject({ node: 'a', displaced: [{ metadata: { uid: lesser.pod.metadata.uid } }] });
});
