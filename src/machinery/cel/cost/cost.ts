// Estimates the maximum cost of an expression from its tree and the largest sizes of the values that it reads.
// https://kubernetes.io/docs/reference/using-api/cel/#resource-constraints

import type { FunctionDeclaration } from '../declarations.ts';
import type { Call, Fold, Node } from '../parse/ast.ts';
import { accumulator } from '../parse/macros.ts';
import { dynType, isOptional, type Type } from '../types.ts';
import { stringSize } from '../values.ts';
import {
  type AstSize,
  add,
  type CallEstimate,
  type CostRange,
  type Estimator,
  fixed,
  identCost,
  listCost,
  mapCost,
  mostCost,
  multiply,
  scale,
  stringFactor,
  structCost,
  union,
  unknownSize,
} from './cost-range.ts';
import { standardEstimate } from './estimates.ts';
import { type SizedType, sizedAt } from './sizes.ts';

/** Expects a checked tree. `root` gives the sizes below every variable. */
export function estimateCost(
  node: Node,
  functions: (name: string) => FunctionDeclaration | undefined,
  root: SizedType | undefined,
): CostRange {
  return new Coster(functions, root).cost(node);
}

/** Sizes of a container's keys (1 for a list's) and values. */
interface EntrySizes {
  readonly kind: 'list' | 'map';
  readonly key: CostRange;
  readonly value: CostRange;
}

interface Local {
  readonly path: readonly string[] | undefined;
  readonly size: CostRange | undefined;
  readonly entries: EntrySizes | undefined;
}

const scalars = new Set(['bool', 'double', 'duration', 'int', 'timestamp', 'uint']);
const isScalar = (type: Type): boolean =>
  isOptional(type) ? isScalar(type.params[0] as Type) : scalars.has(type.kind);

class Coster implements Estimator {
  readonly #functions: (name: string) => FunctionDeclaration | undefined;
  readonly #root: SizedType | undefined;
  readonly #paths = new Map<Node, readonly string[]>();
  readonly #sizes = new Map<Node, CostRange>();
  readonly #entries = new Map<Node, EntrySizes>();
  readonly #locals = new Map<string, Local[]>();

  constructor(functions: (name: string) => FunctionDeclaration | undefined, root: SizedType | undefined) {
    this.#functions = functions;
    this.#root = root;
  }

  sizeAt(path: readonly string[] | undefined): CostRange | undefined {
    const found = path?.length && this.#root ? sizedAt(this.#root, path) : undefined;
    return found && { min: 0, max: found.maxElements };
  }

  cost(node: Node): CostRange {
    switch (node.kind) {
      case 'literal':
        return fixed(0);
      case 'ident':
        return this.#costIdent(node, node.name);
      case 'select':
        return node.qualified !== undefined ? this.#costIdent(node, node.qualified) : this.#costSelect(node);
      case 'call':
        return this.#costCall(node);
      case 'list':
        return this.#costList(node);
      case 'map':
        return this.#costMap(node);
      case 'struct':
        return node.fields.reduce((sum, { value }) => add(sum, this.cost(value)), fixed(structCost));
      case 'fold':
        return isBinding(node) ? this.#costBinding(node) : this.#costFold(node);
    }
  }

