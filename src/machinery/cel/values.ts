// Values as programs see them. int is a bigint, double a number; string, bool and null are JavaScript's types.

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** In nanoseconds. */
export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

/** In nanoseconds since 1970 in UTC; `offsetSeconds` only affects the text. */
export class Timestamp {
  readonly nanos: bigint;
  readonly offsetSeconds: number;
  constructor(nanos: bigint, offsetSeconds = 0) {
    this.nanos = nanos;
    this.offsetSeconds = offsetSeconds;
  }
}

export class Optional {
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    this.value = value;
  }
}
export const none = new Optional(undefined);

export class TypeValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A value of a library type. */
export abstract class CelObject {
  abstract readonly typeName: string;
  /** Undefined when the other value is of another type: then comparing is an error. */
  abstract equals(other: Value): boolean | undefined;
  /** Undefined: size() and costs do not apply. */
  get size(): number | undefined {
    return undefined;
  }
  /** A named field; undefined when there is none. */
  field(_name: string): Value | undefined {
    return undefined;
  }
}

export abstract class CelList implements Iterable<Value> {
  abstract readonly size: number;
  /** The index is within the list. */
  abstract at(index: number): Value;

  *[Symbol.iterator](): Iterator<Value> {
    for (let index = 0; index < this.size; index++) yield this.at(index);
  }

  equals(other: Value): boolean {
    if (!(other instanceof CelList) || other.size !== this.size) return false;
    for (let index = 0; index < this.size; index++) if (!equal(this.at(index), other.at(index))) return false;
    return true;
  }

  concat(other: CelList): CelList {
    return new ArrayList([...this, ...other]);
  }

  contains(value: Value): boolean {
    for (let index = 0; index < this.size; index++) if (equal(this.at(index), value)) return true;
    return false;
  }
}

export class ArrayList extends CelList {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }
  get size(): number {
    return this.items.length;
  }
  at(index: number): Value {
    return this.items[index] as Value;
  }
  override [Symbol.iterator](): Iterator<Value> {
    return this.items[Symbol.iterator]();
  }
}

/** The list that a fold builds: it grows in place, because only the fold holds it until the end. */
export class GrowingList extends ArrayList {
  override concat(other: CelList): CelList {
    const items = this.items as Value[];
    for (const item of other) items.push(item);
    return this;
  }
}

export abstract class CelMap {
  abstract readonly size: number;
  /** Undefined when there is no such key. */
  abstract find(key: Value): Value | undefined;
  abstract keys(): Iterable<Value>;

  /** The operator `in`. Maps with a default value for unknown keys find more than they have. */
  has(key: Value): boolean {
    return this.find(key) !== undefined;
  }

  equals(other: Value): boolean {
    if (!(other instanceof CelMap) || other.size !== this.size) return false;
    for (const key of this.keys()) {
      const mine = this.find(key);
      const theirs = other.find(key);
      if (mine === undefined || theirs === undefined || !equal(mine, theirs)) return false;
    }
    return true;
  }
}

/** Keys that are equal have the same text: 1, 1u and 1.0 are one key. */
function keyText(key: Value): string {
  switch (typeof key) {
    case 'string':
      return `s${key}`;
    case 'bigint':
      return `n${key}`;
    case 'number':
      return `n${Number.isInteger(key) ? BigInt(key) : key}`;
    default:
      return key instanceof Uint ? `n${key.value}` : `o${String(key)}`;
  }
}

export class EntryMap extends CelMap {
  readonly #entries: Map<string, readonly [key: Value, value: Value]>;
  constructor(entries: Iterable<readonly [Value, Value]>) {
    super();
    this.#entries = new Map();
    for (const [key, value] of entries) this.#entries.set(keyText(key), [key, value]);
  }
  get size(): number {
    return this.#entries.size;
  }
  find(key: Value): Value | undefined {
    return this.#entries.get(keyText(key))?.[1];
  }
  *keys(): Iterable<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }
  entries(): Iterable<readonly [Value, Value]> {
    return this.#entries.values();
  }
  /** Adds an entry in place: for the map that a fold builds. */
  insert(key: Value, value: Value): void {
    this.#entries.set(keyText(key), [key, value]);
  }
}

