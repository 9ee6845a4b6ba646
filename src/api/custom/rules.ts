// x-kubernetes-validations: CEL rules of a definition for its objects.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules

import {
  CostExceeded,
  EvaluationFault,
  type Expression,
  fromJson,
  NoOverload,
  none,
  Optional,
  type Value,
} from '../../machinery/cel/cel.ts';
import type { SizedType } from '../../machinery/cel/cost/sizes.ts';
import { escapeName } from '../../machinery/cel/parse/names.ts';
import { sizedType } from '../../machinery/cel/schema-types.ts';
import { type Fields, fieldsIn } from '../../machinery/parsed.ts';
import type { CelRule, Schema } from '../../machinery/schema.ts';
import { costWithinEffort, spendCost, spendEffort, TooMuchEffort } from '../../machinery/time/effort.ts';
import type { FieldError } from '../errors.ts';
import { duplicate, forbiddenField, invalidValue, required } from '../fields.ts';
import { type Correlated, correlate, fieldOf, isUnchanged, itemOf } from './correlate.ts';
import { type CompiledRule, compileRules, shownFieldPath } from './rule-programs.ts';

/** Budgets of all rules of one object, and of each rule. */
const objectBudget = 10_000_000;
const callLimit = 1_000_000;
const longestMessageBytes = 5 * 1024;

/** A schema with rules, or with parts that have some. */
interface RuledSchema {
  readonly schema: Schema;
  readonly rules: readonly CompiledRule[];
  /** The same value again, for rules below allOf. */
  readonly allOf: readonly RuledSchema[];
  readonly properties: ReadonlyMap<string, RuledSchema>;
  readonly items: RuledSchema | undefined;
  readonly values: RuledSchema | undefined;
}

/** Compiled once for each schema. */
const compiled = new WeakMap<Schema, { readonly ruled: RuledSchema | undefined }>();

function ruledSchema(schema: Schema): RuledSchema | undefined {
  let found = compiled.get(schema);
  if (!found) {
    const type = hasRules(schema) ? sizedType(schema, !!schema.custom) : undefined;
    found = { ruled: type && compile(schema, schema, type) };
    compiled.set(schema, found);
  }
  return found.ruled;
}

export const isPrepared = (schema: Schema): boolean => compiled.has(schema);

/** Compiles the rules of the schema, as the first validation does otherwise. */
export function prepareRules(schema: Schema): void {
  spendEffort(charactersOf(schema));
  ruledSchema(schema);
}

/** Of all rules: compiling takes about a microsecond for each. */
function charactersOf({ rules = [], items, properties = {}, additionalProperties }: Schema): number {
  let count = 0;
  for (const { rule = '', messageExpression = '' } of rules) count += rule.length + messageExpression.length;
  if (items) count += charactersOf(items);
  if (typeof additionalProperties === 'object') count += charactersOf(additionalProperties);
  for (const property of Object.values(properties)) count += charactersOf(property);
  return count;
}

/** Rules below allOf alone do not count. */
function hasRules({ rules, items, properties = {}, additionalProperties }: Schema): boolean {
  return (
    !!rules?.length ||
    (!!items && hasRules(items)) ||
    (typeof additionalProperties === 'object' && hasRules(additionalProperties)) ||
    Object.values(properties).some(hasRules)
  );
}

/** `from` has the rules, `schema` the types: not the same below allOf. */
function compile(from: Schema, schema: Schema, type: SizedType | undefined): RuledSchema | undefined {
  const { rules: own = [], items, properties = {}, additionalProperties, constraints } = from;
  const rules = own.length && type ? compileRules(own, type) : [];
  const below = new Map<string, RuledSchema>();
  for (const [name, property] of Object.entries(properties)) {
    const part = schema.properties?.[name];
    const escaped = escapeName(name);
    const partType = part && (escaped === undefined ? sizedType(part) : type?.fields?.get(escaped));
    const ruled = part && partType && compile(property, part, partType);
    if (ruled) below.set(name, ruled);
  }
  const values =
    typeof additionalProperties === 'object' && typeof schema.additionalProperties === 'object'
      ? compile(additionalProperties, schema.additionalProperties, type?.element)
      : undefined;
  const elements = items && schema.items && compile(items, schema.items, type?.element);
  const allOf = (constraints?.allOf ?? []).flatMap((part) => compile(part, schema, type) ?? []);
  if (!rules.length && !below.size && !values && !elements && !allOf.length) return undefined;
  return { schema, rules, allOf, properties: below, items: elements, values };
}

