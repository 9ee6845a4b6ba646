import { describe, expect, test } from 'vitest';
import type { ExtensionPoint } from './plugin-points.ts';
import { type PluginSets, pluginsOfProfile } from './plugin-sets.ts';

const of = (sets: PluginSets) => pluginsOfProfile(sets, 's');
const namesAt = (sets: PluginSets, point: ExtensionPoint) => of(sets).at[point].join(' ');
const only = (...names: string[]) => ({ disabled: [{ name: '*' }], enabled: names.map((name) => ({ name })) });
const least = ['PrioritySort', 'DefaultBinder'];

const scores =
  'TaintToleration NodeAffinity NodeResourcesFit VolumeBinding PodTopologySpread InterPodAffinity ' +
  'DynamicResources NodeResourcesBalancedAllocation ImageLocality';

test.each<{ case: string; sets: PluginSets; point: ExtensionPoint; names: string }>([
  { case: 'the defaults', sets: {}, point: 'score', names: scores },
  {
    case: 'the defaults of another point',
    sets: {},
    point: 'preEnqueue',
    names: 'SchedulingGates DynamicResources DefaultPreemption',
  },
  {
    case: 'one disabled at its point',
    sets: { score: { disabled: [{ name: 'ImageLocality' }] } },
    point: 'score',
    names: scores.replace(' ImageLocality', ''),
  },
  {
    case: 'one disabled everywhere',
    sets: { multiPoint: { disabled: [{ name: 'ImageLocality' }] } },
    point: 'score',
    names: scores.replace(' ImageLocality', ''),
  },
  { case: 'all but one disabled', sets: { score: only('ImageLocality') }, point: 'score', names: 'ImageLocality' },
  {
    case: 'an own order: plugins of the point come first',
    sets: { score: { enabled: [{ name: 'ImageLocality' }, { name: 'NodeAffinity' }] } },
    point: 'score',
    names: `ImageLocality NodeAffinity ${scores.replace(' ImageLocality', '').replace(' NodeAffinity', '')}`,
  },
  {
    case: 'a set of all points that is replaced',
    sets: { multiPoint: only('ImageLocality', 'NodeName', ...least) },
    point: 'filter',
    names: 'NodeName',
  },
  {
    case: 'disabled and enabled again: at the end',
    sets: { multiPoint: { disabled: [{ name: 'NodeAffinity' }], enabled: [{ name: 'NodeAffinity' }] } },
    point: 'score',
    names: `${scores.replace(' NodeAffinity', '')} NodeAffinity`,
  },
])('$case', ({ sets, point, names }) => expect(namesAt(sets, point)).toBe(names));

test.each<{ case: string; sets: PluginSets; weights: Readonly<Record<string, number>> }>([
  { case: 'defaults', sets: {}, weights: { TaintToleration: 3, NodeAffinity: 2, ImageLocality: 1 } },
  {
    case: 'of all points',
    sets: { multiPoint: { enabled: [{ name: 'NodeAffinity', weight: 10 }] } },
    weights: { NodeAffinity: 10, TaintToleration: 3 },
  },
  {
    case: 'of the point, which wins',
    sets: {
      multiPoint: { enabled: [{ name: 'NodeAffinity', weight: 10 }] },
      score: { enabled: [{ name: 'NodeAffinity', weight: 5 }] },
    },
    weights: { NodeAffinity: 5 },
  },
  { case: 'none given', sets: { score: only('NodeAffinity') }, weights: { NodeAffinity: 1 } },
])('weights: $case', ({ sets, weights }) => {
  const { weightOf } = of(sets);
  expect(Object.fromEntries(Object.keys(weights).map((name) => [name, weightOf(name)]))).toEqual(weights);
});

describe('refused', () => {
  const prefix = 'initializing profiles: creating profile for scheduler name s: ';
  test.each<readonly [PluginSets, string]>([
    [{ score: { enabled: [{ name: 'Other' }] } }, 'ScorePlugin "Other" does not exist'],
    [{ multiPoint: { enabled: [{ name: 'Other' }] } }, ' "Other" does not exist'],
    [{ score: { enabled: [{ name: 'NodeName' }] } }, 'plugin "NodeName" does not extend ScorePlugin plugin'],
    [
      { score: { enabled: [{ name: 'ImageLocality' }, { name: 'ImageLocality' }] } },
      'plugin "ImageLocality" already registered as "ScorePlugin"',
    ],
    [
      { queueSort: { disabled: [{ name: '*' }] } },
      'only one queue sort plugin required for profile with scheduler name "s", but got 0',
    ],
    [{ bind: { disabled: [{ name: '*' }] } }, 'at least one bind plugin is needed for profile with scheduler name "s"'],
    [
      { preFilter: { disabled: [{ name: 'NodePorts' }] } },
      'plugin "NodePorts" is enabled as FilterPlugin, and not as PreFilterPlugin, which it needs',
    ],
  ])('%j', (sets, message) => {
    expect(() => of(sets)).toThrow(prefix);
    expect(() => of(sets)).toThrow(message);
  });
});
