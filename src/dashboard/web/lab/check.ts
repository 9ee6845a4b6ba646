// The checks of lessons: expressions over lists of objects, the node of the lesson and the pace of time.

import { celEnvironment, compileExpression } from '../../../machinery/cel/cel.ts';
import { fromUntyped } from '../../../machinery/cel/json.ts';
import { dynType } from '../../../machinery/cel/types.ts';

const mostCost = 10_000_000;

/** Whether the check is true. A missing field makes it false; a faulty expression throws. */
export function holds(check: string, variables: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(variables);
  const environment = celEnvironment({ variables: names.map((name) => ({ name, type: dynType })) });
  const program = compileExpression(check, environment);
  const values = Object.fromEntries(names.map((name) => [name, fromUntyped(variables[name])]));
  try {
    return program.run(values, mostCost) === true;
  } catch {
    return false;
  }
}
