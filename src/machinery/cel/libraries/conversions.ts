// Conversions between types, size(), and the standard methods of strings and times.

import { compilePattern, PatternError } from '../../text/pattern.ts';
import { regexFactor, stringFactor } from '../cost/cost-range.ts';
import { type FunctionDeclaration, global, type Implementation, type Library, member, typeA } from '../declarations.ts';
import { textOf } from '../format.ts';
import {
  doubleFromText,
  doubleText,
  doubleToInt,
  doubleToUint,
  intFromText,
  toInt,
  toUint,
  uintFromText,
} from '../numbers.ts';
import {
  durationFromText,
  formatDuration,
  formatTimestamp,
  inRange,
  type TimeParts,
  timeParts,
  timestampFromText,
  unixSeconds,
} from '../time.ts';
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  nullType,
  stringType,
  type Type,
  timestampType,
  typeOf,
  typeType,
  uintType,
} from '../types.ts';
import {
  Duration,
  fail,
  noOverload,
  sizeOf,
  Timestamp,
  TypeValue,
  typeNameOf,
  type Uint,
  type Value,
} from '../values.ts';

const cannot = (from: string, to: string): never => fail(`type conversion error from '${from}' to '${to}'`);
const fromString = (value: Value | undefined, to: string): Value => value ?? cannot('string', to);
const identity: Implementation = (value: Value) => value;

