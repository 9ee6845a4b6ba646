// Cases after sync_test.go, rolling_test.go and deployment_util_test.go of Kubernetes' deployment controller.

import { describe, expect, test } from 'vitest';
import type { Deployment, IntOrString, ReplicaSet } from '../../api/api.ts';
import type { Tools } from '../../client/client.ts';
import type { Rollout } from './rollout.ts';
import { limitsOf, newSetSize, resolveIntOrPercent, rollOver, scaleProportionally, sizeAnnotations } from './scale.ts';

interface Limits {
  readonly maxSurge?: IntOrString;
  readonly maxUnavailable?: IntOrString;
  readonly type?: string;
}

const template = (version: number) => ({ metadata: { labels: { version: String(version) } }, spec: {} });

/** A Deployment whose newest version is 3. */
const deployment = (replicas: number, { maxSurge = 0, maxUnavailable = 0, type = 'RollingUpdate' }: Limits = {}) =>
  ({
    metadata: { name: 'foo', uid: 'd' },
    spec: { replicas, template: template(3), strategy: { type, rollingUpdate: { maxSurge, maxUnavailable } } },
  }) as unknown as Deployment;

const set = (version: number, replicas: number, annotations: object = {}, availableReplicas = 0): ReplicaSet =>
  ({
    metadata: {
      ...{ name: `foo-v${version}`, uid: `v${version}`, annotations },
      creationTimestamp: `2026-01-01T00:00:0${version}Z`,
    },
    spec: { replicas, template: template(version) },
    status: { availableReplicas },
  }) as unknown as ReplicaSet;

function rolloutOf(of: Deployment, sets: ReplicaSet[]) {
  const events: string[] = [];
  const client = { update: async (_: string, object: ReplicaSet) => object };
  const tools = { client, events: { event: (...[, , , message]: string[]) => void events.push(message) } };
  const rollout: Rollout = { deployment: of, sets, tools: tools as unknown as Tools };
  return { rollout, events, sizes: () => rollout.sets.map(({ spec }) => spec.replicas) };
}

test.each<[IntOrString | undefined, number, number, number]>([
  [undefined, 10, 0, 0],
  [3, 10, 3, 3],
  ['0%', 10, 0, 0],
  ['25%', 10, 3, 2],
  ['39%', 10, 4, 3],
  ['100%', 7, 7, 7],
  ['150%', 2, 3, 3],
  ['50%', 0, 0, 0],
])('%j of %d is %d rounded up and %d rounded down', (value, total, up, down) =>
  expect([resolveIntOrPercent(value, total, 'up'), resolveIntOrPercent(value, total, 'down')]).toEqual([up, down]),
);

test.each<[number, Limits, number, number]>([
  [10, { maxSurge: '39%', maxUnavailable: '39%' }, 4, 3],
  [10, { maxSurge: 0, maxUnavailable: '39%' }, 0, 3],
  [10, { maxSurge: '39%', maxUnavailable: 0 }, 4, 0],
  [10, { maxSurge: 0, maxUnavailable: 0 }, 0, 1],
  [10, { maxSurge: 0, maxUnavailable: '1%' }, 0, 1],
  [0, { maxSurge: '0%', maxUnavailable: '0%' }, 0, 0],
  [3, { maxSurge: 1, maxUnavailable: 10 }, 1, 3],
  [3, { maxSurge: 1, maxUnavailable: 1, type: 'Recreate' }, 0, 0],
])('%d replicas with %j: at most %d more and %d fewer', (replicas, limits, maxSurge, maxUnavailable) =>
  expect(limitsOf(deployment(replicas, limits))).toEqual({ maxSurge, maxUnavailable }),
);

test.each([
  ['does not grow beyond the limit', 'RollingUpdate', 1, 5, 1, 5],
  ['grows to its whole size', 'RollingUpdate', 6, 2, 10, 6],
  ['has its whole size at once when pods are recreated', 'Recreate', 3, 1, 1, 3],
])('the new set %s', (_, type, replicas, now, maxSurge, wanted) => {
  const newSet = set(3, now);
  expect(newSetSize(deployment(replicas, { type, maxSurge, maxUnavailable: 1 }), [set(1, 5), newSet], newSet)).toBe(
    wanted,
  );
});

