// The cases of Kubernetes' own controller: bounds, rates, stabilization and the history behind them.

import { describe, expect, test } from 'vitest';
import type { HPAScalingRules } from '../../api/api.ts';
import { type History, limitReplicas, withScaleEvent } from './scaling-rules.ts';

const nowMs = Date.UTC(2026, 0, 1);
const downscaleStabilizationMs = 300_000;
/** The API's defaults. */
const defaultUp = '4/15 100%/15 window 0';
const defaultDown = '100%/15';

/** From words: `5/60` is five pods in 60 s, `50%/60` a share, `window 300` the stabilization, or a select policy. */
function rules(text: string): HPAScalingRules {
  const words = text.split(' ');
  const window = words.indexOf('window');
  return {
    ...(window >= 0 && { stabilizationWindowSeconds: Number(words[window + 1]) }),
    selectPolicy: words.find((word) => ['Min', 'Max', 'Disabled'].includes(word)) ?? 'Max',
    policies: words
      .filter((word) => word.includes('/'))
      .map((word) => {
        const [value, periodSeconds] = word.split('/');
        const type = value.endsWith('%') ? 'Percent' : 'Pods';
        return { type, value: Number.parseInt(value, 10), periodSeconds: Number(periodSeconds) };
      }),
  };
}

/** Changes in the middle of equal parts of the last 120 s. */
const spread = (changes: readonly number[] = []) =>
  changes.map((change, i) => ({ change, atMs: nowMs - 120_000 + ((i + 0.5) * 120_000) / changes.length }));

/** Recommendations as [replicas, minutes ago]. */
const recommended = (list: readonly (readonly [number, number])[]) =>
  list.map(([replicas, minutes]) => ({ replicas, atMs: nowMs - minutes * 60_000 }));

const empty: History = { recommendations: [], ups: [], downs: [] };

describe('without rules', () => {
  test.each([
    [5, 7, 3, 8, 7, 'DesiredWithinRange', false],
    [3, 1, 2, 8, 2, 'TooFewReplicas', true],
    [1, 0, 0, 10, 0, 'DesiredWithinRange', false],
    [20, 1000, 1, 10, 10, 'TooManyReplicas', true],
    [3, 1000, 1, 2000, 6, 'ScaleUpLimit', true],
    [1, 1000, 1, 2000, 4, 'ScaleUpLimit', true],
  ])('%d replicas, proposed %d, allowed %d to %d: %d, %s', (current, desired, min, max, wanted, reason, isTrue) => {
    const { replicas, limited } = limitReplicas(
      { current, desired, min, max, nowMs, downscaleStabilizationMs },
      undefined,
      empty,
    );
    expect([replicas, limited.reason, limited.isTrue]).toEqual([wanted, reason, isTrue]);
  });

  test.each<[string, [number, number][], number, number, number]>([
    ['empty log', [], 5, 5, 1],
    [
      'stabilize',
      [
        [4, 2],
        [5, 1],
      ],
      3,
      5,
      3,
    ],
    [
      'no stabilize',
      [
        [1, 2],
        [2, 1],
      ],
      3,
      3,
      3,
    ],
    [
      'no stabilize - old recommendations',
      [
        [10, 10],
        [9, 9],
      ],
      3,
      3,
      2,
    ],
    [
      'stabilize - old recommendations',
      [
        [10, 10],
        [4, 1],
        [5, 2],
        [9, 9],
      ],
      3,
      5,
      4,
    ],
  ])('%s', (_, recommendations, desired, wanted, length) => {
    const history = { ...empty, recommendations: recommended(recommendations) };
    const request = { current: 10, desired, min: 1, max: 100, nowMs, downscaleStabilizationMs };
    const { replicas, history: next, able } = limitReplicas(request, undefined, history);
    expect([replicas, next.recommendations.length]).toEqual([wanted, length]);
    expect(able.reason).toBe(wanted === desired ? 'ReadyForNewScale' : 'ScaleDownStabilized');
  });
});

