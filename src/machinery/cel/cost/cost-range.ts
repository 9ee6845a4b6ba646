// Ranges of costs and sizes, and arithmetic on them.
// https://kubernetes.io/docs/reference/using-api/cel/#resource-constraints

import type { Node } from '../parse/ast.ts';
import type { Type } from '../types.ts';

/** Costs and sizes are counted up to this, where they stay. */
export const mostCost = 2 ** 64;

export const stringFactor = 0.1;
export const regexFactor = 0.25;
export const identCost = 1;
export const listCost = 10;
export const mapCost = 30;
export const structCost = 40;

export interface CostRange {
  readonly min: number;
  readonly max: number;
}

export interface CallEstimate {
  readonly cost: CostRange;
  readonly size?: CostRange | undefined;
}

/** A part of the expression, as the cost estimators of functions see it. */
export interface AstSize {
  /** From a variable down to the value, when it is read from one. */
  readonly path: readonly string[] | undefined;
  readonly type: Type;
  readonly node: Node | undefined;
  readonly size: CostRange | undefined;
}

export interface Estimator {
  /** The declared size at the part's path. */
  sizeAt(path: readonly string[] | undefined): CostRange | undefined;
}

const capped = (value: number): number => Math.min(value, mostCost);
export const fixed = (value: number): CostRange => ({ min: value, max: value });
export const unknownSize: CostRange = { min: 0, max: mostCost };
export const add = (a: CostRange, b: CostRange): CostRange => ({
  min: capped(a.min + b.min),
  max: capped(a.max + b.max),
});
export const multiply = (a: CostRange, b: CostRange): CostRange => ({
  min: capped(a.min * b.min),
  max: capped(a.max * b.max),
});
/** Rounded up. */
export const scale = ({ min, max }: CostRange, factor: number): CostRange => ({
  min: capped(Math.ceil(min * factor)),
  max: capped(Math.ceil(max * factor)),
});
export const union = (a: CostRange, b: CostRange): CostRange => ({
  min: Math.min(a.min, b.min),
  max: Math.max(a.max, b.max),
});

/** The size of a part, if it is computed or declared at its path. */
export const sizeEstimate = (part: AstSize, estimator: Estimator): CostRange =>
  part.size ?? estimator.sizeAt(part.path) ?? unknownSize;

/** The elements of a list as one part; undefined for a string. */
export function elementsOf({ type, path }: AstSize): AstSize | undefined {
  const element = type.params[0];
  return element && { path: path && [...path, '@items'], type: element, node: undefined, size: undefined };
}
