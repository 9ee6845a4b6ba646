// Validation rules as data: a table lists the fields of a struct with their rules, in the order of their faults. Rules
// over several fields are functions beside the table.

import type { Fields } from '../../machinery/parsed.ts';
import { byteLength } from '../../machinery/text/names.ts';
import { type FieldError, mostFaults } from '../errors.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  invalidValues,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '../fields.ts';

/**
 * The faults of the value at `path`. `holder` is the struct that has the field. Decoding has checked the types: rules
 * declare those of their fields, which a method's type accepts.
 */
export type Rule = {
  faults(value: unknown, path: string, holder?: unknown): readonly FieldError[];
}['faults'] & {
  /** A missing value has no faults: most fields of most objects are missing. */
  readonly optional?: true;
};
export type Rules = Readonly<Record<string, Rule | readonly Rule[]>>;

const none: readonly FieldError[] = [];
const optional = (rule: Rule): Rule => Object.assign(rule, { optional: true as const });
const isMissing = (value: unknown): boolean => value === undefined || value === null;

/** Absent, or an empty text, list or map: Kubernetes treats these alike in most places. */
export const isEmpty = (value: unknown): boolean =>
  isMissing(value) ||
  value === '' ||
  (typeof value === 'object' &&
    (Array.isArray(value) ? value.length === 0 : Object.keys(value as object).length === 0));

/** Several rules for one value, one after the other. */
export function all(...rules: readonly Rule[]): Rule {
  if (rules.length === 1) return rules[0];
  const joined: Rule = (value, path, holder) => {
    let found: FieldError[] | undefined;
    for (const rule of rules) {
      const faults = rule(value, path, holder);
      if (faults.length) (found ??= []).push(...faults);
    }
    return found ?? none;
  };
  return rules.every((rule) => rule.optional) ? optional(joined) : joined;
}

/** The fields of a struct; a missing struct has no faults. */
export function struct(rules: Rules): Rule {
  const table = Object.entries(rules).map(([field, rule]) => ({
    field,
    rule: typeof rule === 'function' ? rule : all(...rule),
  }));
  return optional((value, path) => {
    if (isMissing(value)) return none;
    const fields = value as Fields;
    let found: FieldError[] | undefined;
    for (const { field, rule } of table) {
      if (rule.optional && fields[field] === undefined) continue;
      const faults = rule(fields[field], path ? `${path}.${field}` : field, value);
      if (faults.length) (found ??= []).push(...faults);
    }
    return found ?? none;
  });
}

/** Each item of a list, at its index. */
export const each = (rule: Rule): Rule =>
  optional((list, path) =>
    isEmpty(list) ? none : firstOf(list as unknown[], (item, index) => rule(item, `${path}[${index}]`, list)),
  );

/** The faults of all items, up to the reported limit: a hundred thousand would take a hundred megabytes. */
function firstOf<T>(items: readonly T[], faultsOf: (item: T, index: number) => readonly FieldError[]) {
  const found: FieldError[] = [];
  for (const [index, item] of items.entries()) {
    const faults = faultsOf(item, index);
    if (faults.length) found.push(...faults);
    if (found.length > mostFaults) break;
  }
  return found;
}

/** Each key of a map; the path names the map or, with `keyed`, the entry. */
export const eachKey = (rule: Rule, keyed = false): Rule =>
  optional((map, path) =>
    isEmpty(map)
      ? none
      : firstOf(Object.keys(map as Fields), (key) => rule(key, keyed ? `${path}[${key}]` : path, map)),
  );

/** Holds for values that are there: not missing, and not empty. */
export function given(...rules: readonly Rule[]): Rule {
  const rule = all(...rules);
  return optional((value, path, holder) => (isMissing(value) || value === '' ? none : rule(value, path, holder)));
}

/** Holds for values that are there, were they an empty text. */
export function set(...rules: readonly Rule[]): Rule {
  const rule = all(...rules);
  return optional((value, path, holder) => (isMissing(value) ? none : rule(value, path, holder)));
}

/** Must be there and not empty. */
export const need =
  (detail = ''): Rule =>
  (value, path) =>
    isEmpty(value) ? [required(path, detail)] : none;

/** Must be present and pass the rules. */
export function needed(...rules: readonly Rule[]): Rule {
  const rule = all(...rules);
  return (value, path, holder) => (isEmpty(value) ? [required(path)] : rule(value, path, holder));
}

/** The faults that a check of texts finds, each in a sentence. An absent text is an empty one. */
export const text =
  (check: (value: string) => readonly string[]): Rule =>
  (value: string | null | undefined, path) =>
    invalidValues(path, value ?? '', check(value ?? ''));

/** Must be one of the values; an absent value is invalid. */
export const oneOfThese =
  (...supported: readonly string[]): Rule =>
  (value: string, path) =>
    supported.includes(value) ? none : [notSupported(path, value ?? '', supported)];

/** Required when empty, and one of the values. */
export const choice =
  (...supported: readonly string[]): Rule =>
  (value, path) =>
    isEmpty(value) ? [required(path)] : oneOfThese(...supported)(value, path);

export const range =
  (min: number, max: number, detail = `must be between ${min} and ${max}, inclusive`): Rule =>
  (value: number | null | undefined, path) =>
    (value ?? 0) < min || (value ?? 0) > max ? [invalidValue(path, value ?? 0, detail)] : none;

export const atLeast =
  (min: number, detail: string): Rule =>
  (value: number | null | undefined, path) =>
    (value ?? 0) < min ? [invalidValue(path, value ?? 0, detail)] : none;

export const notNegative: Rule = atLeast(0, 'must be greater than or equal to 0');
export const positive: Rule = atLeast(1, 'must be greater than zero');

export const forbidden = (detail: string): Rule =>
  optional((value, path) => (isMissing(value) ? none : [forbiddenField(path, detail)]));

export const maxItems = (max: number): Rule =>
  optional((value: readonly unknown[] | undefined, path) =>
    value && value.length > max ? [tooMany(path, value.length, max)] : none,
  );

export const maxBytes = (max: number): Rule =>
  optional((value, path) =>
    typeof value === 'string' && value.length * 3 > max && byteLength(value) > max ? [tooLong(path, max)] : none,
  );

/** Items with the key of an earlier one, at their index. */
export const unique =
  <T>(key: (item: T) => unknown = (item) => item, field = ''): Rule =>
  (list, path) => {
    if (isEmpty(list)) return none;
    const seen = new Set<unknown>();
    return firstOf(list as T[], (item, index) => {
      const value = key(item);
      if (seen.has(value)) return [duplicate(`${path}[${index}]${field}`, value)];
      seen.add(value);
      return [];
    });
  };
