// The test cases of Kubernetes' eviction helpers: thresholds, grace periods, reclaim, conditions and their transition.

import { describe, expect, test } from 'vitest';
import { crossed, decide, noPressure, type Observations, type PressureState, resourceOf } from './pressure.ts';
import { type EvictionConfig, thresholdsOf } from './thresholds.ts';

const mi = 2 ** 20;
const gi = 2 ** 30;
const free = (available: number, capacity = 10 * gi) => ({ available, capacity });

describe('thresholds', () => {
  test("the defaults are Kubernetes'", () => {
    const thresholds = thresholdsOf();
    expect(thresholds.map(({ signal, value }) => [signal, value])).toEqual([
      ['memory.available', { quantity: 100 * mi }],
      ['nodefs.available', { share: Math.fround(0.1) }],
      ['nodefs.inodesFree', { share: Math.fround(0.05) }],
      ['imagefs.available', { share: Math.fround(0.15) }],
      ['imagefs.inodesFree', { share: Math.fround(0.05) }],
      ['allocatableMemory.available', { quantity: 100 * mi }],
    ]);
    expect(thresholds.every(({ graceMs }) => graceMs === 0)).toBe(true);
  });

  test('soft thresholds, grace and minimum reclaim', () =>
    expect(
      thresholdsOf({
        evictionHard: {},
        evictionSoft: { 'memory.available': '300Mi' },
        evictionSoftGracePeriodMs: { 'memory.available': 30_000 },
        evictionMinimumReclaim: { 'memory.available': '5%' },
      }),
    ).toEqual([
      {
        signal: 'memory.available',
        value: { quantity: 300 * mi },
        graceMs: 30_000,
        minReclaim: { share: Math.fround(0.05) },
      },
    ]));

  test.each<[string, EvictionConfig, string]>([
    [
      'a signal that is none',
      { evictionHard: { 'disk.available': '1Gi' } },
      'unsupported eviction signal disk.available',
    ],
    [
      'a negative amount',
      { evictionHard: { 'memory.available': '-1Mi' } },
      'eviction threshold memory.available must be',
    ],
    ['too many percent', { evictionHard: { 'memory.available': '101%' } }, 'memory.available must be <= 100%: 101%'],
    ['less than no percent', { evictionHard: { 'memory.available': '-5%' } }, 'memory.available must be >= 0%: -5%'],
    [
      'soft without grace',
      { evictionSoft: { 'memory.available': '1Gi' } },
      'grace period must be specified for the soft eviction threshold memory.available',
    ],
    [
      'a negative minimum reclaim',
      { evictionMinimumReclaim: { 'memory.available': '-1Mi' } },
      'eviction minimum reclaim memory.available must not be negative: -1Mi',
    ],
    [
      'a minimum reclaim of no percent',
      { evictionMinimumReclaim: { 'nodefs.available': '0%' } },
      'eviction percentage minimum reclaim nodefs.available must be positive: 0%',
    ],
    [
      'a negative grace period',
      { evictionSoftGracePeriodMs: { 'memory.available': -1 } },
      'eviction grace period memory.available must not be negative: -1 ms',
    ],
    [
      'a grace period for a signal that is none',
      { evictionSoftGracePeriodMs: { 'disk.available': 1 } },
      'unsupported eviction signal disk.available',
    ],
  ])('%s is refused', (_, config, message) => expect(() => thresholdsOf(config)).toThrow(message));

  test('a minimum reclaim may be zero, as in the documented example', () =>
    expect(
      thresholdsOf({
        evictionHard: { 'memory.available': '500Mi', 'nodefs.available': '1Gi' },
        evictionMinimumReclaim: { 'memory.available': '0Mi', 'nodefs.available': '500Mi' },
      }).map(({ signal, minReclaim }) => [signal, minReclaim]),
    ).toEqual([
      ['memory.available', { quantity: 0 }],
      ['nodefs.available', { quantity: 500 * mi }],
      ['allocatableMemory.available', { quantity: 0 }],
    ]));

  test('0% and 100% switch a threshold off', () =>
    expect(thresholdsOf({ evictionHard: { 'nodefs.available': '0%', 'imagefs.available': '100%' } })).toEqual([]));
});

describe('crossed thresholds', () => {
  test.each<[string, Observations, string[]]>([
    ['nothing', { 'memory.available': free(2 * gi), 'nodefs.available': free(2 * gi) }, []],
    ['less than an amount', { 'memory.available': free(99 * mi) }, ['memory.available']],
    ['exactly an amount', { 'memory.available': free(100 * mi) }, []],
    ['less than a share', { 'nodefs.available': free(gi - mi) }, ['nodefs.available']],
    ['inodes', { 'nodefs.inodesFree': free(4, 100), 'imagefs.inodesFree': free(6, 100) }, ['nodefs.inodesFree']],
    ['nothing is known', {}, []],
  ])('%s', (_, observations, wanted) =>
    expect(crossed(thresholdsOf(), observations, false).map(({ signal }) => signal)).toEqual(wanted),
  );
});

describe('in time', () => {
  const minute = 60_000;
  /** Observes the given amounts of free memory; returns conditions and due thresholds. */
  function play(
    config: EvictionConfig,
    looks: readonly [ms: number, availableMi: number][],
    transitionMs = 5 * minute,
  ) {
    const thresholds = thresholdsOf(config);
    let state: PressureState = noPressure;
    return looks.map(([ms, available]) => {
      const decision = decide(state, thresholds, { 'memory.available': free(available * mi) }, ms, transitionMs);
      state = decision.state;
      return `${[...decision.conditions].join()}${decision.due.length > 0 ? ' evict' : ''}`;
    });
  }

  test('a hard threshold acts at once, and the condition stays for the transition period', () =>
    expect(
      play({}, [
        [0, 500],
        [10_000, 50],
        [20_000, 500],
        [20_000 + 4.8 * minute, 500],
        [10_000 + 5 * minute, 500],
      ]),
    ).toEqual(['', 'MemoryPressure evict', 'MemoryPressure', 'MemoryPressure', '']));

  test('a soft threshold is a condition at once, and acts after its grace', () => {
    const soft = {
      evictionHard: {},
      evictionSoft: { 'memory.available': '300Mi' },
      evictionSoftGracePeriodMs: { 'memory.available': minute },
    };
    expect(
      play(soft, [
        [0, 200],
        [30_000, 200],
        [60_000, 200],
        [70_000, 400],
        [80_000, 200],
      ]),
    ).toEqual(['MemoryPressure', 'MemoryPressure', 'MemoryPressure evict', 'MemoryPressure', 'MemoryPressure']);
  });

  test('a pressure ends where enough is reclaimed', () => {
    const config = {
      evictionHard: { 'memory.available': '100Mi' },
      evictionMinimumReclaim: { 'memory.available': '200Mi' },
    };
    expect(
      play(config, [
        [0, 50],
        [10_000, 250],
        [20_000, 301],
      ]),
    ).toEqual(['MemoryPressure evict', 'MemoryPressure evict', 'MemoryPressure']);
  });

  test('memory comes before disk', () => {
    const observations = { 'nodefs.available': free(0), 'memory.available': free(0) };
    const { due, conditions } = decide(noPressure, thresholdsOf(), observations, 0, minute);
    expect(due.map(resourceOf)).toEqual(['memory', 'ephemeral-storage']);
    expect([...conditions]).toEqual(['MemoryPressure', 'DiskPressure']);
  });
});
