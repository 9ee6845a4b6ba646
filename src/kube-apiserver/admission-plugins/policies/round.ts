// Expressions that are evaluated together: they see one request, share the values of their variables, and spend one budget.
// https://kubernetes.io/docs/reference/using-api/cel/#resource-constraints

import type { AdmissionExpression, ApiObject } from '../../../api/api.ts';
import { CelMap, CostExceeded, EvaluationFault, fromUntyped, type Value } from '../../../machinery/cel/cel.ts';
import { must } from '../../../machinery/must.ts';
import { ownTurn } from '../../../machinery/time/turn.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import type { Shown } from '../versions.ts';
import { type Conditioned, observeConditions } from '../webhooks/metrics.ts';
import { type Questions, Unanswered } from './questions.ts';
import { requestOf } from './request.ts';

/** Cost limit of one expression. */
const mostPerExpression = 1_000_000;
/** Cost limit of all expressions of one policy with one binding. */
const mostPerPolicy = 10_000_000;
/** Cost limit of the match conditions of a policy or a webhook. */
const mostForConditions = 2_500_000;

/** Cost between two turns of the event loop: tens of milliseconds. */
const costOfTurn = 200_000;
/** Of the values of a round. */
const costOfRound = 2_000;

/** Gives other requests turns between the evaluations of a request, of which there may be thousands. */
export class Pace {
  #sinceTurn = 0;

  async spend(cost: number): Promise<void> {
    this.#sinceTurn += cost;
    if (this.#sinceTurn <= costOfTurn) return;
    this.#sinceTurn = 0;
    await ownTurn();
  }
}

export class BudgetSpent extends Error {
  constructor() {
    super('validation failed due to running out of cost budget, no further validation rules will be run');
  }
}

export class Budget {
  #remaining: number;
  constructor(remaining: number) {
    this.#remaining = remaining;
  }
  /** Throws BudgetSpent. */
  spend(cost: number): void {
    this.#remaining -= cost;
    if (this.#remaining < 0) throw new BudgetSpent();
  }
}

export const policyBudget = (): Budget => new Budget(mostPerPolicy);
const conditionsBudget = (): Budget => new Budget(mostForConditions);

export interface Inputs {
  readonly attributes: AdmissionAttributes;
  /** The objects in the version that expressions see. */
  readonly shown: Shown;
  readonly namespace?: ApiObject | undefined;
  readonly params?: ApiObject | null;
  /** Undefined if expressions must not use `authorizer`. */
  readonly questions?: Questions | undefined;
  /** Shared by the evaluations of a request. */
  readonly pace?: Pace;
}

export type Outcome =
  | { readonly value: Value; readonly fault?: never }
  | { readonly fault: string; readonly value?: never };
export type Variables = ReadonlyMap<string, AdmissionExpression>;

export class Round {
  readonly #values: Record<string, Value>;
  readonly #budget: Budget;
  /** Of variables that were evaluated on the way. */
  #variablesCost = 0;
  readonly #pace: Pace;
  #cost = costOfRound;

  constructor(inputs: Inputs, variables: Variables, budget: Budget) {
    const { attributes, shown, namespace, params, questions, pace = new Pace() } = inputs;
    this.#budget = budget;
    this.#pace = pace;
    this.#values = {
      object: fromUntyped(shown.object),
      oldObject: fromUntyped(shown.oldObject),
      request: fromUntyped(requestOf(attributes, shown.kind)),
      namespaceObject: fromUntyped(namespace && shownNamespace(namespace)),
      params: fromUntyped(params),
      ...questions?.values(),
    };
    this.#values.variables = new LazyVariables(variables, (expression) => this.#variable(expression));
  }

