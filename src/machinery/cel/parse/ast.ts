// The tree of an expression. The checker adds types and the overloads that may be called.

import type { Type } from '../types.ts';

interface Base {
  /** Offset in the source, in UTF-16 units. */
  readonly at: number;
  /** Set by the checker. */
  type?: Type;
}

interface Literal extends Base {
  readonly kind: 'literal';
  /** A value as programs see it. */
  readonly value: unknown;
}

export interface Ident extends Base {
  readonly kind: 'ident';
  name: string;
  /** Set by the checker where the name is a type's or a constant's. */
  constant?: unknown;
}

export interface Select extends Base {
  readonly kind: 'select';
  readonly operand: Node;
  readonly field: string;
  /** A presence test: has(operand.field). */
  readonly test: boolean;
  /** Set by the checker where the whole path is one qualified name. */
  qualified?: string;
  constant?: unknown;
}

export interface Call extends Base {
  readonly kind: 'call';
  name: string;
  /** Undefined for a global function; the checker clears it where it is part of the function's name. */
  target: Node | undefined;
  readonly args: readonly Node[];
  /** Ids of the matching overloads; set by the checker. */
  overloads?: readonly string[];
}

export interface ListNode extends Base {
  readonly kind: 'list';
  readonly items: readonly Node[];
  /** Indices of the items that are left out when they are empty optionals. */
  readonly optional: ReadonlySet<number>;
}

export interface Entry {
  readonly at: number;
  readonly key: Node;
  readonly value: Node;
  readonly optional: boolean;
}

export interface MapNode extends Base {
  readonly kind: 'map';
  readonly entries: readonly Entry[];
}

export interface StructField {
  readonly at: number;
  readonly name: string;
  readonly value: Node;
  readonly optional: boolean;
}

export interface StructNode extends Base {
  readonly kind: 'struct';
  name: string;
  readonly fields: readonly StructField[];
}

/** A fold over a list or a map; made by macros only. */
export interface Fold extends Base {
  readonly kind: 'fold';
  readonly range: Node;
  readonly variable: string;
  /** With it, `variable` is the index or key, and this the value. */
  readonly variable2: string | undefined;
  readonly accumulator: string;
  readonly init: Node;
  readonly condition: Node;
  readonly step: Node;
  readonly result: Node;
}

export type Node = Literal | Ident | Select | Call | ListNode | MapNode | StructNode | Fold;

/** The nodes directly below one. */
export function children(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'literal':
    case 'ident':
      return [];
    case 'select':
      return [node.operand];
    case 'call':
      return node.target ? [node.target, ...node.args] : node.args;
    case 'list':
      return node.items;
    case 'map':
      return node.entries.flatMap(({ key, value }) => [key, value]);
    case 'struct':
      return node.fields.map(({ value }) => value);
    case 'fold':
      return [node.range, node.init, node.condition, node.step, node.result];
  }
}

/** A node and all below it. */
export function* walk(node: Node): Generator<Node> {
  yield node;
  for (const child of children(node)) yield* walk(child);
}

/** A copy without the checker's notes. */
export function copy(node: Node): Node {
  const { type: _, ...rest } = node;
  switch (rest.kind) {
    case 'select':
      return { ...rest, operand: copy(rest.operand) };
    case 'call':
      return { ...rest, target: rest.target && copy(rest.target), args: rest.args.map(copy) };
    case 'list':
      return { ...rest, items: rest.items.map(copy) };
    case 'map':
      return { ...rest, entries: rest.entries.map((e) => ({ ...e, key: copy(e.key), value: copy(e.value) })) };
    case 'struct':
      return { ...rest, fields: rest.fields.map((f) => ({ ...f, value: copy(f.value) })) };
    case 'fold':
      return {
        ...rest,
        range: copy(rest.range),
        init: copy(rest.init),
        condition: copy(rest.condition),
        step: copy(rest.step),
        result: copy(rest.result),
      };
    default:
      return rest;
  }
}
