import { describe, expect, test } from 'vitest';
import type { LabelSelector } from '../../api/api.ts';
import { selectorText, shownSelector } from './selector-text.ts';

const requirement = (key: string, operator: string, ...values: string[]) => ({ key, operator, values });
const of = (...matchExpressions: object[]) => ({ matchExpressions }) as LabelSelector;

describe('in a query', () => {
  test.each<[LabelSelector | undefined, string]>([
    [undefined, ''],
    [{}, ''],
    [{ matchLabels: { app: 'web', tier: 'front' } }, 'app=web,tier=front'],
    [of(requirement('app', 'In', 'a', 'b')), 'app in (a,b)'],
    [of(requirement('app', 'NotIn', 'a')), 'app notin (a)'],
    [of(requirement('app', 'Exists')), 'app'],
    [of(requirement('app', 'DoesNotExist')), '!app'],
    [{ matchLabels: { tier: 'front' }, ...of(requirement('app', 'Exists')) }, 'tier=front,app'],
  ])('%j: %s', (selector, text) => expect(selectorText(selector)).toBe(text));

  test('another operator is an error', () =>
    expect(() => selectorText(of(requirement('app', 'Near')))).toThrow(
      '"Near" is not a valid label selector operator',
    ));
});

describe('in a message', () => {
  test.each<[LabelSelector | undefined, string]>([
    [undefined, 'nil'],
    [{}, '&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{},}'],
    [
      { matchLabels: { b: '2', a: '1' }, ...of(requirement('app', 'In', 'x', 'y')) },
      '&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:app,Operator:In,Values:[x y],},},}',
    ],
  ])('%j', (selector, text) => expect(shownSelector(selector)).toBe(text));
});
