import { describe, expect, test } from 'vitest';
import type { Node, Pod, Taint } from '../../api/api.ts';
import { toleratedSeconds, withConditionTaints, withNoExecute } from './taints.ts';

const node = (spec: object, conditions: object[] = []) => ({ spec, status: { conditions } }) as unknown as Node;
const names = (taints: readonly Taint[]) => taints.map(({ key, effect }) => `${key}:${effect}`);
const noSchedule = (key: string): Taint => ({ key, effect: 'NoSchedule' });
const noExecute = (key: string, value?: string): Taint => ({ key, effect: 'NoExecute', ...(value && { value }) });
const notReady = 'node.kubernetes.io/not-ready';
const unreachable = 'node.kubernetes.io/unreachable';

test.each([
  ['a ready node', {}, [{ type: 'Ready', status: 'True' }], []],
  ['a node that is not ready', {}, [{ type: 'Ready', status: 'False' }], [`${notReady}:NoSchedule`]],
  ['an unreachable node', {}, [{ type: 'Ready', status: 'Unknown' }], [`${unreachable}:NoSchedule`]],
  [
    'pressure',
    {},
    [
      { type: 'MemoryPressure', status: 'True' },
      { type: 'DiskPressure', status: 'False' },
    ],
    ['node.kubernetes.io/memory-pressure:NoSchedule'],
  ],
  ['a cordoned node', { unschedulable: true }, [], ['node.kubernetes.io/unschedulable:NoSchedule']],
  ['a node that has recovered', { taints: [noSchedule(notReady)] }, [{ type: 'Ready', status: 'True' }], []],
  ['the taint of a user', { taints: [noSchedule('a')] }, [], ['a:NoSchedule']],
])('conditions of %s', (_, spec, conditions, expected) =>
  expect(names(withConditionTaints(node(spec, conditions), 0))).toEqual(expected),
);

test.each([
  ['none, for a node without problems', [], undefined, []],
  ['one for a new problem', [], notReady, [`${notReady}:NoExecute`]],
  ['the other one after a change', [noExecute(notReady)], unreachable, [`${unreachable}:NoExecute`]],
  ['none after recovery', [noExecute(unreachable)], undefined, []],
  ['that of a user', [noExecute('a')], undefined, ['a:NoExecute']],
])('NoExecute taints: %s', (_, taints, key, expected) =>
  expect(names(withNoExecute(node({ taints }), key, 0))).toEqual(expected),
);

describe('the seconds that a pod tolerates', () => {
  const never = Number.POSITIVE_INFINITY;
  test.each<[string, object[], Taint[], number]>([
    ['no taint', [], [], never],
    ['a taint without a toleration', [], [noExecute('a')], 0],
    ['a toleration without a limit', [{ key: 'a', operator: 'Exists' }], [noExecute('a', 'x')], never],
    ['a limit', [{ key: 'a', operator: 'Exists', tolerationSeconds: 30 }], [noExecute('a')], 30],
    ['a negative limit', [{ key: 'a', operator: 'Exists', tolerationSeconds: -1 }], [noExecute('a')], 0],
    ['an equal value', [{ key: 'a', value: 'x' }], [noExecute('a', 'x')], never],
    ['another value', [{ key: 'a', value: 'y' }], [noExecute('a', 'x')], 0],
    ['another effect', [{ key: 'a', operator: 'Exists', effect: 'NoSchedule' }], [noExecute('a')], 0],
    ['a toleration of everything', [{ operator: 'Exists' }], [noExecute('a'), noExecute('b')], never],
    [
      'the shortest of two',
      [
        { key: 'a', operator: 'Exists', tolerationSeconds: 60 },
        { key: 'b', operator: 'Exists', tolerationSeconds: 20 },
      ],
      [noExecute('a'), noExecute('b')],
      20,
    ],
    ['one of two taints', [{ key: 'a', operator: 'Exists' }], [noExecute('a'), noExecute('b')], 0],
  ])('%s', (_, tolerations, taints, seconds) =>
    expect(toleratedSeconds({ spec: { tolerations } } as unknown as Pod, taints)).toBe(seconds),
  );
});
