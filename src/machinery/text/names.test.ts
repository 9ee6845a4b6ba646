import { describe, expect, test } from 'vitest';
import { pathSegments, setAt, splitSubscript, valueAt } from '../fields/field-path.ts';
import { cidrContains, formatIp, nthAddress, nthSubnet, parseCidr, parseIp } from '../ip.ts';
import { formatDuration, humanDuration, parseDuration } from '../time/duration.ts';
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

describe('addresses', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
    ['::', '::'],
  ])('%s is written %s', (text, canonical) => expect(formatIp(parseIp(text)!)).toBe(canonical));

  test.each(['', '1.2.3', '1.2.3.256', '01.2.3.4', '1::2::3', ':1', '12345::', 'x'])('%j is no address', (text) =>
    expect(parseIp(text)).toBeUndefined(),
  );

  test('ranges', () => {
    const range = parseCidr('10.96.0.0/12')!;
    expect(cidrContains(range, parseIp('10.97.1.1')!)).toBe(true);
    expect(cidrContains(range, parseIp('10.112.0.0')!)).toBe(false);
    expect(nthAddress(range, 10)).toBe('10.96.0.10');
    expect(nthSubnet(parseCidr('10.244.0.0/16')!, 24, 3)?.base).toBe(parseIp('10.244.3.0')!.value);
    expect(nthSubnet(parseCidr('10.244.0.0/16')!, 24, 256)).toBeUndefined();
    expect(parseCidr('10.0.0.0/33')).toBeUndefined();
  });
});

describe('durations', () => {
  test.each([
    ['1h15m30.5s', 4530500],
    ['250ms', 250],
    ['0', 0],
    ['-1s', -1000],
    ['1', undefined],
    ['x', undefined],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each([
    [0, '0s'],
    [1500, '1.5s'],
    [3600000, '1h0m0s'],
    [90, '90ms'],
  ])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  test.each([
    [5, '5s'],
    [119, '119s'],
    [121, '2m1s'],
    [600, '10m'],
    [3 * 3600 + 60, '3h1m'],
    [9 * 3600, '9h'],
    [3 * 86400 + 7200, '3d2h'],
    [30 * 86400, '30d'],
    [3 * 365 * 86400, '3y'],
  ])('an age of %d s is %s', (seconds, text) => expect(humanDuration(seconds * 1000)).toBe(text));
});

describe('paths', () => {
  const object = { spec: { containers: [{ name: 'a' }] }, metadata: { labels: { 'x.y/z': '1' } } };
  test.each([
    ['spec.containers[0].name', 'a'],
    ["metadata.labels['x.y/z']", '1'],
    ['spec.none.at.all', undefined],
  ])('%s', (path, value) => expect(valueAt(object, path)).toBe(value));

  test('are made on the way when set', () => {
    const made = {};
    setAt(made, 'a.b.c', 1);
    expect(made).toEqual({ a: { b: { c: 1 } } });
    expect(pathSegments('a[2].b')).toEqual(['a', 2, 'b']);
    expect(splitSubscript("metadata.labels['a/b']")).toEqual({ path: 'metadata.labels', subscript: 'a/b' });
  });
});
