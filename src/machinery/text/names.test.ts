import { describe, expect, test } from 'vitest';
import {
  configMapKeyFaults,
  dns1035LabelFaults,
  dns1123LabelFaults,
  dns1123SubdomainFaults,
  labelValueFaults,
  portNameFaults,
  qualifiedNameFaults,
} from './names.ts';

describe('names', () => {
  test.each([
    {
      rule: dns1123LabelFaults,
      good: ['a', '1a', 'a-b', 'a'.repeat(63)],
      bad: ['', 'A', '-a', 'a-', 'a.b', 'a'.repeat(64)],
    },
    { rule: dns1035LabelFaults, good: ['a', 'a1'], bad: ['1a', 'a.b', ''] },
    { rule: dns1123SubdomainFaults, good: ['a.b', 'a', '1.2'], bad: ['a..b', 'a_b', '', 'a'.repeat(254)] },
    { rule: labelValueFaults, good: ['', 'A_b.c-1'], bad: ['a b', '-a', 'a'.repeat(64)] },
    { rule: qualifiedNameFaults, good: ['a', 'x.y/A_b'], bad: ['', '/a', 'x/', 'a/b/c', 'X/a', 'a b'] },
    { rule: configMapKeyFaults, good: ['a', '.a', 'A_b'], bad: ['', '.', '..', '..a', 'a/b'] },
    { rule: portNameFaults, good: ['http', 'a-1'], bad: ['', '1', 'a--b', '-a', 'HTTP', 'averyveryverylong'] },
  ])('$rule.name', ({ rule, good, bad }) => {
    expect(good.filter((name) => rule(name).length)).toEqual([]);
    expect(bad.filter((name) => !rule(name).length)).toEqual([]);
  });

  test('a refusal shows examples and the expression', () =>
    expect(dns1123SubdomainFaults('A')).toEqual([
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ]));
});
