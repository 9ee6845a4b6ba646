import { describe, expect, test } from 'vitest';
import { nodeLabelWarning, nodeSelectorWarnings, nodeTermWarnings } from './node-labels.ts';

test.each([
  ['beta.kubernetes.io/arch', 'deprecated since v1.14; use "kubernetes.io/arch" instead'],
  ['beta.kubernetes.io/os', 'deprecated since v1.14; use "kubernetes.io/os" instead'],
  ['failure-domain.beta.kubernetes.io/zone', 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'],
  ['node-role.kubernetes.io/master', 'use "node-role.kubernetes.io/control-plane" instead'],
  ['kubernetes.io/arch', undefined],
  ['constructor', undefined],
])('%s: %s', (key, warning) => expect(nodeLabelWarning(key)).toBe(warning));

const zone = 'failure-domain.beta.kubernetes.io/zone';
const use = 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead';

describe('a term of a node selector', () => {
  const term = (key: string, ...values: string[]) => ({ matchExpressions: [{ key, operator: 'In', values } as const] });
  test.each([
    ['a key with a newer name', term(zone, 'a'), true, [`t.matchExpressions[0].key: ${zone} is ${use}`]],
    ['a usual key', term('disk', 'ssd'), true, []],
    [
      'a value that is no label',
      term('disk', 'no!'),
      true,
      [expect.stringContaining('t.matchExpressions[0].values[0]: no! is invalid, a valid label must be')],
    ],
    ['a value that is no label, of a pod that exists', term('disk', 'no!'), false, []],
    ['no term', undefined, true, []],
  ])('%s', (_, given, checksValues, warnings) => expect(nodeTermWarnings(given, checksValues, 't')).toEqual(warnings));
});

test('the selector of a topology names old keys in both forms', () => {
  const selector = {
    matchExpressions: [{ key: zone, operator: 'Exists' as const }],
    matchLabels: { [zone]: 'a', disk: 'ssd' },
  };
  expect(nodeSelectorWarnings(selector, 's')).toEqual([
    `s.matchExpressions[0].key: ${zone} is ${use}`,
    `s.matchLabels.${zone}: ${use}`,
  ]);
});
