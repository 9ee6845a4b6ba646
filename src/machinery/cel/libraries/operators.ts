// The standard operators. https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions

import {
  type FunctionDeclaration,
  global,
  type Implementation,
  type Library,
  type Overload,
  typeA,
  typeB,
} from '../declarations.ts';
import { leastInt, mostInt, toInt, toUint } from '../numbers.ts';
import { inRange } from '../time.ts';
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  optionalType,
  stringType,
  type Type,
  timestampType,
  uintType,
} from '../types.ts';
import { CelList, CelMap, compare, Duration, fail, noOverload, Timestamp, Uint, type Value } from '../values.ts';

type Binary = (a: Value, b: Value) => Value;

const duration = (nanos: bigint): Duration =>
  nanos > mostInt || nanos < leastInt ? fail('duration overflow') : new Duration(nanos);
const timestamp = (nanos: bigint, { offsetSeconds }: Timestamp): Timestamp =>
  inRange(nanos) ? new Timestamp(nanos, offsetSeconds) : fail('timestamp overflow');

function concatBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** `name` is the operator if no value of the left type can be its operand. */
const unsupported = (name: string): never => noOverload(name);

const addValues: Binary = (a, b) => {
  switch (typeof a) {
    case 'bigint':
      return typeof b === 'bigint' ? toInt(a + b) : noOverload();
    case 'number':
      return typeof b === 'number' ? a + b : noOverload();
    case 'string':
      return typeof b === 'string' ? a + b : noOverload();
  }
  if (a instanceof Uint) return b instanceof Uint ? toUint(a.value + b.value) : noOverload();
  if (a instanceof CelList) return b instanceof CelList ? a.concat(b) : noOverload();
  if (a instanceof Uint8Array) return b instanceof Uint8Array ? concatBytes(a, b) : noOverload();
  if (a instanceof Timestamp) return b instanceof Duration ? timestamp(a.nanos + b.nanos, a) : noOverload();
  if (!(a instanceof Duration)) return unsupported('_+_');
  if (b instanceof Timestamp) return timestamp(b.nanos + a.nanos, b);
  return b instanceof Duration ? duration(a.nanos + b.nanos) : noOverload();
};

const subtractValues: Binary = (a, b) => {
  if (typeof a === 'bigint') return typeof b === 'bigint' ? toInt(a - b) : noOverload();
  if (typeof a === 'number') return typeof b === 'number' ? a - b : noOverload();
  if (a instanceof Uint) return b instanceof Uint ? toUint(a.value - b.value) : noOverload();
  if (a instanceof Duration) return b instanceof Duration ? duration(a.nanos - b.nanos) : noOverload();
  if (!(a instanceof Timestamp)) return unsupported('_-_');
  if (b instanceof Timestamp) return duration(a.nanos - b.nanos);
  return b instanceof Duration ? timestamp(a.nanos - b.nanos, a) : noOverload();
};

/** Operators on two numbers of one type. */
const arithmetic =
  (name: string, integers: (a: bigint, b: bigint) => bigint, doubles?: (a: number, b: number) => number): Binary =>
  (a, b) => {
    if (typeof a === 'bigint') return typeof b === 'bigint' ? toInt(integers(a, b)) : noOverload();
    if (a instanceof Uint) return b instanceof Uint ? toUint(integers(a.value, b.value)) : noOverload();
    if (typeof a !== 'number' || !doubles) return unsupported(name);
    return typeof b === 'number' ? doubles(a, b) : noOverload();
  };

const negate = (value: unknown): Value => {
  if (typeof value === 'bigint') return toInt(-value);
  return typeof value === 'number' ? -value : unsupported('-_');
};

const comparable = (value: Value): boolean =>
  ['bigint', 'number', 'string', 'boolean'].includes(typeof value) ||
  value instanceof Uint ||
  value instanceof Uint8Array ||
  value instanceof Timestamp ||
  value instanceof Duration;

const order =
  (name: string, holds: (order: number) => boolean): Binary =>
  (a, b) =>
    comparable(a) ? holds(compare(a, b)) : unsupported(name);

const contains: Binary = (value, container) => {
  if (container instanceof CelList) return container.contains(value);
  return container instanceof CelMap ? container.has(value) : noOverload();
};

const of = (name: string, overloads: readonly Overload[], call?: Implementation): FunctionDeclaration => ({
  name,
  overloads,
  ...(call && { call }),
});

const same = (id: string, type: Type): Overload => global(id, [type, type], type);

const numberTypes = [
  ['int64', intType],
  ['uint64', uintType],
  ['double', doubleType],
] as const;

