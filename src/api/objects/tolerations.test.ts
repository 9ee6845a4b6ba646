import { describe, expect, test } from 'vitest';
import type { Taint, Toleration } from '../generated/types.ts';
import { tolerates, toleratesDeviceTaint } from './tolerations.ts';

const taint = (key: string, value: string | undefined, effect: Taint['effect']): Taint => ({
  ...{ key, effect },
  ...(value !== undefined && { value }),
});

describe('a toleration of a taint', () => {
  test.each<[string, Toleration, Taint, boolean]>([
    [
      'Exists, taint without value',
      { key: 'foo', operator: 'Exists', effect: 'NoSchedule' },
      taint('foo', undefined, 'NoSchedule'),
      true,
    ],
    [
      'Exists, taint with value',
      { key: 'foo', operator: 'Exists', effect: 'NoSchedule' },
      taint('foo', 'bar', 'NoSchedule'),
      true,
    ],
    ['Exists for all keys', { operator: 'Exists', effect: 'NoSchedule' }, taint('foo', 'bar', 'NoSchedule'), true],
    ['Exists for all keys and effects', { operator: 'Exists' }, taint('foo', 'bar', 'NoExecute'), true],
    [
      'Equal, the same value',
      { key: 'foo', operator: 'Equal', value: 'bar', effect: 'NoSchedule' },
      taint('foo', 'bar', 'NoSchedule'),
      true,
    ],
    ['Equal by default', { key: 'foo', value: 'bar', effect: 'NoSchedule' }, taint('foo', 'bar', 'NoSchedule'), true],
    ['Equal, no value on either side', { key: 'foo', operator: 'Equal' }, taint('foo', undefined, 'NoSchedule'), true],
    [
      'another value',
      { key: 'foo', operator: 'Equal', value: 'value1', effect: 'NoSchedule' },
      taint('foo', 'value2', 'NoSchedule'),
      false,
    ],
    [
      'another effect',
      { key: 'foo', operator: 'Equal', value: 'bar', effect: 'NoSchedule' },
      taint('foo', 'bar', 'NoExecute'),
      false,
    ],
    ['another key', { key: 'foo', operator: 'Exists' }, taint('bar', undefined, 'NoSchedule'), false],
    ['neither key nor operator', {}, taint('foo', undefined, 'NoSchedule'), false],
  ])('%s', (_, toleration, against, isTolerated) => expect(tolerates([toleration], against)).toBe(isTolerated));

  test('one of several is enough; none tolerates nothing', () => {
    const given = taint('a', undefined, 'NoSchedule');
    expect(
      tolerates(
        [
          { key: 'b', operator: 'Exists' },
          { key: 'a', operator: 'Exists' },
        ],
        given,
      ),
    ).toBe(true);
    expect(tolerates([], given)).toBe(false);
    expect(tolerates(undefined, given)).toBe(false);
  });
});

describe('a toleration of the taint of a device', () => {
  const broken = { key: 'broken', value: 'yes', effect: 'NoExecute' } as const;
  test.each([
    ['Exists without a key', { operator: 'Exists' }, true],
    ['Exists with the key', { key: 'broken', operator: 'Exists' }, true],
    ['Equal without a key', { operator: 'Equal', value: 'yes' }, true],
    ['another value', { key: 'broken', operator: 'Equal', value: 'no' }, false],
    ['another effect', { operator: 'Exists', effect: 'NoSchedule' }, false],
    ['another key', { key: 'old', operator: 'Exists' }, false],
  ] as const)('%s', (_, toleration, isTolerated) => expect(toleratesDeviceTaint(toleration, broken)).toBe(isTolerated));
});
