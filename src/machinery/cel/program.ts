// A checked expression as nested functions. Each step is charged at run time.
// https://kubernetes.io/docs/reference/using-api/cel/#runtime-cost-budget

import { compilePattern, PatternError } from '../text/pattern.ts';
import { Attribute } from './attributes.ts';
import { listCost, mapCost, structCost } from './cost/cost-range.ts';
import type { Environment, FunctionDeclaration, Implementation } from './declarations.ts';
import { dispatcher } from './dispatch.ts';
import { planFold } from './fold.ts';
import { forgetSizes } from './json.ts';
import type { Call, Fold, Node } from './parse/ast.ts';
import { type Evaluate, Run, standardCost } from './runtime.ts';
import { attempt, logic, notStrictlyFalse, orElse, present } from './steps.ts';
import {
  ArrayList,
  CelList,
  EntryMap,
  EvaluationFault,
  equal,
  noOverload,
  type Optional,
  StructValue,
  Uint,
  type Value,
} from './values.ts';

/** A valid expression that cannot become a program, because a constant part fails. */
export class ProgramFault extends Error {
  override readonly name = 'ProgramFault';
}

export interface Program {
  /** Throws EvaluationFault, or CostExceeded above `limit`; `spent` receives the cost in both cases. */
  run(variables: Readonly<Record<string, Value | undefined>>, limit: number, spent?: (cost: number) => void): Value;
}

/** Throws ProgramFault. */
export function planProgram(root: Node, environment: Environment): Program {
  const plan = new Planner(environment).plan(root);
  const evaluate = evaluateOf(plan);
  return {
    run(variables, limit, spent) {
      const run = new Run(variables, limit);
      forgetSizes();
      try {
        return evaluate(run);
      } finally {
        spent?.(run.cost);
      }
    },
  };
}

/** A part of the program: a constant, an attribute that may be extended, or another expression. */
type Plan =
  | { readonly kind: 'constant'; readonly value: Value }
  | { readonly kind: 'attribute'; readonly attribute: Attribute }
  | { readonly kind: 'step'; readonly evaluate: Evaluate };

function evaluateOf(plan: Plan): Evaluate {
  if (plan.kind === 'constant') {
    const { value } = plan;
    return () => value;
  }
  return plan.kind === 'attribute' ? plan.attribute.evaluate : plan.evaluate;
}

const constant = (value: Value): Plan => ({ kind: 'constant', value });
const step = (evaluate: Evaluate): Plan => ({ kind: 'step', evaluate });
const attribute = (of: Attribute): Plan => ({ kind: 'attribute', attribute: of });

const conversions = new Set([
  'bool',
  'bytes',
  'double',
  'dyn',
  'duration',
  'int',
  'string',
  'timestamp',
  'type',
  'uint',
]);