describe('a rolling update', () => {
  test.each<[string, number, Limits, number, number, number, number, number, number]>([
    // Sizes of the old and the new set, their available pods, and the sizes afterwards.
    ['cannot add without surge', 10, { maxUnavailable: 0 }, 10, 0, 10, 0, 9, 0],
    ['adds its surge', 10, { maxSurge: 2 }, 10, 0, 10, 0, 10, 2],
    ['adds as much as is missing', 10, { maxSurge: 2 }, 5, 0, 5, 0, 5, 7],
    ['shrinks a new set that is too large', 10, { maxSurge: 2 }, 2, 11, 2, 11, 2, 10],
    ['removes as many as may be unavailable', 10, { maxUnavailable: 2 }, 10, 0, 10, 0, 8, 0],
    ['removes unhealthy pods first', 10, { maxUnavailable: 2 }, 10, 0, 8, 0, 8, 0],
    ['removes an unhealthy pod and a healthy one', 10, { maxUnavailable: 2 }, 10, 0, 9, 0, 8, 0],
    ['waits for new pods that are not available', 10, { maxUnavailable: 2 }, 8, 2, 8, 0, 8, 2],
    ['goes on when they are', 10, { maxUnavailable: 2 }, 8, 2, 8, 2, 6, 2],
    ['ends', 10, { maxSurge: 2 }, 2, 10, 2, 10, 0, 10],
  ])('%s', async (_, replicas, limits, oldSize, newSize, oldReady, newReady, oldAfter, newAfter) => {
    const of = deployment(replicas, limits);
    const annotations = sizeAnnotations(of);
    const sets = [set(1, oldSize, annotations, oldReady), set(3, newSize, annotations, newReady)];
    const { rollout, sizes } = rolloutOf(of, sets);
    const hasChanged = await rollOver(rollout);
    expect(sizes()).toEqual([oldAfter, newAfter]);
    expect(hasChanged).toBe(oldAfter !== oldSize || newAfter !== newSize);
  });

  test('takes unhealthy pods of the oldest sets first', async () => {
    const of = deployment(10, { maxUnavailable: 2 });
    const annotations = sizeAnnotations(of);
    const sets = [set(2, 5, annotations, 4), set(1, 5, annotations, 4), set(3, 0, annotations)];
    const { rollout, sizes, events } = rolloutOf(of, sets);
    await rollOver(rollout);
    expect(sizes()).toEqual([4, 4, 0]);
    expect(events).toEqual([
      'Scaled down replica set foo-v1 from 5 to 4',
      'Scaled down replica set foo-v2 from 5 to 4',
    ]);
  });
});

describe('a change of replicas during an update', () => {
  // From and to; the sizes of the new set, if there is one, and of the old ones, before and after.
  test.each<[number, number, (number | undefined)[], (number | undefined)[], Limits?, Limits?]>([
    [10, 12, [10], [12]],
    [10, 5, [10], [5]],
    [5, 10, [2, 3], [4, 6]],
    [5, 3, [2, 3], [1, 2]],
    [9, 4, [8, 1], [4, 0]],
    [7, 10, [2, 3, 2], [3, 4, 3]],
    [13, 8, [2, 8, 3], [1, 5, 2]],
    [3, 4, [1, 1, 1], [2, 1, 1]],
    [3, 2, [1, 1, 1], [1, 1, 0]],
    [4, 5, [undefined, 2, 2], [undefined, 3, 2]],
    [6, 0, [3, 2, 1], [0, 0, 0]],
    [6, 6, [0, 0, 0], [6, 0, 0]],
    [10, 20, [6, 6], [11, 11], { maxSurge: 2 }, { maxSurge: 2 }],
    [10, 50, [5, 8], [22, 34], { maxSurge: 3 }, { maxSurge: 6 }],
    [10, 14, [undefined, 7, 3], [undefined, 10, 4]],
    [2, 2, [2, 1], [2, 1], { maxSurge: 1, maxUnavailable: 1 }, { maxSurge: 1, maxUnavailable: 1 }],
  ])('from %d to %d: %j become %j', async (from, to, before, after, oldLimits, newLimits) => {
    const annotations = sizeAnnotations(deployment(from, oldLimits));
    const sets = before.flatMap((size, i) => (size === undefined ? [] : [set(3 - i, size, annotations)]));
    const { rollout, sizes } = rolloutOf(deployment(to, newLimits), sets);
    await scaleProportionally(rollout);
    expect(sizes()).toEqual(after.filter((size) => size !== undefined));
  });

  test('a complete new set ends the old ones', async () => {
    const of = deployment(4, { maxSurge: 1 });
    const { rollout, sizes } = rolloutOf(of, [set(3, 4, sizeAnnotations(of), 4), set(1, 2, sizeAnnotations(of), 2)]);
    await scaleProportionally(rollout);
    expect(sizes()).toEqual([4, 0]);
  });

  test('sets of a Deployment that recreates its pods keep their sizes', async () => {
    const { rollout, sizes } = rolloutOf(deployment(9, { type: 'Recreate' }), [set(3, 2), set(1, 2)]);
    await scaleProportionally(rollout);
    expect(sizes()).toEqual([2, 2]);
  });

  test('the annotations follow, though a size stays', async () => {
    const of = deployment(6);
    const { rollout, events } = rolloutOf(of, [
      set(3, 3, sizeAnnotations(deployment(5))),
      set(1, 3, sizeAnnotations(of)),
    ]);
    await scaleProportionally(rollout);
    expect(rollout.sets.map(({ metadata }) => metadata.annotations)).toEqual([
      sizeAnnotations(of),
      sizeAnnotations(of),
    ]);
    expect(events).toEqual([]);
  });
});