interface Rates {
  readonly up?: string;
  readonly down?: string;
  readonly ups?: number[];
  readonly downs?: number[];
}

/** Replicas, proposed, least, most; then the result and its reason. */
const rates: [string, Rates, [number, number, number, number], number, string][] = [
  ['within range', {}, [5, 7, 3, 8], 7, 'DesiredWithinRange'],
  ['below the minimum', {}, [3, 1, 2, 8], 2, 'TooFewReplicas'],
  ['within range when the minimum is 0', {}, [1, 0, 0, 10], 0, 'DesiredWithinRange'],
  ['the maximum is below the rate', {}, [100, 1000, 100, 150], 150, 'TooManyReplicas'],
  ['the rate is below the maximum', { up: '1%/60' }, [3, 1000, 1, 2000], 4, 'ScaleUpLimit'],
  ['the rate is above the minimum', { down: '20/60' }, [1000, 3, 3, 2000], 980, 'ScaleDownLimit'],
  ['up by default', {}, [10, 50, 1, 1000], 20, 'ScaleUpLimit'],
  ['up, pods above percent', { up: '100/60 100%/60' }, [10, 500, 1, 1000], 110, 'ScaleUpLimit'],
  ['up, percent above pods', { up: '2/60 100%/60' }, [10, 500, 1, 1000], 20, 'ScaleUpLimit'],
  ['up, the smaller change', { up: 'Min 2/60 50%/60' }, [1, 500, 1, 1000], 2, 'ScaleUpLimit'],
  ['up, disabled', { up: 'Disabled 2/60' }, [10, 500, 1, 1000], 10, 'ScaleUpLimit'],
  ['up within pods', { up: '100/60' }, [10, 50, 1, 1000], 50, 'DesiredWithinRange'],
  ['up, pods', { up: '30/60' }, [10, 50, 1, 1000], 40, 'ScaleUpLimit'],
  ['up, percent', { up: '200%/60' }, [10, 50, 1, 1000], 30, 'ScaleUpLimit'],
  ['down, pods above percent', { down: '20/60 1%/60' }, [100, 2, 1, 1000], 80, 'ScaleDownLimit'],
  ['down, percent below pods', { down: '2/60 1%/60' }, [100, 2, 1, 1000], 98, 'ScaleDownLimit'],
  ['down, the smaller change', { down: 'Min 2/60 50%/60' }, [5, 1, 1, 1000], 3, 'ScaleDownLimit'],
  ['down, disabled', { down: 'Disabled 2/60' }, [5, 1, 1, 1000], 5, 'ScaleDownLimit'],
  ['down to the minimum by pods', { down: '100/60' }, [10, 0, 1, 1000], 1, 'TooFewReplicas'],
  ['down to the minimum by percent', { down: '100%/60' }, [10, 2, 5, 1000], 5, 'TooFewReplicas'],
  ['down, pods', { down: '5/60' }, [10, 2, 1, 1000], 5, 'ScaleDownLimit'],
  ['down within percent', { down: '50%/60' }, [10, 5, 1, 1000], 5, 'DesiredWithinRange'],
  ['up to the maximum, pods and ups', { up: '300/60', ups: [1, 5, 9] }, [100, 500, 1, 200], 200, 'TooManyReplicas'],
  ['up to the maximum, percent', { up: '10000%/60', ups: [1, 5, 9] }, [100, 500, 1, 200], 200, 'TooManyReplicas'],
  ['the past ups exceed the rate', { up: '5/120', ups: [1, 5, 9] }, [100, 500, 1, 1000], 100, 'ScaleUpLimit'],
  ['pods and past ups', { up: '150/120', ups: [1, 5, 9] }, [100, 500, 1, 1000], 235, 'ScaleUpLimit'],
  ['percent and past ups', { up: '200%/120', ups: [1, 5, 9] }, [100, 500, 1, 1000], 255, 'ScaleUpLimit'],
  ['up after ups and downs', { up: '300%/300', ups: [4], downs: [2] }, [6, 24, 1, 1000], 16, 'ScaleUpLimit'],
  ['down by default after downs', { downs: [1, 5, 9] }, [10, 5, 1, 1000], 5, 'DesiredWithinRange'],
  ['down to 1, pods and downs', { down: '115/120', downs: [1, 5, 9] }, [100, 0, 1, 1000], 1, 'TooFewReplicas'],
  ['down to 5, pods and downs', { down: '130/120', downs: [1, 5, 9] }, [100, 0, 5, 1000], 5, 'TooFewReplicas'],
  ['down to 5, percent and downs', { down: '100%/120', downs: [1, 5, 9] }, [100, 2, 5, 1000], 5, 'TooFewReplicas'],
  ['the past downs exceed the pods', { down: '5/120', downs: [1, 5, 9] }, [100, 2, 1, 1000], 100, 'ScaleDownLimit'],
  ['percent and past downs', { down: '50%/120', downs: [2, 4, 6] }, [100, 0, 1, 1000], 56, 'ScaleDownLimit'],
  ['down after ups and downs', { down: '50%/180', ups: [2], downs: [4] }, [10, 1, 1, 1000], 6, 'ScaleDownLimit'],
  [
    'the past downs exceed the percent',
    { down: '10%/120', downs: [10, 10, 10] },
    [100, 0, 1, 1000],
    100,
    'ScaleDownLimit',
  ],
  ['a limit below zero', { down: '1000%/120', downs: [10, 10, 10] }, [10, 5, 1, 1000], 5, 'DesiredWithinRange'],
  [
    'ups of two periods',
    { up: '1000/120 100%/60', ups: [8, 12, 9, 11] },
    [100, 200, 1, 1000],
    200,
    'DesiredWithinRange',
  ],
  [
    'downs of two periods',
    { down: '1000/30 100%/60', downs: [8, 12, 9, 11] },
    [100, 5, 1, 1000],
    5,
    'DesiredWithinRange',
  ],
];