/** Faults from the rules. `old` is undefined for a new object. A fault of an unchanged part is a warning (KEP-4008). */
export function validateRules(
  schema: Schema,
  value: unknown,
  old: unknown,
  path = '',
  warn: (text: string) => void = () => {},
): FieldError[] {
  const ruled = ruledSchema(schema);
  if (!ruled) return [];
  const judge = new Judge(warn);
  const whole = old === undefined ? undefined : correlate(schema, value, old);
  judge.visit(ruled, { value, old, path, own: whole, parent: undefined });
  return judge.errors;
}

interface Place {
  readonly value: unknown;
  readonly old: unknown;
  readonly path: string;
  /** The value with the old one in its place, for ratcheting. */
  readonly own: Correlated | undefined;
  readonly parent: Correlated | undefined;
}

const child = (path: string, name: string): string => (path ? `${path}.${name}` : name);

class Judge {
  readonly errors: FieldError[] = [];
  readonly #warn: (text: string) => void;
  /** Negative after evaluation stopped. */
  #budget = objectBudget;

  constructor(warn: (text: string) => void) {
    this.#warn = warn;
  }

  visit(ruled: RuledSchema, place: Place): void {
    const { value, old } = place;
    if (value === undefined || value === null) return;
    spendEffort(1);
    if (ruled.rules.length) this.#evaluate(ruled, place);
    for (const part of ruled.allOf) if (this.#budget >= 0) this.visit(part, { ...place, own: undefined });
    if (this.#budget < 0) return;
    if (Array.isArray(value)) this.#visitItems(ruled, place, value);
    else if (typeof value === 'object') this.#visitFields(ruled, place, value as Fields, fieldsIn(old));
  }

  #visitItems({ schema, items }: RuledSchema, { old, path, own, parent }: Place, list: readonly unknown[]): void {
    if (!items) return;
    const pair = Array.isArray(old) ? correlate(schema, list, old) : undefined;
    for (const [index, value] of list.entries()) {
      if (this.#budget < 0) return;
      this.visit(items, {
        value,
        old: itemOf(pair, index)?.old,
        path: `${path}[${index}]`,
        own: itemOf(own, index),
        parent: own ?? parent,
      });
    }
  }

  #visitFields({ properties, values }: RuledSchema, place: Place, value: Fields, old: Readonly<Fields>): void {
    const { path, own, parent } = place;
    const visit = (part: RuledSchema, name: string, at: string) => {
      if (this.#budget < 0 || !Object.hasOwn(value, name)) return;
      const isTypeMeta = own && !parent && (name === 'apiVersion' || name === 'kind');
      const before = Object.hasOwn(old, name) ? old[name] : undefined;
      const pair = isTypeMeta ? undefined : fieldOf(own, name);
      this.visit(part, {
        value: value[name],
        old: before,
        path: at,
        own: pair,
        parent: isTypeMeta ? undefined : (own ?? parent),
      });
    };
    if (values) for (const name of Object.keys(value)) visit(values, name, `${path}[${name}]`);
    for (const [name, part] of properties) visit(part, name, child(path, name));
  }

  #evaluate({ schema, rules }: RuledSchema, place: Place): void {
    const { value, old, path } = place;
    const typeName = schema.type ?? '';
    if (this.#budget <= 0) return this.#stop(path, typeName, outOfBudget);
    const self = lazily(() => fromJson(value, schema));
    const before = lazily(() => (old === undefined || old === null ? undefined : fromJson(old, schema)));
    for (const compiledRule of rules) {
      const { rule, program, usesOldSelf, fault } = compiledRule;
      if (fault) this.errors.push(invalidValue(shown(path), typeName, `rule compile error: ${fault}`));
      if (!program || (usesOldSelf && before() === undefined && !rule.optionalOldSelf)) continue;
      const oldSelf = rule.optionalOldSelf ? optionalOf(before()) : before();
      const variables = { self: self(), oldSelf: usesOldSelf || rule.messageExpression ? oldSelf : undefined };
      const held = this.#hold(program, rule, variables, path, typeName);
      if (this.#budget < 0) return;
      if (held === false) this.#refuse(compiledRule, schema, place, variables);
      if (this.#budget < 0) return;
    }
  }

  /** Undefined when the rule could not be evaluated; that is an error already. */
  #hold(program: Expression, rule: CelRule, variables: Variables, path: string, typeName: string): boolean | undefined {
    const fail = (why: string) => void this.errors.push(invalidValue(shown(path), typeName, why));
    const spend = this.#spender();
    try {
      const held = runWithinEffort(program, variables, spend.charge);
      if (!spend.exhausted()) return held === true;
    } catch (error) {
      if (spend.exhausted()) return void this.#stop(path, typeName, outOfBudget);
      if (error instanceof CostExceeded)
        return void this.#stop(
          path,
          typeName,
          `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${nameOf(rule)}`,
        );
      if (!(error instanceof EvaluationFault)) throw error;
      if (error instanceof NoOverload)
        return fail(
          `'${error.message}': call arguments did not match a supported operator, function or macro signature for rule: ${nameOf(rule)}`,
        );
      return fail(`${error.message} evaluating rule: ${nameOf(rule)}`);
    }
    return void this.#stop(path, typeName, outOfBudget);
  }

  #spender() {
    let over = false;
    return {
      charge: (cost: number) => {
        over = cost > this.#budget;
        if (!over) this.#budget -= cost;
      },
      exhausted: () => over,
    };
  }

  #stop(path: string, typeName: string, why: string): void {
    this.errors.push(invalidValue(shown(path), typeName, why));
    this.#budget = -1;
  }