/** A message that an expression made, such as Object.spec{}. */
export class StructValue extends CelMap {
  readonly typeName: string;
  readonly fields: ReadonlyMap<string, Value>;
  constructor(typeName: string, fields: ReadonlyMap<string, Value>) {
    super();
    this.typeName = typeName;
    this.fields = fields;
  }
  get size(): number {
    return this.fields.size;
  }
  find(key: Value): Value | undefined {
    return typeof key === 'string' ? this.fields.get(key) : undefined;
  }
  keys(): Iterable<Value> {
    return this.fields.keys();
  }
}

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Uint
  | Duration
  | Timestamp
  | Optional
  | TypeValue
  | CelObject
  | CelList
  | CelMap;

/** Evaluation failed. It is thrown but is not an Error: && and || and folds catch many of these without a stack. */
export class EvaluationFault {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** No overload of a function takes the values. */
export class NoOverload extends EvaluationFault {
  constructor(call = '') {
    super(`no such overload${call && `: ${call}`}`);
  }
}

/** The cost limit is exceeded: only the caller of the program catches this. */
export class CostExceeded {
  readonly message = 'operation cancelled: actual cost limit exceeded';
}

export const fail = (message: string): never => {
  throw new EvaluationFault(message);
};
/** `call`: the function, and the types of its arguments if they matter. */
export const noOverload = (call = ''): never => {
  throw new NoOverload(call);
};

export function typeNameOf(value: Value): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'string':
      return 'string';
  }
  if (value === null) return 'null_type';
  if (value instanceof CelList) return 'list';
  if (value instanceof StructValue || value instanceof CelObject) return value.typeName;
  if (value instanceof CelMap) return 'map';
  if (value instanceof Uint) return 'uint';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Duration) return 'google.protobuf.Duration';
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp';
  return value instanceof Optional ? 'optional_type' : 'type';
}

/** CEL's ==. Numbers of different types are equal when their values are. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  switch (typeof a) {
    case 'string':
    case 'boolean':
      return false;
    case 'bigint':
    case 'number':
      return isNumber(b) && compareNumbers(a, b) === 0;
  }
  if (a instanceof Uint) return isNumber(b) && compareNumbers(a, b) === 0;
  if (a instanceof CelList || a instanceof CelMap) return a.equals(b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && compareBytes(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Optional) return b instanceof Optional && equalOptionals(a, b);
  return a.equals(b) ?? noOverload();
}

function equalOptionals(a: Optional, b: Optional): boolean {
  if (a.value === undefined || b.value === undefined) return a.value === b.value;
  return equal(a.value, b.value);
}

const isNumber = (value: Value): value is bigint | number | Uint =>
  typeof value === 'bigint' || typeof value === 'number' || value instanceof Uint;

/** Beside a double, integers count as doubles. NaN if one of them is NaN. */
function compareNumbers(a: bigint | number | Uint, b: bigint | number | Uint): number {
  let x = a instanceof Uint ? a.value : a;
  let y = b instanceof Uint ? b.value : b;
  if (typeof x === 'number') y = Number(y);
  else if (typeof y === 'number') x = Number(x);
  if (x < y) return -1;
  if (x > y) return 1;
  return x === y ? 0 : Number.NaN;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference) return Math.sign(difference);
  }
  return Math.sign(a.length - b.length);
}

/** By code points, as Go compares bytes of UTF-8. */
function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const [x, y] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (x === y) continue;
    // Surrogates represent code points above all others.
    const rank = (unit: number) => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);
    return Math.sign(rank(x) - rank(y));
  }
  return Math.sign(a.length - b.length);
}

/** -1, 0 or 1; throws where the values have no order. */
export function compare(a: Value, b: Value): number {
  if (isNumber(a) && isNumber(b)) {
    const order = compareNumbers(a, b);
    return Number.isNaN(order) ? fail('NaN values cannot be ordered') : order;
  }
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration))
    return a.nanos < b.nanos ? -1 : Number(a.nanos > b.nanos);
  return noOverload();
}

/** Characters of a string, as CEL counts them: code points. */
export function stringSize(text: string): number {
  let size = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xd800 && unit <= 0xdbff && index + 1 < text.length) {
      size--;
      index++;
    }
  }
  return size;
}

/** The result of size(); undefined for a value without a size. */
export function sizeOf(value: Value): number | undefined {
  if (typeof value === 'string') return stringSize(value);
  if (value instanceof CelList || value instanceof CelMap) return value.size;
  if (value instanceof Uint8Array) return value.length;
  return value instanceof CelObject ? value.size : undefined;
}
