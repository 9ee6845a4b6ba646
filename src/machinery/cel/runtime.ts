// The state of a running program: variables, loop variables, and the cost so far.

import { regexFactor, stringFactor } from './cost/cost-range.ts';
import { CostExceeded, type EvaluationFault, fail, Optional, sizeOf, type Value } from './values.ts';

export class Run {
  /** Values of loop variables and accumulators, by the place that the program gave them. */
  readonly locals: (Value | EvaluationFault | undefined)[] = [];
  readonly #variables: Readonly<Record<string, Value | undefined>>;
  readonly #limit: number;
  cost = 0;

  constructor(variables: Readonly<Record<string, Value | undefined>>, limit: number) {
    this.#variables = variables;
    this.#limit = limit;
  }

  charge(cost: number): void {
    this.cost += cost;
    if (this.cost > this.#limit) throw new CostExceeded();
  }

  variable(name: string): Value {
    return this.#variables[name] ?? this.#missing(name);
  }

  #missing(name: string): Value {
    return this.#variables[name] === null ? null : fail(`no such attribute(s): ${name}`);
  }
}

export type Evaluate = (run: Run) => Value;

const sizeForCost = (value: Value): number => {
  const size = sizeOf(value);
  if (size !== undefined) return size;
  return value instanceof Optional && value.value !== undefined ? sizeForCost(value.value) : 1;
};

/** The cost of a standard function, by the sizes of its arguments. */
export function standardCost(overload: string | undefined): (args: readonly Value[]) => number {
  const size = (args: readonly Value[], index: number) => sizeForCost(args[index] as Value);
  switch (overload) {
    case 'starts_with_string':
    case 'ends_with_string':
    case 'string_to_bytes':
    case 'bytes_to_string':
    case 'strings_quote':
    case 'string_format':
      return (args) => Math.ceil(size(args, 0) * stringFactor);
    case 'in_list':
      return (args) => size(args, 1);
    case 'add_string':
    case 'add_bytes':
      return (args) => Math.ceil((size(args, 0) + size(args, 1)) * stringFactor);
    case 'matches_string':
      return (args) => Math.ceil((1 + size(args, 0)) * stringFactor) * Math.ceil(size(args, 1) * regexFactor);
    case 'contains_string':
      return (args) => Math.ceil(size(args, 0) * stringFactor) * Math.ceil(size(args, 1) * stringFactor);
    default:
      return /^(equals|not_equals|(less|greater)(_equals)?_(string|bytes))$/.test(overload ?? '')
        ? (args) => Math.ceil(Math.min(size(args, 0), size(args, 1)) * stringFactor)
        : () => 1;
  }
}