const truths: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true])),
  ...Object.fromEntries(['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false])),
};

const utf8 = new TextEncoder();

/** One overload for each type that converts. */
const conversion = (
  name: string,
  result: Type,
  from: readonly (readonly [id: string, type: Type, convert: Implementation])[],
): FunctionDeclaration => ({ name, overloads: from.map(([id, type, call]) => global(id, [type], result, call)) });

const conversions: readonly FunctionDeclaration[] = [
  conversion('bool', boolType, [
    ['bool_to_bool', boolType, identity],
    [
      'string_to_bool',
      stringType,
      (text: string) => fromString(Object.hasOwn(truths, text) ? truths[text] : undefined, 'bool'),
    ],
  ]),
  conversion('bytes', bytesType, [
    ['bytes_to_bytes', bytesType, identity],
    ['string_to_bytes', stringType, (text: string) => utf8.encode(text)],
  ]),
  conversion('double', doubleType, [
    ['double_to_double', doubleType, identity],
    ['int64_to_double', intType, (value: bigint) => Number(value)],
    ['string_to_double', stringType, (text: string) => fromString(doubleFromText(text), 'double')],
    ['uint64_to_double', uintType, ({ value }: Uint) => Number(value)],
  ]),
  conversion('duration', durationType, [
    ['duration_to_duration', durationType, identity],
    ['int64_to_duration', intType, (nanos: bigint) => new Duration(nanos)],
    [
      'string_to_duration',
      stringType,
      (text: string) => fromString(durationFromText(text), 'google.protobuf.Duration'),
    ],
  ]),
  conversion('int', intType, [
    ['int64_to_int64', intType, identity],
    ['double_to_int64', doubleType, doubleToInt],
    ['duration_to_int64', durationType, ({ nanos }: Duration) => nanos],
    ['string_to_int64', stringType, (text: string) => fromString(intFromText(text), 'int')],
    ['timestamp_to_int64', timestampType, unixSeconds],
    ['uint64_to_int64', uintType, ({ value }: Uint) => toInt(value)],
  ]),
  conversion('string', stringType, [
    ['string_to_string', stringType, identity],
    ['bool_to_string', boolType, String],
    [
      'bytes_to_string',
      bytesType,
      (bytes: Uint8Array) => textOf(bytes) ?? fail('invalid UTF-8 in bytes, cannot convert to string'),
    ],
    ['double_to_string', doubleType, doubleText],
    ['duration_to_string', durationType, formatDuration],
    ['int64_to_string', intType, String],
    ['timestamp_to_string', timestampType, formatTimestamp],
    ['uint64_to_string', uintType, ({ value }: Uint) => String(value)],
  ]),
  conversion('timestamp', timestampType, [
    ['timestamp_to_timestamp', timestampType, identity],
    [
      'int64_to_timestamp',
      intType,
      (seconds: bigint) => {
        const nanos = seconds * 1_000_000_000n;
        return inRange(nanos) ? new Timestamp(nanos) : fail('timestamp overflow');
      },
    ],
    [
      'string_to_timestamp',
      stringType,
      (text: string) => fromString(timestampFromText(text), 'google.protobuf.Timestamp'),
    ],
  ]),
  conversion('uint', uintType, [
    ['uint64_to_uint64', uintType, identity],
    ['double_to_uint64', doubleType, doubleToUint],
    ['int64_to_uint64', intType, toUint],
    ['string_to_uint64', stringType, (text: string) => fromString(uintFromText(text), 'uint')],
  ]),
  { name: 'dyn', overloads: [global('to_dyn', [typeA], dynType)], call: identity },
  {
    name: 'type',
    overloads: [global('type', [typeA], typeOf(typeA))],
    call: (value: Value) => new TypeValue(typeNameOf(value)),
  },
];

const listA = listType(typeA);
const anyMap = mapType(typeA, dynType);

const size: FunctionDeclaration = {
  name: 'size',
  overloads: (
    [
      ['bytes', bytesType],
      ['list', listA],
      ['map', anyMap],
      ['string', stringType],
    ] as const
  ).flatMap(([id, type]) => [global(`size_${id}`, [type], intType), member(`${id}_size`, [type], intType)]),
  call: (value: Value) => BigInt(sizeOf(value) ?? noOverload('size')),
};

/** Throws EvaluationFault for a text that is no pattern. */
export function patternOf(text: string, prefix = ''): ReturnType<typeof compilePattern> {
  try {
    return compilePattern(text);
  } catch (error) {
    if (error instanceof PatternError) return fail(prefix + error.message);
    throw error;
  }
}

/** The cost of a match, by the lengths of text and pattern. */
export const matchCost = (text: Value, pattern: Value): number =>
  Math.ceil((1 + (sizeOf(text) ?? 1)) * stringFactor) * Math.ceil((sizeOf(pattern) ?? 1) * regexFactor);

const test = (id: string, name: string, holds: (text: string, part: string) => boolean): FunctionDeclaration => ({
  name,
  overloads: [member(id, [stringType, stringType], boolType)],
  call: (text, part) => (typeof text === 'string' && typeof part === 'string' ? holds(text, part) : noOverload()),
});

const matches: Implementation = (text, pattern) =>
  typeof text === 'string' && typeof pattern === 'string'
    ? patternOf(pattern).test(text)
    : noOverload(typeof text === 'string' ? '' : 'matches');

const stringTests: readonly FunctionDeclaration[] = [
  test('contains_string', 'contains', (text, part) => text.includes(part)),
  test('ends_with_string', 'endsWith', (text, part) => text.endsWith(part)),
  test('starts_with_string', 'startsWith', (text, part) => text.startsWith(part)),
  {
    name: 'matches',
    overloads: [
      global('matches', [stringType, stringType], boolType),
      member('matches_string', [stringType, stringType], boolType),
    ],
    call: matches,
  },
];

const nanosPer = {
  hours: 3_600_000_000_000n,
  minutes: 60_000_000_000n,
  seconds: 1_000_000_000n,
  milliseconds: 1_000_000n,
};

/** A part of a time in UTC, or in a zone; of a duration too, where it has such a part. */
function timePart(
  name: string,
  id: string,
  read: (parts: TimeParts) => number,
  part?: keyof typeof nanosPer,
): FunctionDeclaration {
  const inZone = (time: Timestamp, zone: string) => {
    const parts = timeParts(time, zone);
    return parts ? BigInt(read(parts)) : fail(`unknown time zone ${zone}`);
  };
  const divisor = part && nanosPer[part];
  return {
    name,
    overloads: [
      member(`timestamp_to_${id}`, [timestampType], intType, (time: Timestamp) => inZone(time, 'UTC')),
      member(`timestamp_to_${id}_with_tz`, [timestampType, stringType], intType, inZone),
      ...(divisor
        ? [member(`duration_to_${id}`, [durationType], intType, ({ nanos }: Duration) => nanos / divisor)]
        : []),
    ],
  };
}

const timeFunctions: readonly FunctionDeclaration[] = [
  timePart('getFullYear', 'year', ({ year }) => year),
  timePart('getMonth', 'month', ({ month }) => month),
  timePart('getDayOfYear', 'day_of_year', ({ dayOfYear }) => dayOfYear),
  timePart('getDayOfMonth', 'day_of_month', ({ day }) => day - 1),
  timePart('getDate', 'day_of_month_1_based', ({ day }) => day),
  timePart('getDayOfWeek', 'day_of_week', ({ dayOfWeek }) => dayOfWeek),
  timePart('getHours', 'hours', ({ hours }) => hours, 'hours'),
  timePart('getMinutes', 'minutes', ({ minutes }) => minutes, 'minutes'),
  timePart('getSeconds', 'seconds', ({ seconds }) => seconds, 'seconds'),
  timePart('getMilliseconds', 'milliseconds', ({ milliseconds }) => milliseconds, 'milliseconds'),
];

const named = [boolType, bytesType, doubleType, durationType, intType, nullType, stringType, timestampType, uintType];

export const standard: Library = {
  functions: [...conversions, size, ...stringTests, ...timeFunctions],
  types: [
    ...named.map((type) => [type.name, type] as const),
    ['list', listType(dynType)],
    ['map', mapType(dynType, dynType)],
    ['type', typeType],
  ],
};
