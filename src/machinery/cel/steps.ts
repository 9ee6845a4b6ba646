// Steps of a program that may skip operands.

import type { Evaluate, Run } from './runtime.ts';
import { EvaluationFault, fail, none, noOverload, Optional, typeNameOf, type Value } from './values.ts';

/** && and ||: a failing side is ignored if the other one decides. */
export function logic(left: Evaluate, right: Evaluate, decisive: boolean): Evaluate {
  return (run) => {
    let fault: EvaluationFault | undefined;
    for (const side of [left, right])
      try {
        const value = side(run);
        if (value === decisive) return decisive;
        if (typeof value !== 'boolean') noOverload();
      } catch (error) {
        if (!(error instanceof EvaluationFault)) throw error;
        fault ??= error;
      }
    if (fault) throw fault;
    return !decisive;
  };
}

export function notStrictlyFalse(evaluate: Evaluate): Evaluate {
  return (run) => {
    let holds = true;
    try {
      const value = evaluate(run);
      if (typeof value === 'boolean') holds = value;
    } catch (error) {
      if (!(error instanceof EvaluationFault)) throw error;
    }
    run.charge(1);
    return holds;
  };
}

/** or() and orValue(): the right side is not looked at when the left has a value. */
export function orElse(left: Evaluate, right: Evaluate, unwrap: boolean): Evaluate {
  return (run) => {
    const value = left(run);
    if (!(value instanceof Optional)) return value;
    if (value.value === undefined) return right(run);
    return unwrap ? value.value : value;
  };
}

/** Whether an optional element has a value. */
export function present(value: Value, element: string): boolean {
  if (!(value instanceof Optional))
    return fail(
      `cannot initialize optional list element from non-optional value ${typeNameOf(value)}`.replace(
        'element',
        element,
      ),
    );
  return value !== none && value.value !== undefined;
}

/** The value, or the fault that was thrown. */
export function attempt(evaluate: Evaluate, run: Run): Value | EvaluationFault {
  try {
    return evaluate(run);
  } catch (error) {
    if (error instanceof EvaluationFault) return error;
    throw error;
  }
}
