// Cases of Kubernetes' policy_test.go of the topology manager.

import { describe, expect, test } from 'vitest';
import { type Hint, type Hints, maskOf } from './numa.ts';
import { mergeHints, type NumaLayout, type TopologyPolicy } from './topology-policy.ts';

const two: NumaLayout = { nodes: [0, 1], distances: new Map() };
const yes = (...nodes: number[]): Hint => ({ affinity: maskOf(nodes), isPreferred: true });
const no = (...nodes: number[]): Hint => ({ affinity: maskOf(nodes), isPreferred: false });
const any: Hint = { isPreferred: true };
const hints = (...lists: (readonly Hint[] | undefined)[]): Hints => new Map(lists.map((list, i) => [`r${i}`, list]));
const none = hints();

const merge = (policy: TopologyPolicy, providers: Hints[], layout = two, prefersClosest = false) =>
  mergeHints(providers, { policy, layout, prefersClosest });

describe('the merged hint', () => {
  test.each<[string, Hints[], Hint, Hint, boolean]>([
    // providers, best-effort and restricted, single-numa-node, admitted by restricted
    ['no provider', [], yes(0, 1), any, true],
    ['a provider without hints', [none], yes(0, 1), any, true],
    ['a resource without preference', [hints(undefined)], yes(0, 1), any, true],
    ['a resource that cannot be allocated', [hints([])], no(0, 1), { isPreferred: false }, false],
    ['one hint', [hints([yes(0)])], yes(0), yes(0), true],
    ['equal hints of two', [hints([yes(1)]), hints([yes(1)])], yes(1), yes(1), true],
    ['different hints of two', [hints([yes(0)]), hints([yes(1)])], no(0, 1), { isPreferred: false }, false],
    ['one of several', [hints([yes(0), yes(1)]), hints([yes(1)])], yes(1), yes(1), true],
    ['the lower of equal ones', [hints([yes(0), yes(1), no(0, 1)]), none], yes(0), yes(0), true],
    ['of no preferred one', [hints([no(0), no(1)]), hints([yes(1)])], no(1), { isPreferred: false }, false],
    ['of two nodes', [hints([yes(0, 1)]), hints([yes(0, 1)])], yes(0, 1), { isPreferred: false }, true],
    ['two nodes, one narrower', [hints([yes(0, 1)]), hints([yes(0)])], no(0), { isPreferred: false }, false],
    ['two resources of one', [hints([yes(0), no(0, 1)], [yes(0), yes(1), no(0, 1)])], yes(0), yes(0), true],
  ])('%s', (_, providers, best, singleNode, isAdmitted) => {
    expect(merge('best-effort', providers)).toEqual({ hint: best, isAdmitted: true });
    expect(merge('restricted', providers)).toEqual({ hint: best, isAdmitted });
    expect(merge('single-numa-node', providers)).toEqual({
      hint: singleNode,
      isAdmitted: singleNode.isPreferred,
    });
  });

  const four: NumaLayout = { nodes: [0, 1, 2, 3], distances: new Map() };
  test('is as wide as the resource that needs the most nodes, if none is preferred', () => {
    const wide = hints([no(0, 1), no(0, 1, 2), no(0, 1, 2, 3)]);
    const narrow = hints([no(0), no(1), no(0, 1), no(0, 1, 2), no(0, 1, 2, 3)]);
    expect(merge('best-effort', [wide, narrow], four).hint).toEqual(no(0, 1));
  });

  test('is of the closest nodes if they are to be preferred', () => {
    const distances = new Map([
      [0, [10, 40, 12, 40]],
      [1, [40, 10, 40, 40]],
      [2, [12, 40, 10, 40]],
      [3, [40, 40, 40, 10]],
    ]);
    const pairs = [hints([yes(0, 1), yes(0, 2), yes(0, 3)])];
    expect(merge('restricted', pairs, { ...four, distances }).hint).toEqual(yes(0, 1));
    expect(merge('restricted', pairs, { ...four, distances }, true).hint).toEqual(yes(0, 2));
  });

  test('of many resources takes no time', () => {
    const nodes = [0, 1, 2, 3, 4, 5, 6, 7];
    const all = Array.from({ length: 255 }, (_, i): Hint => ({ affinity: i + 1, isPreferred: (i & (i + 1)) === 0 }));
    const providers = Array.from({ length: 8 }, () => hints(all));
    expect(merge('restricted', providers, { nodes, distances: new Map() }).hint).toEqual(yes(0));
  });
});
