import { expect, test } from 'vitest';
import { seededRandom } from '../machinery/random.ts';
import { SchedulingCycle } from './cycle.ts';
import { defaultPlugins } from './plugins/plugins.ts';
import { podInfo } from './pod-info.ts';
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
    case: 'nobody is less important',
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
  const found = findPreemption(defaultPlugins, info, failure, cache);
  if (message) expect(found).toBe(message);
  else
    expect(found).toMatchObject({
      node: goes,
      victims: victims!.map((priority) => ({ spec: { priority } })),
    });
});
