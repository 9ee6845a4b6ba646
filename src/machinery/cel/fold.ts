// Folds: the loops behind all(), exists(), map(), filter() and similar macros.

import type { Fold, Node } from './parse/ast.ts';
import type { Evaluate, Run } from './runtime.ts';
import { attempt } from './steps.ts';
import {
  ArrayList,
  CelList,
  CelMap,
  EntryMap,
  type EvaluationFault,
  fail,
  GrowingList,
  typeNameOf,
  type Value,
} from './values.ts';

/** The part of the planner that folds use. */
interface Planner {
  evaluate(node: Node): Evaluate;
  /** Plans with names in new slots. */
  scope<T>(names: readonly string[], plan: (slots: readonly number[]) => T): T;
}

export function planFold(node: Fold, planner: Planner): Evaluate {
  const range = planner.evaluate(node.range);
  const init = planner.evaluate(node.init);
  return planner.scope([node.accumulator], ([accumulator]) => {
    const slot = accumulator as number;
    const result = planner.evaluate(node.result);
    if (node.range.kind === 'list' && !node.range.items.length) return bindingOf(slot, range, init, result);
    const names = node.variable2 === undefined ? [node.variable] : [node.variable, node.variable2];
    return planner.scope(names, ([first, second]) => {
      const condition = planner.evaluate(node.condition);
      const turn = planner.evaluate(node.step);
      return (run) => {
        const values = range(run);
        run.locals[slot] = startOf(attempt(init, run));
        for (const [key, value] of turns(values, second !== undefined)) {
          run.locals[first as number] = key;
          if (second !== undefined) run.locals[second] = value;
          if (isFalse(condition, run)) break;
          run.locals[slot] = attempt(turn, run);
        }
        return finished(result(run));
      };
    });
  });
}

/** An expression bound to a name is evaluated when it is first read. */
function bindingOf(slot: number, range: Evaluate, init: Evaluate, result: Evaluate): Evaluate {
  return (run) => {
    range(run);
    run.locals[slot] = attempt(init, run);
    return result(run);
  };
}

const isFalse = (condition: Evaluate, run: Run): boolean => attempt(condition, run) === false;

/** A fold may modify the list or map that it starts with. */
function startOf(value: Value | EvaluationFault): Value | EvaluationFault {
  if (value instanceof CelList && value.size === 0) return new GrowingList([]);
  return value instanceof EntryMap && value.size === 0 ? new EntryMap([]) : value;
}

const finished = (value: Value): Value => (value instanceof GrowingList ? new ArrayList(value.items) : value);

function* turns(range: Value, two: boolean): Generator<readonly [Value, Value]> {
  if (range instanceof CelMap) {
    for (const key of range.keys()) yield [key, two ? (range.find(key) as Value) : null];
  } else if (range instanceof CelList) {
    let index = 0n;
    for (const item of range) yield two ? [index++, item] : [item, null];
  } else
    fail(
      two
        ? `unsupported comprehension range type: ${typeNameOf(range)}`
        : `got '${typeNameOf(range)}', expected iterable type`,
    );
}