  /** Throws BudgetSpent. */
  async ask({ program, fault, source }: AdmissionExpression): Promise<Outcome> {
    if (!program) return { fault: `compilation error: ${fault}` };
    for (;;) {
      let cost = 0;
      let outcome: Outcome;
      const note = (spent: number) => {
        cost = spent;
      };
      try {
        outcome = { value: program.run(this.#values, mostPerExpression, note) };
      } catch (error) {
        if (error instanceof Unanswered) {
          await error.answer;
          continue;
        }
        if (!isFault(error)) throw error;
        outcome = { fault: `expression '${source}' resulted in error: ${error.message}` };
      }
      const spent = cost + this.#variablesCost;
      this.#variablesCost = 0;
      this.#budget.spend(spent);
      await this.#pace.spend(spent + this.#cost);
      this.#cost = 0;
      return outcome;
    }
  }

  /** A variable's cost counts even if it fails, unless it will be evaluated again. */
  #variable({ program }: AdmissionExpression): Value {
    let cost = 0;
    const note = (spent: number) => {
      cost = spent;
    };
    try {
      const value = must(program, 'program').run(this.#values, mostPerExpression, note);
      this.#variablesCost += cost;
      return value;
    } catch (error) {
      if (isFault(error)) this.#variablesCost += cost;
      throw error;
    }
  }
}

const isFault = (error: unknown): error is EvaluationFault | CostExceeded =>
  error instanceof EvaluationFault || error instanceof CostExceeded;

/** Variables are evaluated when they are first read, and keep the outcome. */
class LazyVariables extends CelMap {
  readonly #variables: Variables;
  readonly #evaluate: (expression: AdmissionExpression) => Value;
  readonly #outcomes = new Map<string, Value | EvaluationFault>();

  constructor(variables: Variables, evaluate: (expression: AdmissionExpression) => Value) {
    super();
    this.#variables = variables;
    this.#evaluate = evaluate;
  }

  get size(): number {
    return this.#variables.size;
  }

  keys(): Iterable<Value> {
    return this.#variables.keys();
  }

  find(key: Value): Value | undefined {
    const expression = typeof key === 'string' ? this.#variables.get(key) : undefined;
    if (!expression) return undefined;
    let outcome = this.#outcomes.get(key as string);
    if (outcome === undefined) {
      outcome = this.#outcome(key as string, expression);
      this.#outcomes.set(key as string, outcome);
    }
    if (outcome instanceof EvaluationFault) throw outcome;
    return outcome;
  }

  #outcome(name: string, expression: AdmissionExpression): Value | EvaluationFault {
    const shown = `composited variable ${JSON.stringify(name)}`;
    if (!expression.program) return new EvaluationFault(`${shown} fails to compile: ${expression.fault}`);
    try {
      return this.#evaluate(expression);
    } catch (error) {
      if (isFault(error)) return new EvaluationFault(`${shown} fails to evaluate: ${error.message}`);
      throw error;
    }
  }
}

const metadataShown = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'finalizers',
] as const;

/** Expressions do not see the managed fields of the namespace. */
function shownNamespace({ metadata, spec, status }: ApiObject): object {
  const shown = metadataShown.filter((field) => metadata[field] !== undefined).map((field) => [field, metadata[field]]);
  return { metadata: Object.fromEntries(shown), spec: spec ?? {}, status: status ?? {} };
}

/**
 * Whether all conditions hold. One false condition decides; otherwise a fault is reported, or, if faults are ignored,
 * the policy does not apply.
 */
export async function conditionsHold(
  conditions: readonly AdmissionExpression[],
  inputs: Inputs,
  { failurePolicy, ...conditioned }: Conditioned & { readonly failurePolicy: string | undefined },
  variables: Variables = new Map(),
): Promise<{ readonly holds: boolean; readonly fault?: string }> {
  if (!conditions.length) return { holds: true };
  const { clock } = inputs.attributes.server;
  const began = clock.monotonic();
  const decided = <T extends { readonly holds: boolean; readonly fault?: string }>(verdict: T, errors = 0): T => {
    const isExcluded = !verdict.holds && verdict.fault === undefined;
    const seconds = (clock.monotonic() - began) / 1_000;
    observeConditions(inputs.attributes, conditioned, { seconds, errors, isExcluded });
    return verdict;
  };
  const ignores = failurePolicy === 'Ignore';
  const failed = (fault: string) => (ignores ? { holds: false } : { holds: false, fault });
  // The namespace is not read for conditions: most requests end here.
  const round = new Round({ ...inputs, namespace: undefined }, variables, conditionsBudget());
  const faults = new Set<string>();
  let refused = false;
  let errors = 0;
  try {
    for (const condition of conditions) {
      const outcome = await round.ask(condition);
      if (outcome.fault !== undefined) {
        errors++;
        faults.add(outcome.fault);
      } else if (outcome.value === false) refused = true;
    }
  } catch (error) {
    if (error instanceof BudgetSpent) return decided(failed(error.message), errors);
    throw error;
  }
  if (refused) return decided({ holds: false }, errors);
  if (!faults.size) return { holds: true };
  const [first] = faults;
  return decided(failed(faults.size === 1 ? (first as string) : `[${[...faults].join(', ')}]`), errors);
}
