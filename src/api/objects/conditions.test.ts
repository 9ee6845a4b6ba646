import { describe, expect, test } from 'vitest';
import { conditionOf, isConditionTrue, transitionTime, withCondition, withoutCondition } from './conditions.ts';

const ready = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' };
const stalled = { type: 'Stalled', status: 'False', lastTransitionTime: '2026-01-02T00:00:00Z' };
const now = '2026-02-01T00:00:00Z';

describe('conditions', () => {
  test.each([
    { case: 'no object', object: undefined, isTrue: false },
    { case: 'no status', object: {}, isTrue: false },
    { case: 'other conditions only', object: { status: { conditions: [stalled] } }, isTrue: false },
    { case: 'True', object: { status: { conditions: [stalled, ready] } }, isTrue: true },
    { case: 'Unknown', object: { status: { conditions: [{ ...ready, status: 'Unknown' }] } }, isTrue: false },
  ])('Ready with $case', ({ object, isTrue }) => {
    expect(isConditionTrue(object, 'Ready')).toBe(isTrue);
    if (isTrue) expect(conditionOf(object, 'Ready')).toBe(ready);
  });

  test.each([
    { case: 'a new condition', previous: undefined, status: 'True', time: now },
    { case: 'the same status', previous: ready, status: 'True', time: ready.lastTransitionTime },
    { case: 'another status', previous: ready, status: 'False', time: now },
    { case: 'a previous one without a time', previous: { type: 'Ready', status: 'True' }, status: 'True', time: now },
  ])('transition time of $case', ({ previous, status, time }) =>
    expect(transitionTime(previous, status, now)).toBe(time),
  );

  test.each([
    { case: 'none', list: undefined, next: ready, result: [ready] },
    { case: 'another type', list: [stalled], next: ready, result: [stalled, ready] },
    {
      case: 'its own type, in place',
      list: [{ ...ready, status: 'False' }, stalled],
      next: ready,
      result: [ready, stalled],
    },
  ])('set over $case', ({ list, next, result }) => expect(withCondition(list, next)).toEqual(result));

  test('remove', () => {
    expect(withoutCondition([ready, stalled], 'Ready')).toEqual([stalled]);
    expect(withoutCondition(undefined, 'Ready')).toEqual([]);
  });
});
