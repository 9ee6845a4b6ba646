// Optional values, and building maps in folds.
// https://pkg.go.dev/github.com/google/cel-go/cel#OptionalTypes https://pkg.go.dev/github.com/google/cel-go/ext#TwoVarComprehensions

import { global, type Library, member, typeA, typeB } from '../declarations.ts';
import { boolType, dynType, listType, mapType, optionalType } from '../types.ts';
import {
  ArrayList,
  type CelList,
  CelMap,
  Duration,
  type EntryMap,
  fail,
  CelList as List,
  none,
  Optional,
  Timestamp,
  Uint,
  type Value,
} from '../values.ts';

const optionalA = optionalType(typeA);

/** Go's zero time: the first second of the year 1. */
const zeroTime = -62_135_596_800_000_000_000n;

const isZero = (value: Value): boolean => {
  if (value === null || value === false || value === '' || value === 0 || value === 0n) return true;
  if (value instanceof List || value instanceof CelMap) return value.size === 0;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Duration) return value.nanos === 0n;
  if (value instanceof Timestamp) return value.nanos === zeroTime;
  return value instanceof Optional && value.value === undefined;
};

function unwrapAll(list: CelList): CelList {
  const values: Value[] = [];
  for (const item of list) {
    if (!(item instanceof Optional)) return fail(`value ${String(item)} is not optional`);
    if (item.value !== undefined) values.push(item.value);
  }
  return new ArrayList(values);
}

/** Only the fold holds the map until it ends, so entries are added in place. */
function insert(map: EntryMap, key: Value, value: Value): EntryMap {
  if (map.find(key) !== undefined) return fail(`insert failed: key ${keyText(key)} already exists`);
  map.insert(key, value);
  return map;
}

function insertAll(map: EntryMap, added: CelMap): EntryMap {
  for (const key of added.keys()) insert(map, key, added.find(key) as Value);
  return map;
}

const keyText = (key: Value): string => String(key instanceof Uint ? key.value : key);

const map = mapType(typeA, typeB);

export const optionals: Library = {
  types: [['optional_type', optionalType(dynType)]],
  functions: [
    {
      name: 'optional.of',
      overloads: [global('optional_of', [typeA], optionalA, (value: Value) => new Optional(value))],
    },
    {
      name: 'optional.ofNonZeroValue',
      overloads: [
        global('optional_ofNonZeroValue', [typeA], optionalA, (value: Value) =>
          isZero(value) ? none : new Optional(value),
        ),
      ],
    },
    { name: 'optional.none', overloads: [global('optional_none', [], optionalA, () => none)] },
    {
      name: 'value',
      overloads: [
        member('optional_value', [optionalA], typeA, ({ value }: Optional) =>
          value === undefined ? fail('optional.none() dereference') : value,
        ),
      ],
    },
    {
      name: 'hasValue',
      overloads: [member('optional_hasValue', [optionalA], boolType, ({ value }: Optional) => value !== undefined)],
    },
    { name: 'or', overloads: [member('optional_or_optional', [optionalA, optionalA], optionalA)] },
    { name: 'orValue', overloads: [member('optional_orValue_value', [optionalA, typeA], typeA)] },
    {
      name: 'optional.unwrap',
      overloads: [global('optional_unwrap', [listType(optionalA)], listType(typeA), unwrapAll)],
    },
    {
      name: 'unwrapOpt',
      overloads: [member('optional_unwrapOpt', [listType(optionalA)], listType(typeA), unwrapAll)],
    },
    {
      name: 'cel.@mapInsert',
      overloads: [
        global('@mapInsert_map_key_value', [map, typeA, typeB], map, insert),
        global('@mapInsert_map_map', [map, map], map, insertAll),
      ],
    },
  ],
};
