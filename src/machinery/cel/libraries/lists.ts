// Functions on lists (version 3 of the extension, and those of Kubernetes) and on sets.
// https://pkg.go.dev/github.com/google/cel-go/ext#Lists https://pkg.go.dev/k8s.io/apiserver/pkg/cel/library#Lists

import { boundItems } from '../cost/bounds.ts';
import {
  type AstSize,
  add,
  type CallEstimate,
  type CostRange,
  fixed,
  listCost,
  mostCost,
  multiply,
  scale,
  sizeEstimate,
  stringFactor,
} from '../cost/cost-range.ts';
import {
  type CallCost,
  type CallEstimator,
  type FunctionDeclaration,
  global,
  type Implementation,
  type Library,
  member,
  type Overload,
  typeA,
} from '../declarations.ts';
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  optionalType,
  stringType,
  type Type,
  timestampType,
  uintType,
} from '../types.ts';
import {
  ArrayList,
  CelList,
  CelMap,
  compare,
  Duration,
  equal,
  fail,
  none,
  noOverload,
  Optional,
  sizeOf,
  typeNameOf,
  Uint,
  type Value,
} from '../values.ts';
import { operators } from './operators.ts';
import { searchEstimate } from './strings.ts';

const listA = listType(typeA);

const comparable: readonly (readonly [name: string, type: Type])[] = [
  ['int', intType],
  ['uint', uintType],
  ['double', doubleType],
  ['bool', boolType],
  ['duration', durationType],
  ['timestamp', timestampType],
  ['string', stringType],
  ['bytes', bytesType],
];

const plus = operators.functions.find(({ name }) => name === '_+_')?.call as Implementation;
const zeros: Readonly<Record<string, Value>> = { int: 0n, uint: new Uint(0n), double: 0, duration: new Duration(0n) };

const sum =
  (zero: Value): Implementation =>
  (list: CelList) => {
    let total = zero;
    for (const item of list) total = plus(total, item);
    return total;
  };

/** The first of the smallest (or largest) values of the list. */
const extreme =
  (name: string, sign: number): Implementation =>
  (list: CelList) => {
    let found: Value | undefined;
    for (const item of list) if (found === undefined || compare(found, item) === sign) found = item;
    return found === undefined ? fail(`${name} called on empty list`) : found;
  };

const isSorted: Implementation = (list: CelList) => {
  let previous: Value | undefined;
  for (const item of list) {
    if (previous !== undefined && compare(previous, item) > 0) return false;
    previous = item;
  }
  return true;
};

const indexIn: Implementation = (list: CelList, value: Value) => {
  for (let index = 0; index < list.size; index++) if (equal(list.at(index), value)) return BigInt(index);
  return -1n;
};
const lastIndexIn: Implementation = (list: CelList, value: Value) => {
  for (let index = list.size - 1; index >= 0; index--) if (equal(list.at(index), value)) return BigInt(index);
  return -1n;
};

/** Each value in the tree costs 1, texts by their length. */
function traversalCost(value: Value): number {
  if (typeof value === 'string') return Math.floor(new TextEncoder().encode(value).length * stringFactor);
  if (value instanceof Uint8Array) return Math.floor(value.length * stringFactor);
  if (value instanceof CelList) {
    let cost = 0;
    for (const item of value) cost += traversalCost(item);
    return cost;
  }
  if (!(value instanceof CelMap)) return 1;
  let cost = 0;
  for (const key of value.keys()) cost += traversalCost(key) + traversalCost(value.find(key) as Value);
  return cost;
}

const searched = { cost: ((args) => traversalCost(args[0] as Value)) as CallCost, estimate: searchEstimate };

const kubernetesLists: readonly FunctionDeclaration[] = [
  {
    name: 'isSorted',
    overloads: comparable.map(([name, type]) =>
      member(`list_${name}_is_sorted_bool`, [listType(type)], boolType, isSorted),
    ),
    ...searched,
  },
  {
    name: 'sum',
    overloads: comparable
      .filter(([name]) => Object.hasOwn(zeros, name))
      .map(([name, type]) => member(`list_${name}_sum_${name}`, [listType(type)], type, sum(zeros[name] as Value))),
    ...searched,
  },
  {
    name: 'max',
    overloads: comparable.map(([name, type]) =>
      member(`list_${name}_max_${name}`, [listType(type)], type, extreme('max', -1)),
    ),
    ...searched,
  },
  {
    name: 'min',
    overloads: comparable.map(([name, type]) =>
      member(`list_${name}_min_${name}`, [listType(type)], type, extreme('min', 1)),
    ),
    ...searched,
  },
  { name: 'indexOf', overloads: [member('list_a_index_of_int', [listA, typeA], intType, indexIn)], ...searched },
  {
    name: 'lastIndexOf',
    overloads: [member('list_a_last_index_of_int', [listA, typeA], intType, lastIndexIn)],
    ...searched,
  },
];

