// x-kubernetes-validations: rules of a definition that its objects must keep.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules

import type { CelRule, Schema } from '../../machinery/schema.ts';
import { CelError, celOptional, compileCel } from '../cel/cel.ts';
import { toCel } from '../cel/values.ts';
import type { FieldError, FieldErrorType } from '../errors.ts';
import { sameValue } from '../fields.ts';

export const ruleVariables = ['self', 'oldSelf'] as const;

const carriers = new WeakMap<Schema, boolean>();

/** Whether the schema or anything in it has rules. */
function hasRules(schema: Schema): boolean {
  let found = carriers.get(schema);
  if (found === undefined) {
    const { properties = {}, items, additionalProperties } = schema;
    const parts = [...Object.values(properties), items, additionalProperties].filter(
      (part) => typeof part === 'object',
    );
    found = !!schema.rules?.length || parts.some(hasRules);
    carriers.set(schema, found);
  }
  return found;
}

/** What the rules find. `old` is undefined for a new object, or where nothing corresponds to `value`. */
export function validateRules(schema: Schema, value: any, old: any, path = ''): FieldError[] {
  if (value === undefined || value === null || !hasRules(schema)) return [];
  // What was stored and does not change is not judged anew (KEP-4008).
  if (old !== undefined && sameValue(value, old)) return [];
  const errors: FieldError[] = [];
  if (schema.rules?.length) {
    const seen = { value, self: toCel(schema, value), before: old === undefined ? undefined : toCel(schema, old) };
    for (const rule of schema.rules) errors.push(...(judge(rule, seen, path) ?? []));
  }
  if (Array.isArray(value)) {
    const before = correlated(schema, old);
    for (const [index, item] of value.entries())
      if (schema.items) errors.push(...validateRules(schema.items, item, before(item), `${path}[${index}]`));
    return errors;
  }
  if (typeof value !== 'object') return errors;
  const others = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
  for (const [key, inner] of Object.entries(value)) {
    const part = schema.properties?.[key] ?? others;
    if (part) errors.push(...validateRules(part, inner, old?.[key], path ? `${path}.${key}` : key));
  }
  return errors;
}

/** The old element of a list that is keyed; elements of other lists do not correspond. */
function correlated(schema: Schema, old: any): (item: any) => any {
  const keys = schema.listMapKeys;
  if (schema.listType !== 'map' || !keys || !Array.isArray(old)) return () => undefined;
  return (item) => old.find((other) => keys.every((key) => sameValue(other?.[key], item?.[key])));
}

/** A value with what rules see of it and of the one before it, which is undefined where there is none. */
interface Seen {
  readonly value: any;
  readonly self: unknown;
  readonly before: unknown;
}

function judge(rule: CelRule, { value, self, before }: Seen, path: string): FieldError[] | undefined {
  const fail = (type: FieldErrorType, text: string, field = path): FieldError[] => [
    { type, field: field || '<nil>', message: `${words[type] ?? 'Invalid value'}: ${text}` },
  ];
  const shown = `"${Array.isArray(value) ? 'array' : typeof value}"`;
  try {
    const program = compileCel(rule.rule, ruleVariables);
    if (program.uses('oldSelf') && before === undefined && !rule.optionalOldSelf) return undefined;
    const variables = { self, oldSelf: rule.optionalOldSelf ? celOptional(before) : before };
    if (program.run(variables) === true) return undefined;
    const field = rule.fieldPath ? `${path}${path ? rule.fieldPath : rule.fieldPath.replace(/^\./, '')}` : path;
    return fail((rule.reason ?? 'FieldValueInvalid') as FieldErrorType, messageOf(rule, variables), field);
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    return fail('FieldValueInvalid', `${shown}: ${error.message} evaluating rule: ${rule.message || rule.rule}`);
  }
}

const words: Partial<Record<FieldErrorType, string>> = {
  FieldValueForbidden: 'Forbidden',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
};

function messageOf(rule: CelRule, variables: Readonly<Record<string, unknown>>): string {
  const plain = rule.message?.trim() || `failed rule: ${rule.rule.trim()}`;
  if (!rule.messageExpression) return plain;
  try {
    const text = compileCel(rule.messageExpression, ruleVariables).run(variables);
    return typeof text === 'string' && text.trim() && !text.includes('\n') ? text.trim() : plain;
  } catch {
    return plain;
  }
}