/** Overloads of <, <=, > and >=. Numbers of different types may be compared. */
function orderOverloads(prefix: string): Overload[] {
  const of = (id: string, a: Type, b: Type) => global(`${prefix}_${id}`, [a, b], boolType);
  return [
    of('bool', boolType, boolType),
    ...numberTypes.flatMap(([id, type]) => [
      of(id, type, type),
      ...numberTypes.filter(([other]) => other !== id).map(([other, right]) => of(`${id}_${other}`, type, right)),
    ]),
    of('string', stringType, stringType),
    of('bytes', bytesType, bytesType),
    of('timestamp', timestampType, timestampType),
    of('duration', durationType, durationType),
  ];
}

const listA = listType(typeA);
const mapAB = mapType(typeA, typeB);
const optionalB = optionalType(typeB);
const optionalA = optionalType(typeA);

export const operators: Library = {
  functions: [
    of('_?_:_', [global('conditional', [boolType, typeA, typeA], typeA)]),
    of('_&&_', [global('logical_and', [boolType, boolType], boolType)]),
    of('_||_', [global('logical_or', [boolType, boolType], boolType)]),
    of('!_', [global('logical_not', [boolType], boolType)], (value) =>
      typeof value === 'boolean' ? !value : unsupported('!_'),
    ),
    of('@not_strictly_false', [global('not_strictly_false', [boolType], boolType)]),
    of('_==_', [global('equals', [typeA, typeA], boolType)]),
    of('_!=_', [global('not_equals', [typeA, typeA], boolType)]),
    of(
      '_+_',
      [
        same('add_bytes', bytesType),
        same('add_double', doubleType),
        same('add_duration_duration', durationType),
        global('add_duration_timestamp', [durationType, timestampType], timestampType),
        global('add_timestamp_duration', [timestampType, durationType], timestampType),
        same('add_int64', intType),
        same('add_list', listA),
        same('add_string', stringType),
        same('add_uint64', uintType),
      ],
      addValues,
    ),
    of(
      '_-_',
      [
        same('subtract_double', doubleType),
        same('subtract_duration_duration', durationType),
        same('subtract_int64', intType),
        global('subtract_timestamp_duration', [timestampType, durationType], timestampType),
        global('subtract_timestamp_timestamp', [timestampType, timestampType], durationType),
        same('subtract_uint64', uintType),
      ],
      subtractValues,
    ),
    of(
      '_*_',
      [same('multiply_double', doubleType), same('multiply_int64', intType), same('multiply_uint64', uintType)],
      arithmetic(
        '_*_',
        (a, b) => a * b,
        (a, b) => a * b,
      ),
    ),
    of(
      '_/_',
      [same('divide_double', doubleType), same('divide_int64', intType), same('divide_uint64', uintType)],
      arithmetic(
        '_/_',
        (a, b) => (b === 0n ? fail('division by zero') : a / b),
        (a, b) => a / b,
      ),
    ),
    of(
      '_%_',
      [same('modulo_int64', intType), same('modulo_uint64', uintType)],
      arithmetic('_%_', (a, b) => (b === 0n ? fail('modulus by zero') : a % b)),
    ),
    of('-_', [global('negate_double', [doubleType], doubleType), global('negate_int64', [intType], intType)], negate),
    of(
      '_<_',
      orderOverloads('less'),
      order('_<_', (sign) => sign < 0),
    ),
    of(
      '_<=_',
      orderOverloads('less_equals'),
      order('_<=_', (sign) => sign <= 0),
    ),
    of(
      '_>_',
      orderOverloads('greater'),
      order('_>_', (sign) => sign > 0),
    ),
    of(
      '_>=_',
      orderOverloads('greater_equals'),
      order('_>=_', (sign) => sign >= 0),
    ),
    of('@in', [global('in_list', [typeA, listA], boolType), global('in_map', [typeA, mapAB], boolType)], contains),
    of('_[_]', [
      global('index_list', [listA, intType], typeA),
      global('index_map', [mapAB, typeA], typeB),
      global('optional_list_index_int', [optionalType(listA), intType], optionalA),
      global('optional_map_index_value', [optionalType(mapAB), typeA], optionalB),
    ]),
    of('_?._', [global('select_optional_field', [dynType, stringType], optionalB)]),
    of('_[?_]', [
      global('list_optindex_optional_int', [listA, intType], optionalA),
      global('optional_list_optindex_optional_int', [optionalType(listA), intType], optionalA),
      global('map_optindex_optional_value', [mapAB, typeA], optionalB),
      global('optional_map_optindex_optional_value', [optionalType(mapAB), typeA], optionalB),
    ]),
  ],
};