class Planner {
  readonly #environment: Environment;
  readonly #scopes: Map<string, number>[] = [];
  #slots = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  plan(node: Node): Plan {
    switch (node.kind) {
      case 'literal':
        return constant(node.value as Value);
      case 'ident':
        return node.constant ? constant(node.constant as Value) : this.#planName(node.name);
      case 'select':
        if (node.constant) return constant(node.constant as Value);
        if (node.qualified !== undefined) return this.#planName(node.qualified);
        return this.#qualify(node.operand, constant(node.field), false, node.test);
      case 'call':
        return this.#planCall(node);
      case 'list':
        return this.#planList(node);
      case 'map':
        return this.#planMap(node);
      case 'struct':
        return this.#planStruct(node);
      case 'fold':
        return step(planFold(node as Fold, this));
    }
  }

  evaluate(node: Node): Evaluate {
    return evaluateOf(this.plan(node));
  }

  /** Places for names that `body` may use. */
  scope<T>(names: readonly string[], body: (slots: readonly number[]) => T): T {
    const slots = names.map(() => this.#slots++);
    this.#scopes.push(new Map(names.map((name, index) => [name, slots[index] as number])));
    try {
      return body(slots);
    } finally {
      this.#scopes.pop();
    }
  }

  /** The cost of a call comes from the declaration, or from the standard rule. */
  function(name: string): FunctionDeclaration {
    return this.#environment.function(name) as FunctionDeclaration;
  }

  #planName(name: string): Plan {
    const plain = name.replace(/^\./, '');
    if (plain === name)
      for (let index = this.#scopes.length - 1; index >= 0; index--) {
        const slot = this.#scopes[index]?.get(name);
        if (slot !== undefined) return attribute(new Attribute((run) => localValue(run.locals[slot])));
      }
    return attribute(new Attribute((run) => run.variable(plain)));
  }

  #qualify(operand: Node, key: Plan, optional: boolean, test = false): Plan {
    const plan = this.plan(operand);
    const base = plan.kind === 'attribute' ? plan.attribute : new Attribute(evaluateOf(plan));
    const evaluateKey = key.kind === 'attribute' ? key.attribute.resolve : evaluateOf(key);
    return attribute(base.with({ key: evaluateKey, optional, test }));
  }

  #planCall(node: Call): Plan {
    const [first, second, third] = node.args as [Node, Node, Node];
    switch (node.name) {
      case '_&&_':
        return step(logic(this.evaluate(first), this.evaluate(second), false));
      case '_||_':
        return step(logic(this.evaluate(first), this.evaluate(second), true));
      case '_?_:_':
        return this.#planConditional(first, second, third);
      case '_[_]':
        return this.#qualify(first, this.plan(second), false);
      case '_[?_]':
      case '_?._':
        return this.#qualify(first, this.plan(second), true);
      case '@not_strictly_false':
        return step(notStrictlyFalse(this.evaluate(first)));
      case 'or':
      case 'orValue':
        return step(orElse(this.evaluate(node.target as Node), this.evaluate(first), node.name === 'orValue'));
    }
    return this.#planFunction(node);
  }

  #planConditional(condition: Node, yes: Node, no: Node): Plan {
    const test = this.evaluate(condition);
    const branch = (node: Node): Evaluate => {
      const plan = this.plan(node);
      return plan.kind === 'attribute' ? plan.attribute.resolve : evaluateOf(plan);
    };
    const [left, right] = [branch(yes), branch(no)];
    const choose: Evaluate = (run) => {
      const value = test(run);
      if (value === true) return left(run);
      return value === false ? right(run) : noOverload();
    };
    return attribute(new Attribute(choose, 0));
  }

  #planFunction(node: Call): Plan {
    const plans = (node.target ? [node.target, ...node.args] : node.args).map((arg) => this.plan(arg));
    checkPattern(node.name, plans);
    const call = this.#implementation(node);
    if (conversions.has(node.name) && plans.length === 1 && plans[0]?.kind === 'constant')
      return constant(folded(call, plans[0].value));
    if (node.name === '@in' && node.overloads?.length === 1 && node.overloads[0] === 'in_list') {
      const membership = setMembership(plans);
      if (membership) return membership;
    }
    const charge = this.#charge(node);
    const args = plans.map(evaluateOf);
    return step(callStep(args, call, charge, this.function(node.name).paidFirst ? paidFirst : finish));
  }

  #implementation(node: Call): Implementation {
    if (node.name === '_==_') return equal;
    if (node.name === '_!=_') return (a: Value, b: Value) => !equal(a, b);
    return dispatcher(this.function(node.name), node.overloads ?? []);
  }

  #charge(node: Call): (run: Run, args: readonly Value[], result: Value) => void {
    const overload = node.overloads?.length === 1 ? node.overloads[0] : undefined;
    const own = this.function(node.name).cost;
    const standard = standardCost(overload);
    if (!own) return (run, args) => run.charge(standard(args));
    return (run, args, result) => run.charge(own(args, result, overload) ?? standard(args));
  }

  #planList({ items, optional }: Extract<Node, { kind: 'list' }>): Plan {
    const plans = items.map((item) => this.plan(item));
    const constants = plans.flatMap((plan) => (plan.kind === 'constant' ? [plan.value] : []));
    if (constants.length === plans.length && !optional.size) return constant(new ArrayList(constants));
    const evaluates = plans.map(evaluateOf);
    return step((run) => {
      const values: Value[] = [];
      for (const [index, evaluate] of evaluates.entries()) {
        const value = evaluate(run);
        if (!optional.has(index)) values.push(value);
        else if (present(value, 'element')) values.push((value as Optional).value as Value);
      }
      run.charge(listCost);
      return new ArrayList(values);
    });
  }

  #planMap({ entries }: Extract<Node, { kind: 'map' }>): Plan {
    const plans = entries.map(({ key, value, optional }) => ({
      key: this.plan(key),
      value: this.plan(value),
      optional,
    }));
    const build = (run: Run) => {
      const pairs: [Value, Value][] = [];
      for (const { key, value, optional } of evaluates) {
        const [name, entry] = [key(run), value(run)];
        if (!optional) pairs.push([name, entry]);
        else if (present(entry, 'entry')) pairs.push([name, (entry as Optional).value as Value]);
      }
      return new EntryMap(pairs);
    };
    const evaluates = plans.map(({ key, value, optional }) => ({
      key: evaluateOf(key),
      value: evaluateOf(value),
      optional,
    }));
    const isConstant = plans.every((p) => p.key.kind === 'constant' && p.value.kind === 'constant' && !p.optional);
    // A fold may add to an empty map, so each run gets a new one.
    if (isConstant && plans.length) return constant(build(new Run({}, 0)));
    const cost = isConstant ? 0 : mapCost;
    return step((run) => {
      const map = build(run);
      run.charge(cost);
      return map;
    });
  }

  #planStruct({ name, fields }: Extract<Node, { kind: 'struct' }>): Plan {
    const evaluates = fields.map((field) => ({ ...field, evaluate: this.evaluate(field.value) }));
    return step((run) => {
      const values = new Map<string, Value>();
      for (const field of evaluates) {
        const value = field.evaluate(run);
        if (!field.optional) values.set(field.name, value);
        else if (present(value, 'entry')) values.set(field.name, (value as Optional).value as Value);
      }
      run.charge(structCost);
      return new StructValue(name, values);
    });
  }
}