const slice: Implementation = (list: CelList, start: bigint, end: bigint) => {
  const wrong = (why: string) => fail(`cannot slice(${start}, ${end}), ${why}`);
  if (start < 0n || end < 0n) return wrong('negative indexes not supported');
  if (start > end) return wrong('start index must be less than or equal to end index');
  if (end > BigInt(list.size)) return wrong(`list is length ${list.size}`);
  return new ArrayList([...list].slice(Number(start), Number(end)));
};

const flatten: Implementation = (list: Value, depth: Value = 1n) => {
  if (!(list instanceof CelList) || typeof depth !== 'bigint') return noOverload(`${typeNameOf(list)}.flatten()`);
  if (depth < 0n) return fail('level must be non-negative');
  const items: Value[] = [];
  const visit = (part: CelList, left: bigint): void => {
    for (const item of part) {
      if (item instanceof CelList && left > 0n) visit(item, left - 1n);
      else {
        items.push(item);
        boundItems(items.length);
      }
    }
  };
  visit(list, depth);
  return new ArrayList(items);
};

const range: Implementation = (count: bigint) => {
  const size = count > 0n ? Number(count) : 0;
  boundItems(size);
  return new ArrayList(Array.from({ length: size }, (_, index) => BigInt(index)));
};

const sortBy: Implementation = (list: CelList, keys: CelList) => {
  if (list.size !== keys.size)
    return fail(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.size} and ${keys.size} elements respectively`,
    );
  if (!list.size) return list;
  const type = typeNameOf(keys.at(0));
  const pairs = [...list].map((item, index) => ({ item, key: keys.at(index) }));
  if (pairs.some(({ key }) => typeNameOf(key) !== type)) return fail('list elements must have the same type');
  return new ArrayList(pairs.sort((a, b) => compare(a.key, b.key)).map(({ item }) => item));
};

/** Strings are found by hash; other values are compared pairwise. */
const distinct: Implementation = (list: CelList) => {
  const items: Value[] = [];
  const texts = new Set<Value>();
  for (const item of list) {
    if (typeof item === 'string' ? texts.has(item) : items.some((kept) => equal(item, kept))) continue;
    if (typeof item === 'string') texts.add(item);
    items.push(item);
  }
  return new ArrayList(items);
};

const allocation = (factor: number, size: CostRange): CallEstimate => ({
  cost: add(add(scale(size, factor), fixed(1)), fixed(listCost)),
  size,
});
const allocated = (factor: number, size: number): number => Math.floor(size * factor) + 1 + listCost;

/** A literal argument as a number. */
function literalInt(part: AstSize | undefined, otherwise: number): number {
  const value = part?.node?.kind === 'literal' ? part.node.value : undefined;
  return typeof value === 'bigint' ? Math.max(0, Number(value)) : otherwise;
}

const squareEstimate =
  (argument: 'target' | 'keys', factor: number): CallEstimator =>
  ({ target, args }, estimator) => {
    const part = argument === 'target' ? target : args[0];
    if (!part) return undefined;
    const size = sizeEstimate(part, estimator);
    return allocation(factor, multiply(size, size));
  };

const squareCost =
  (index: number): CallCost =>
  (args) => {
    const list = args[index];
    if (!(list instanceof CelList)) return undefined;
    const first = list.size ? list.at(0) : undefined;
    const factor = typeof first === 'string' || first instanceof Uint8Array ? 2 + stringFactor : 2;
    return allocated(factor, list.size ** 2);
  };

const outputCost: CallCost = (_, result) => allocated(1, sizeOf(result) ?? 1);

const sortFactor = ({ kind }: Type): number => (kind === 'string' || kind === 'bytes' ? 2 + stringFactor : 2);

/** sort and sortBy have an overload for each type of key, each with its own estimate. */
function sorting(name: string, overloads: readonly Overload[], keys: 'target' | 'keys'): FunctionDeclaration {
  const factors = new Map(
    overloads.map(({ id, params }) => [id, sortFactor((params.at(-1) as Type).params[0] as Type)]),
  );
  return {
    name,
    overloads,
    cost: squareCost(keys === 'target' ? 0 : 1),
    estimate: (call, estimator) => squareEstimate(keys, factors.get(call.overload) ?? 2)(call, estimator),
  };
}

const extensionLists: readonly FunctionDeclaration[] = [
  {
    name: 'slice',
    overloads: [member('list_slice', [listA, intType, intType], listA, slice)],
    cost: outputCost,
    estimate: ({ target, args }, estimator) => {
      if (!target) return undefined;
      const start = literalInt(args[0], 0);
      const end = literalInt(args[1], sizeEstimate(target, estimator).max);
      // The difference is an unsigned number: below zero it is close to the largest.
      return allocation(1, fixed(end >= start ? end - start : mostCost));
    },
  },
  {
    name: 'flatten',
    overloads: [
      member('list_flatten', [listType(listA)], listA),
      member('list_flatten_int', [listType(dynType), intType], listType(dynType)),
    ],
    call: flatten,
    cost: (args) => allocated(args.length === 2 ? Number(args[1]) : 1, sizeOf(args[0] as Value) ?? 1),
    estimate: ({ target, args }, estimator) =>
      target && allocation(args.length ? literalInt(args[0], mostCost) : 1, sizeEstimate(target, estimator)),
  },
  sorting(
    'sort',
    comparable.map(([, type]) =>
      member(`list_${type.name}_sort`, [listType(type)], listType(type), (list) => sortBy(list, list)),
    ),
    'target',
  ),
  sorting(
    '@sortByAssociatedKeys',
    comparable.map(([, type]) =>
      member(`list_${type.name}_sortByAssociatedKeys`, [listA, listType(type)], listA, sortBy),
    ),
    'keys',
  ),
  {
    name: 'lists.range',
    overloads: [global('lists_range', [intType], listType(intType), range)],
    cost: outputCost,
    estimate: ({ args }) => allocation(1, fixed(literalInt(args[0], mostCost))),
  },
  {
    name: 'reverse',
    overloads: [member('list_reverse', [listA], listA, (list: CelList) => new ArrayList([...list].reverse()))],
    cost: outputCost,
    estimate: ({ target }, estimator) => target && allocation(1, sizeEstimate(target, estimator)),
  },
  {
    name: 'distinct',
    overloads: [member('list_distinct', [listA], listA, distinct)],
    cost: squareCost(0),
    paidFirst: true,
    estimate: squareEstimate('target', 2),
  },
  {
    name: 'last',
    overloads: [
      member('list_last', [listA], optionalType(typeA), (list: CelList) =>
        list.size ? new Optional(list.at(list.size - 1)) : none,
      ),
    ],
  },
  {
    name: 'first',
    overloads: [
      member('list_first', [listA], optionalType(typeA), (list: CelList) =>
        list.size ? new Optional(list.at(0)) : none,
      ),
    ],
  },
];

const containsAll = (list: CelList, part: CelList): boolean => {
  for (const item of part) if (!list.contains(item)) return false;
  return true;
};
const intersects = (a: CelList, b: CelList): boolean => {
  for (const item of a) if (b.contains(item)) return true;
  return false;
};

function set(name: string, factor: number, call: Implementation): FunctionDeclaration {
  return {
    name: `sets.${name}`,
    overloads: [global(`list_sets_${name}_list`, [listA, listA], boolType, call)],
    cost: ([a, b]) => 1 + Math.floor((sizeOf(a as Value) ?? 1) * (sizeOf(b as Value) ?? 1) * factor),
    paidFirst: true,
    estimate: ({ args: [a, b] }, estimator) =>
      a &&
      b && {
        cost: add(scale(multiply(sizeEstimate(a, estimator), sizeEstimate(b, estimator)), factor), fixed(1)),
      },
  };
}

export const lists: Library = { functions: kubernetesLists };
export const listExtensions: Library = { functions: extensionLists };
export const sets: Library = {
  functions: [
    set('contains', 1, containsAll),
    set('equivalent', 2, (a: CelList, b: CelList) => containsAll(a, b) && containsAll(b, a)),
    set('intersects', 1, intersects),
  ],
};
