import { describe, expect, test } from 'vitest';
import { cacheOf, node, pod, scoresOf, verdictsOf } from '../test-objects.ts';
import { taintToleration } from './taint-toleration.ts';

const taint = (key: string, effect: string, value = '') => ({ key, effect, ...(value && { value }) });
const tainted = (...taints: object[]) => node('n', { taints });
const tolerating = (...tolerations: object[]) => pod({}, { tolerations });
const refused = 'node(s) had untolerated taint(s)';

describe('TaintToleration filters', () => {
  test.each([
    { case: 'no taints', coming: pod(), on: node('n'), verdict: 'fits' },
    { case: 'NoSchedule', coming: pod(), on: tainted(taint('a', 'NoSchedule')), verdict: refused },
    { case: 'NoExecute', coming: pod(), on: tainted(taint('a', 'NoExecute')), verdict: refused },
    { case: 'PreferNoSchedule', coming: pod(), on: tainted(taint('a', 'PreferNoSchedule')), verdict: 'fits' },
    {
      case: 'an equal value',
      coming: tolerating({ key: 'a', operator: 'Equal', value: 'v', effect: 'NoSchedule' }),
      on: tainted(taint('a', 'NoSchedule', 'v')),
      verdict: 'fits',
    },
    {
      case: 'another value',
      coming: tolerating({ key: 'a', operator: 'Equal', value: 'w', effect: 'NoSchedule' }),
      on: tainted(taint('a', 'NoSchedule', 'v')),
      verdict: refused,
    },
    {
      case: 'any value',
      coming: tolerating({ key: 'a', operator: 'Exists' }),
      on: tainted(taint('a', 'NoSchedule', 'v')),
      verdict: 'fits',
    },
    {
      case: 'any taint',
      coming: tolerating({ operator: 'Exists' }),
      on: tainted(taint('a', 'NoExecute'), taint('b', 'NoSchedule')),
      verdict: 'fits',
    },
    {
      case: 'another effect',
      coming: tolerating({ key: 'a', operator: 'Exists', effect: 'NoExecute' }),
      on: tainted(taint('a', 'NoSchedule')),
      verdict: refused,
    },
    {
      case: 'one of two',
      coming: tolerating({ key: 'a', operator: 'Exists' }),
      on: tainted(taint('a', 'NoSchedule'), taint('b', 'NoSchedule')),
      verdict: refused,
    },
  ])('$case: $verdict', ({ coming, on, verdict }) =>
    expect(verdictsOf(taintToleration, coming, cacheOf([on]))).toEqual({ n: verdict }),
  );
});

describe('TaintToleration scores', () => {
  const nodes = [
    node('none'),
    node('one', { taints: [taint('a', 'PreferNoSchedule')] }),
    node('two', { taints: [taint('a', 'PreferNoSchedule'), taint('b', 'PreferNoSchedule')] }),
    node('other', { taints: [taint('c', 'NoSchedule')] }),
  ];
  test.each([
    { case: 'no tolerations', coming: pod(), scores: { none: 100, one: 50, two: 0, other: 100 } },
    {
      case: 'one tolerated',
      coming: tolerating({ key: 'a', operator: 'Exists', effect: 'PreferNoSchedule' }),
      scores: { none: 100, one: 100, two: 0, other: 100 },
    },
    {
      case: 'a toleration of another effect',
      coming: tolerating({ key: 'a', operator: 'Exists', effect: 'NoSchedule' }),
      scores: { none: 100, one: 50, two: 0, other: 100 },
    },
    {
      case: 'all tolerated',
      coming: tolerating({ operator: 'Exists' }),
      scores: { none: 100, one: 100, two: 100, other: 100 },
    },
  ])('$case', ({ coming, scores }) => expect(scoresOf(taintToleration, coming, cacheOf(nodes))).toEqual(scores));

  test('nodes without such taints are all the same', () =>
    expect(scoresOf(taintToleration, pod(), cacheOf([node('n')]))).toBeUndefined());
});