test.each(rates)('rates: %s', (_, given, [current, desired, min, max], wanted, reason) => {
  const behavior = { scaleUp: rules(given.up ?? defaultUp), scaleDown: rules(given.down ?? defaultDown) };
  const history = { ...empty, ups: spread(given.ups), downs: spread(given.downs) };
  const request = { current, desired, min, max, nowMs, downscaleStabilizationMs };
  const { replicas, limited } = limitReplicas(request, behavior, history);
  expect([replicas, limited.reason, limited.isTrue]).toEqual([wanted, reason, wanted !== desired]);
});

/** Recommendations, replicas, proposed, windows up and down in minutes; then the result and the recommendations. */
const windows: [string, [number, number][], number, number, [number, number], number, number[]?][] = [
  ['nothing recommended before', [], 100, 5, [0, 0], 5, [5]],
  [
    'scale down stabilization',
    [
      [4, 2],
      [5, 1],
    ],
    100,
    3,
    [0, 3],
    5,
    [4, 5, 3],
  ],
  [
    'scale up stabilization',
    [
      [4, 2],
      [5, 1],
    ],
    1,
    7,
    [5, 0],
    4,
    [4, 5, 7],
  ],
  [
    'no scale down stabilization',
    [
      [1, 2],
      [2, 1],
    ],
    100,
    3,
    [5, 0],
    3,
    [1, 2, 3],
  ],
  [
    'no scale up stabilization',
    [
      [4, 2],
      [5, 1],
    ],
    1,
    3,
    [0, 5],
    3,
    [4, 5, 3],
  ],
  [
    'the last old entry is replaced (down)',
    [
      [10, 10],
      [9, 9],
    ],
    100,
    3,
    [0, 0],
    3,
    [10, 3],
  ],
  [
    'the last old entry is replaced (up)',
    [
      [10, 10],
      [9, 9],
    ],
    1,
    100,
    [0, 0],
    100,
    [10, 100],
  ],
  [
    'old entries among newer ones',
    [
      [10, 10],
      [4, 1],
      [5, 2],
      [9, 9],
    ],
    100,
    3,
    [0, 3],
    5,
    [10, 4, 5, 3],
  ],
  [
    'one entry is older than both windows',
    [
      [10, 100],
      [6, 1],
      [5, 2],
      [9, 3],
    ],
    1,
    100,
    [5, 0],
    5,
    [100, 6, 5, 9],
  ],
  [
    'no growth while the proposal falls',
    [
      [2, 100],
      [3, 3],
    ],
    2,
    1,
    [5, 5],
    2,
  ],
  [
    'no shrinking while the proposal rises',
    [
      [2, 100],
      [1, 3],
    ],
    2,
    3,
    [5, 5],
    2,
  ],
];