  #refuse({ rule, usesOldSelf, message }: CompiledRule, schema: Schema, place: Place, variables: Variables): void {
    const { value, own, parent } = place;
    const path = rule.fieldPath ? fieldPathBelow(place.path, rule.fieldPath, schema) : place.path;
    const add = (error: FieldError) => {
      const ratcheted = !usesOldSelf && isUnchanged(own ?? parent);
      if (ratcheted) this.#warn(`${error.field}: ${error.message}`);
      else this.errors.push(error);
    };
    const made = message && this.#message(message, rule, variables);
    if (made && 'fault' in made) {
      add(invalidValue(shown(path), schema.type ?? '', made.fault));
      this.#budget = -1;
      return;
    }
    const plain = rule.message?.length ? rule.message.trim() : `failed rule: ${nameOf(rule)}`;
    add(faultFor(rule.reason, shown(path), schema, value, made?.text ?? plain));
  }

  /** Undefined if the message expression fails: the rule's message is used then. */
  #message(program: Expression, rule: CelRule, variables: Variables): { text: string } | { fault: string } | undefined {
    const spend = this.#spender();
    const exhausted = {
      fault:
        'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run',
    };
    try {
      const text = runWithinEffort(program, variables, spend.charge);
      if (spend.exhausted()) return exhausted;
      return typeof text === 'string' && isMessage(text.trim()) ? { text: text.trim() } : undefined;
    } catch (error) {
      if (spend.exhausted()) return exhausted;
      if (error instanceof CostExceeded)
        return {
          fault: `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(rule.messageExpression)}`,
        };
      if (error instanceof EvaluationFault) return undefined;
      throw error;
    }
  }
}

function runWithinEffort(program: Expression, variables: Variables, charge: (cost: number) => void): Value {
  const limit = costWithinEffort();
  let spent = 0;
  try {
    return program.run(variables, Math.min(callLimit, limit), (cost) => {
      spent = cost;
      charge(cost);
    });
  } catch (error) {
    if (error instanceof CostExceeded && limit < callLimit) throw new TooMuchEffort();
    throw error;
  } finally {
    spendCost(spent);
  }
}

type Variables = { readonly self: Value; readonly oldSelf: Value | undefined };

const outOfBudget = 'validation failed due to running out of cost budget, no further validation rules will be run';

const shown = (path: string): string => path || '<nil>';
const nameOf = (rule: CelRule): string => (rule.message || rule.rule).trim();

const isMessage = (text: string): boolean =>
  text !== '' && !text.includes('\n') && new TextEncoder().encode(text).length <= longestMessageBytes;

const optionalOf = (value: Value | undefined): Optional => (value === undefined ? none : new Optional(value));

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function fieldPathBelow(path: string, fieldPath: string, schema: Schema): string {
  const below = shownFieldPath(fieldPath, schema);
  return below ? child(path, below) : path;
}

/** Objects and lists are not shown: they can be large. */
function faultFor(
  reason: string | undefined,
  path: string,
  { type }: Schema,
  value: unknown,
  detail: string,
): FieldError {
  const hidden = type === 'object' || type === 'array';
  switch (reason) {
    case 'FieldValueForbidden':
      return forbiddenField(path, detail);
    case 'FieldValueRequired':
      return required(path, detail);
    case 'FieldValueDuplicate':
      return hidden ? { type: 'FieldValueDuplicate', field: path, message: 'Duplicate value' } : duplicate(path, value);
    default:
      return hidden
        ? { type: 'FieldValueInvalid', field: path, message: `Invalid value: ${detail}` }
        : invalidValue(path, value, detail);
  }
}
