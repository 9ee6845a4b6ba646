// Attributes: a.b[c].?d is one unit of evaluation, because it fails as one and is charged as one.

import { identCost } from './cost/cost-range.ts';
import { doubleText } from './numbers.ts';
import type { Evaluate, Run } from './runtime.ts';
import { CelList, CelMap, CelObject, fail, none, Optional, typeNameOf, Uint, type Value } from './values.ts';

interface Qualifier {
  readonly key: Evaluate;
  /** Absent values make an empty optional. */
  readonly optional: boolean;
  /** Tests presence only. */
  readonly test: boolean;
}

export class Attribute {
  readonly #root: Evaluate;
  readonly #cost: number;
  readonly #qualifiers: readonly Qualifier[];

  /** `cost` is that of reading the root: none for a conditional, which chooses between attributes. */
  constructor(root: Evaluate, cost = identCost, qualifiers: readonly Qualifier[] = []) {
    this.#root = root;
    this.#cost = cost;
    this.#qualifiers = qualifiers;
  }

  with(qualifier: Qualifier): Attribute {
    return new Attribute(this.#root, this.#cost, [...this.#qualifiers, qualifier]);
  }

  /** The attribute as a complete expression. */
  get evaluate(): Evaluate {
    const resolve = this.resolve;
    const test = this.#qualifiers.at(-1)?.test ?? false;
    const cost = test ? 0 : this.#cost;
    return (run) => {
      run.charge(cost);
      const value = resolve(run);
      return test && value instanceof Optional ? value.value !== undefined : value;
    };
  }

  /** As a branch of a conditional, or a key of another attribute. */
  get resolve(): Evaluate {
    const root = this.#root;
    const qualifiers = this.#qualifiers;
    if (!qualifiers.length) return root;
    if (qualifiers.every(({ optional, test }) => !optional && !test)) return plain(root, qualifiers);
    return (run) => qualified(run, root(run), qualifiers);
  }
}

/** The common case: optionals at most at the root. A step costs the same when it fails. */
function plain(root: Evaluate, qualifiers: readonly Qualifier[]): Evaluate {
  const keys = qualifiers.map(({ key }) => key);
  return (run) => {
    const start = root(run);
    if (start instanceof Optional) return qualified(run, start, qualifiers);
    let value: Value = start;
    for (const key of keys) {
      run.charge(identCost);
      value = entry(value, key(run));
    }
    return value;
  };
}

function qualified(run: Run, root: Value, qualifiers: readonly Qualifier[]): Value {
  let optional = root instanceof Optional;
  if (root instanceof Optional && root.value === undefined) return root;
  let value = (root instanceof Optional ? root.value : root) as Value;
  for (const qualifier of qualifiers) {
    optional ||= qualifier.optional;
    const mayMiss = optional && !qualifier.test;
    if (!mayMiss) run.charge(identCost);
    const key = qualifier.key(run);
    const found = optional || qualifier.test ? lookup(value, key) : entry(value, key);
    // A missed lookup is free.
    if (mayMiss && found !== undefined) run.charge(identCost);
    if (qualifier.test && !optional) return found !== undefined;
    if (found === undefined) return none;
    value = found;
  }
  return optional ? new Optional(value) : value;
}

const keyText = (key: Value): string => {
  if (typeof key === 'number') return doubleText(key);
  return String(key instanceof Uint ? key.value : key);
};

/** Throws when there is none. */
function entry(container: Value, key: Value): Value {
  const found = lookup(container, key);
  if (found !== undefined) return found;
  return fail(container instanceof CelList ? `index out of bounds: ${keyText(key)}` : `no such key: ${keyText(key)}`);
}

function lookup(container: Value, key: Value): Value | undefined {
  if (container instanceof CelMap) return container.find(key);
  if (container instanceof CelList) {
    const index = indexOf(key);
    return index >= 0 && index < container.size ? container.at(index) : undefined;
  }
  return container instanceof CelObject && typeof key === 'string' ? container.field(key) : undefined;
}

function indexOf(key: Value): number {
  if (typeof key === 'bigint') return Number(key);
  if (key instanceof Uint) return Number(key.value);
  if (typeof key === 'number' && Number.isInteger(key)) return key;
  return fail(
    typeof key === 'number'
      ? `unsupported index value ${doubleText(key)} in list`
      : `unsupported index type '${typeNameOf(key)}' in list`,
  );
}