test.each(windows)('windows: %s', (_, before, current, desired, [up, down], wanted, after) => {
  const behavior = { scaleUp: rules(`1000/60 window ${up * 60}`), scaleDown: rules(`1000/60 window ${down * 60}`) };
  const history = { ...empty, recommendations: recommended(before) };
  const request = { current, desired, min: 0, max: 1000, nowMs, downscaleStabilizationMs };
  const { replicas, history: next, able } = limitReplicas(request, behavior, history);
  expect(replicas).toBe(wanted);
  if (after) expect(next.recommendations.map((each) => each.replicas)).toEqual(after);
  const stabilized = desired >= current ? 'ScaleUpStabilized' : 'ScaleDownStabilized';
  expect(able.reason).toBe(wanted === desired ? 'ReadyForNewScale' : stabilized);
});

test('without a window in the object, scaling down has that of the controller', () => {
  const behavior = { scaleUp: rules(defaultUp), scaleDown: rules(defaultDown) };
  const history = { ...empty, recommendations: recommended([[9, 4]]) };
  const request = { current: 10, desired: 5, min: 1, max: 10, nowMs };
  expect(limitReplicas({ ...request, downscaleStabilizationMs: 300_000 }, behavior, history).replicas).toBe(9);
  expect(limitReplicas({ ...request, downscaleStabilizationMs: 180_000 }, behavior, history).replicas).toBe(5);
});

/** Changes as [replicas, seconds ago] before, the rules, and all changes after one of 5. */
const events: [string, [number, number][], string | undefined, number[]][] = [
  ['no rules, so nothing is stored', [], undefined, []],
  ['the first one', [], '10/60 100%/60', [5]],
  ['no rules, so an old one stays', [[7, 61]], undefined, [7]],
  ['an old one is replaced', [[7, 61]], '10/60 100%/60', [5]],
  ['a recent one stays', [[7, 58]], '10/60 100%/60', [7, 5]],
  [
    'one old, one recent',
    [
      [7, 61],
      [6, 59],
    ],
    '10/60',
    [5, 6],
  ],
  [
    'different periods',
    [
      [8, 29],
      [6, 59],
      [7, 61],
      [9, 61],
    ],
    '10/60 100%/30',
    [8, 6, 7, 5],
  ],
  [
    'both recent',
    [
      [7, 58],
      [6, 59],
    ],
    '10/120 100%/30',
    [7, 6, 5],
  ],
];

test.each(events)('changes: %s', (_, before, text, wanted) => {
  const changes = before.map(([change, seconds]) => ({ change, atMs: nowMs - seconds * 1000 }));
  const behavior = text === undefined ? undefined : { scaleUp: rules(text), scaleDown: rules(text) };
  const up = withScaleEvent({ ...empty, ups: changes }, behavior, { from: 10, to: 15, nowMs });
  expect(up.ups.map(({ change }) => change)).toEqual(wanted);
  const down = withScaleEvent({ ...empty, downs: changes }, behavior, { from: 10, to: 5, nowMs });
  expect(down.downs.map(({ change }) => change)).toEqual(wanted);
});
