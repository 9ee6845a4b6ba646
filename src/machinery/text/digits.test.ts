import { expect, test } from 'vitest';
import { durationFromText } from '../cel/time.ts';
import { shortInteger } from './digits.ts';

test.each([
  ['', 0n],
  ['0', 0n],
  ['007', 7n],
  ['18446744073709551616', 18446744073709551616n],
  ['100000000000000000000', undefined],
  ['0'.repeat(100) + '12', 12n],
])('%j', (digits, value) => expect(shortInteger(digits)).toBe(value));

test.each([
  ['9223372036854775807ns', 9223372036854775807n],
  ['00000000000000000000001s', 1_000_000_000n],
  ['0.1234567890123456789012345s', 123_456_789n],
  ['9'.repeat(3 << 20) + 's', undefined],
  ['0.' + '9'.repeat(3 << 20) + 's', 999_999_999n],
])('a duration of many digits', (text, nanos) => expect(durationFromText(text)?.nanos).toBe(nanos));