/** The value of a loop; a failed one throws when it is read. */
function localValue(value: Value | EvaluationFault | undefined): Value {
  if (value instanceof EvaluationFault) throw value;
  return value as Value;
}

type Charge = (run: Run, args: readonly Value[], result: Value) => void;

/** Calls with one and two arguments evaluate both and charge the same, even if one of them fails. */
function callStep(args: readonly Evaluate[], call: Implementation, charge: Charge, end: typeof finish): Evaluate {
  const [first, second] = args as [Evaluate, Evaluate];
  if (args.length === 1)
    return (run) => {
      const value = attempt(first, run);
      if (value instanceof EvaluationFault) return failed(run, charge, value, [null]);
      return end(run, call, charge, [value]);
    };
  if (args.length === 2)
    return (run) => {
      const left = attempt(first, run);
      const right = attempt(second, run);
      if (left instanceof EvaluationFault) return failed(run, charge, left, [null, plainOf(right)]);
      if (right instanceof EvaluationFault) return failed(run, charge, right, [left, null]);
      return end(run, call, charge, [left, right]);
    };
  return (run) =>
    end(
      run,
      call,
      charge,
      args.map((evaluate) => evaluate(run)),
    );
}

const plainOf = (value: Value | EvaluationFault): Value => (value instanceof EvaluationFault ? null : value);

function finish(run: Run, call: Implementation, charge: Charge, values: readonly Value[]): Value {
  let result: Value;
  try {
    result = call(...values);
  } catch (error) {
    if (error instanceof EvaluationFault) failed(run, charge, error, values);
    throw error;
  }
  charge(run, values, result);
  return result;
}

function paidFirst(run: Run, call: Implementation, charge: Charge, values: readonly Value[]): Value {
  charge(run, values, null);
  return call(...values);
}

/** A value that could not be computed counts as one of size 1. */
function failed(run: Run, charge: Charge, fault: EvaluationFault, values: readonly Value[]): never {
  charge(run, values, null);
  throw fault;
}

function folded(call: (value: Value) => Value, value: Value): Value {
  try {
    return call(value);
  } catch (error) {
    if (error instanceof EvaluationFault) throw new ProgramFault(error.message);
    throw error;
  }
}

/** Compiles literal patterns together with the expression. */
function checkPattern(name: string, plans: readonly Plan[]): void {
  const pattern = plans[1];
  if (!['matches', 'find', 'findAll'].includes(name)) return;
  if (pattern?.kind !== 'constant' || typeof pattern.value !== 'string') return;
  try {
    compilePattern(pattern.value);
  } catch (error) {
    if (error instanceof PatternError) throw new ProgramFault(error.message);
    throw error;
  }
}

/** `x in [1, 2, 3]` is a free lookup in a set. */
function setMembership([item, list]: readonly Plan[]): Plan | undefined {
  if (list?.kind !== 'constant' || !(list.value instanceof CelList) || !item) return undefined;
  if (list.value.size === 0) return constant(false);
  const primitive = (value: Value) =>
    ['string', 'bigint', 'number', 'boolean'].includes(typeof value) || value instanceof Uint;
  if (![...list.value].every(primitive)) return undefined;
  const members = new EntryMap([...list.value].map((value) => [value, true]));
  const evaluate = evaluateOf(item);
  return step((run) => {
    const value = evaluate(run);
    return primitive(value) && members.find(value) !== undefined;
  });
}