  #costIdent(node: Node, name: string): CostRange {
    const local = this.#local(name);
    if (!local) this.#paths.set(node, [name]);
    else if (local.path) this.#paths.set(node, local.path);
    return fixed(identCost);
  }

  #costSelect(node: Extract<Node, { kind: 'select' }>): CostRange {
    const operand = this.cost(node.operand);
    if (node.test) return operand;
    this.#paths.set(node, [...(this.#pathOf(node.operand) ?? []), node.field]);
    const { kind } = typeOf(node.operand);
    return kind === 'map' || kind === 'struct' ? add(operand, fixed(identCost)) : operand;
  }

  #costCall(node: Call): CostRange {
    if (node.name === 'dyn') {
      const cost = this.cost(node.args[0] as Node);
      this.#copySizes(node, node.args[0] as Node);
      return add(fixed(1), cost);
    }
    const costs = node.args.map((arg) => this.cost(arg));
    const args = node.args.map((arg) => this.#part(arg));
    const targetCost = node.target ? this.cost(node.target) : fixed(0);
    const target = node.target && this.#part(node.target);
    let cost: CostRange = { min: mostCost, max: 0 };
    let size: CostRange | undefined;
    for (const overload of node.overloads ?? []) {
      const estimate = this.#estimate(node, overload, target, args, costs);
      cost = union(cost, estimate.cost);
      if (estimate.size) size = size ? union(size, estimate.size) : estimate.size;
      if (overload === 'index_list' || overload === 'index_map') {
        const container = node.args[0] as Node;
        size = this.#entriesOf(container)?.value;
        const step = overload === 'index_list' ? '@items' : '@values';
        this.#paths.set(node, [...(this.#pathOf(container) ?? []), step]);
      }
      size ??= this.#sizeOf(node);
    }
    if (size) this.#sizes.set(node, size);
    return add(targetCost, cost);
  }

  #estimate(
    node: Call,
    overload: string,
    target: AstSize | undefined,
    args: readonly AstSize[],
    costs: readonly CostRange[],
  ): CallEstimate {
    const own = this.#functions(node.name)?.estimate?.({ target, args, overload }, this);
    const sum = costs.reduce(add, fixed(0));
    if (own) return { cost: add(own.cost, sum), size: own.size };
    switch (overload) {
      case 'logical_and':
      case 'logical_or': {
        const [left, right] = costs as [CostRange, CostRange];
        return { cost: { min: left.min, max: add(left, right).max } };
      }
      case 'conditional':
        return this.#estimateConditional(node, args, costs);
      case 'add_string':
      case 'add_bytes':
      case 'add_list':
        return this.#estimateConcatenation(node, overload, args, sum);
    }
    const standard = standardEstimate(overload, target, args);
    return { cost: add(standard?.cost ?? fixed(1), sum), size: standard?.size };
  }

  #estimateConditional(node: Call, args: readonly AstSize[], costs: readonly CostRange[]): CallEstimate {
    const [, yes, no] = args as [AstSize, AstSize, AstSize];
    const entries = joined(this.#entriesOf(yes.node as Node), this.#entriesOf(no.node as Node));
    if (entries) this.#entries.set(node, entries);
    const [condition, yesCost, noCost] = costs as [CostRange, CostRange, CostRange];
    return {
      cost: add(condition, union(yesCost, noCost)),
      size: union(yes.size ?? unknownSize, no.size ?? unknownSize),
    };
  }

  #estimateConcatenation(node: Call, overload: string, args: readonly AstSize[], sum: CostRange): CallEstimate {
    const [left, right] = args as [AstSize, AstSize];
    const size = add(left.size ?? unknownSize, right.size ?? unknownSize);
    const entries = joined(this.#entriesOf(left.node as Node), this.#entriesOf(right.node as Node));
    if (entries) this.#entries.set(node, entries);
    return { cost: add(overload === 'add_list' ? fixed(1) : scale(size, stringFactor), sum), size };
  }

  #costList(node: Extract<Node, { kind: 'list' }>): CostRange {
    let cost = fixed(listCost);
    let value: CostRange = { min: node.items.length ? mostCost : 0, max: 0 };
    for (const item of node.items) {
      cost = add(cost, this.cost(item));
      value = union(value, this.#sizeOf(item) ?? unknownSize);
    }
    this.#entries.set(node, { kind: 'list', key: fixed(1), value });
    return cost;
  }

  #costMap(node: Extract<Node, { kind: 'map' }>): CostRange {
    let cost = fixed(mapCost);
    let key: CostRange = { min: node.entries.length ? mostCost : 0, max: 0 };
    let value = key;
    for (const entry of node.entries) {
      cost = add(add(cost, this.cost(entry.key)), this.cost(entry.value));
      key = union(key, this.#sizeOf(entry.key) ?? unknownSize);
      value = union(value, this.#sizeOf(entry.value) ?? unknownSize);
    }
    this.#entries.set(node, { kind: 'map', key, value });
    return cost;
  }

  #costBinding(node: Fold): CostRange {
    const cost = add(this.cost(node.range), this.cost(node.init));
    this.#push(node.accumulator, this.#localOf(node.init));
    const result = this.cost(node.result);
    this.#pop(node.accumulator);
    this.#copySizes(node, node.result);
    return add(cost, result);
  }

  #costFold(node: Fold): CostRange {
    let cost = add(this.cost(node.range), this.cost(node.init));
    this.#push(node.accumulator, this.#localOf(node.init));
    this.#pushLoop(node);
    const turn = add(this.cost(node.condition), this.cost(node.step));
    this.#pop(node.variable);
    if (node.variable2 !== undefined) this.#pop(node.variable2);
    cost = add(cost, this.cost(node.result));
    this.#pop(node.accumulator);
    const turns = this.#sizeOf(node.range) ?? unknownSize;
    if (node.init.kind === 'literal') this.#setSize(node, this.#sizeOf(node.init));
    if (node.init.kind === 'list' || node.init.kind === 'map') {
      this.#setSize(node, turns);
      const entries = this.#entriesOf(node.step);
      if (entries) this.#entries.set(node, entries);
    }
    return add(cost, multiply(turns, turn));
  }

  #pushLoop(node: Fold): void {
    const entries = this.#entriesOf(node.range);
    const isList = (entries?.kind ?? typeOf(node.range).kind) === 'list';
    const path = this.#pathOf(node.range) ?? [];
    const push = (name: string, step: string, size: CostRange | undefined) =>
      this.#push(name, { path: [...path, step], size, entries: undefined });
    if (node.variable2 === undefined)
      push(node.variable, isList ? '@items' : '@keys', isList ? entries?.value : entries?.key);
    else {
      push(node.variable, isList ? '@indices' : '@keys', entries?.key);
      push(node.variable2, isList ? '@items' : '@values', entries?.value);
    }
  }

  #localOf(node: Node): Local {
    return { path: this.#pathOf(node), size: this.#sizeOf(node), entries: this.#entriesOf(node) };
  }

  #push(name: string, local: Local): void {
    const stack = this.#locals.get(name);
    if (stack) stack.push(local);
    else this.#locals.set(name, [local]);
  }

  #pop(name: string): void {
    this.#locals.get(name)?.pop();
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1);
  }

  #pathOf(node: Node): readonly string[] | undefined {
    const local = node.kind === 'ident' ? this.#local(node.name) : undefined;
    return local ? local.path : this.#paths.get(node);
  }

  #part(node: Node): AstSize {
    const path = this.#pathOf(node);
    return { path: path?.[0] === accumulator ? undefined : path, type: typeOf(node), node, size: this.#sizeOf(node) };
  }

  #setSize(node: Node, size: CostRange | undefined): void {
    if (size) this.#sizes.set(node, size);
  }

  #copySizes(to: Node, from: Node): void {
    this.#setSize(to, this.#sizeOf(from));
    const entries = this.#entriesOf(from);
    if (entries) this.#entries.set(to, entries);
  }

  #sizeOf(node: Node): CostRange | undefined {
    const cached = this.#sizes.get(node) ?? literalSize(node);
    if (cached) return cached;
    const promised = this.sizeAt(this.#pathOf(node));
    if (promised) {
      this.#sizes.set(node, promised);
      return promised;
    }
    if (isScalar(typeOf(node))) return fixed(1);
    return node.kind === 'ident' ? this.#local(node.name)?.size : undefined;
  }

  #entriesOf(node: Node): EntrySizes | undefined {
    return this.#entries.get(node) ?? (node.kind === 'ident' ? this.#local(node.name)?.entries : undefined);
  }
}

const typeOf = (node: Node): Type => node.type ?? dynType;

const isBinding = ({ range, condition, accumulator: name }: Fold): boolean =>
  range.kind === 'list' &&
  range.items.length === 0 &&
  condition.kind === 'literal' &&
  condition.value === false &&
  name !== accumulator;

function literalSize(node: Node): CostRange | undefined {
  if (node.kind === 'list') return fixed(node.items.length);
  if (node.kind === 'map') return fixed(node.entries.length);
  if (node.kind !== 'literal') return undefined;
  if (typeof node.value === 'string') return fixed(stringSize(node.value));
  return fixed(node.value instanceof Uint8Array ? node.value.length : 1);
}

function joined(a: EntrySizes | undefined, b: EntrySizes | undefined): EntrySizes | undefined {
  return a && b && { kind: a.kind, key: union(a.key, b.key), value: union(a.value, b.value) };
}
