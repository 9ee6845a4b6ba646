// Rules shared by the kinds of dynamic resource allocation.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/

import {
  byteLength,
  cIdentifierFaults,
  dns1123LabelFaults,
  dns1123SubdomainFaults,
  labelValueFaults,
  qualifiedNameFaults,
} from '../../../machinery/text/names.ts';
import { deviceSelectorFaults } from '../../cel/device-selectors.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValue, invalidValues, required, tooLong, tooMany } from '../../fields.ts';
import type { DeviceSelector } from '../../generated/types.ts';
import { choice, each, given, need, oneOfThese, type Rule, struct, text } from '../rules.ts';
import { csiDriverName } from '../volume-sources.ts';

const longestId = 32;
const longestPool = 253;

export const label: Rule = text(dns1123LabelFaults);
export const labelName: Rule = text(qualifiedNameFaults);
export const driverName: Rule = csiDriverName;
export const effect: Rule = choice('NoExecute', 'NoSchedule', 'None');

/** Limits the number of items, and then checks each. */
export const listOf =
  (most: number, rule: Rule): Rule =>
  (list: readonly unknown[] | undefined, path) =>
    list && list.length > most ? [tooMany(path, list.length, most)] : each(rule)(list, path);

/** Same for items with a key. */
export const setOf =
  <T>(most: number, rule: Rule, key: (item: T) => unknown = (item) => item): Rule =>
  (list: readonly T[] | undefined, path) => {
    if (list && list.length > most) return [tooMany(path, list.length, most)];
    const seen = new Set<unknown>();
    const repeated = (list ?? []).flatMap((item, index) => {
      const value = key(item);
      if (seen.has(value)) return [duplicate(`${path}[${index}]`, value)];
      seen.add(value);
      return [];
    });
    return [...each(rule)(list, path), ...repeated];
  };

/** Faults of keys have the map's path, and faults of values the key's path, truncated if long. */
export const mapOf =
  (most: number, longestKey: number, keyRule: Rule, rule: Rule): Rule =>
  (map: object | undefined, path) => {
    const entries = Object.entries(map ?? {});
    if (entries.length > most) return [tooMany(path, entries.length, most)];
    return entries.flatMap(([key, value]) => [
      ...keyRule(key, path),
      ...rule(value, `${path}[${shortened(key, longestKey)}]`),
    ]);
  };

function shortened(key: string, longest: number): string {
  if (key.length <= longest) return key;
  const kept = longest - 3;
  return `${key.slice(0, Math.ceil(kept / 2))}...${key.slice(-Math.floor(kept / 2))}`;
}

const identifier: Rule = (id: string, path) => [
  ...(byteLength(id) > longestId ? [tooLong(path, longestId)] : []),
  ...invalidValues(path, id, cIdentifierFaults(id)),
];

/** An identifier, with or without a domain in front. */
export const deviceQualifiedName: Rule = (name: string, path) => {
  const parts = name.split('/');
  if (parts.length === 1) return identifier(name, path);
  if (parts.length > 2) return [];
  const [domain, id] = parts;
  return [
    ...(domain ? driverName(domain, path) : [invalidValue(path, '', 'the domain must not be empty')]),
    ...(id ? identifier(id, path) : [invalidValue(path, '', 'the name must not be empty')]),
  ];
};

export const fullyQualified: Rule = (name: string, path) => [
  ...deviceQualifiedName(name, path),
  ...(name.includes('/')
    ? []
    : [invalidValue(path, name, 'a fully qualified name must be a domain and a name separated by a slash')]),
];

export const poolName: Rule = (name: string | undefined, path) => {
  if (!name) return [required(path)];
  return [
    ...(byteLength(name) > longestPool ? [tooLong(path, longestPool)] : []),
    ...name.split('/').flatMap((part) => invalidValues(path, part, dns1123SubdomainFaults(part))),
  ];
};

export const selectors: Rule = listOf(32, (selector: DeviceSelector, path) => {
  const at = `${path}.cel`;
  return selector.cel ? deviceSelectorFaults(selector.cel.expression ?? '', `${at}.expression`) : [required(at)];
});

/** Raw JSON that must be an object, of limited size unless it is stored already. */
export const rawObject =
  (mostBytes: number, isStored = false): Rule =>
  (value, path) => {
    if (value === undefined || value === null) return [required(path)];
    if (!isStored && byteLength(JSON.stringify(value)) > mostBytes) return [tooLong(path, mostBytes)];
    return typeof value === 'object' && !Array.isArray(value)
      ? []
      : [invalidValue(path, '<value omitted>', 'must be a valid JSON object')];
  };

const mostParameterBytes = 10 * 1024;

/** Parameters for a driver. */
export const configuration = (isStored: boolean): Rule =>
  struct({
    opaque: [need(), struct({ driver: driverName, parameters: rawObject(mostParameterBytes, isStored) })],
  });

const tolerationValue: Rule = (value: string | undefined, path, { operator }: { operator?: string }) => {
  if (operator === 'Exists') return value ? [invalidValue(path, value, 'must be empty for operator `Exists`')] : [];
  return operator === 'Equal' ? invalidValues(path, value ?? '', labelValueFaults(value ?? '')) : [];
};

export const deviceToleration: Rule = struct({
  key: given(labelName),
  value: tolerationValue,
  operator: choice('Equal', 'Exists'),
  effect: given(oneOfThese('NoExecute', 'NoSchedule', 'None')),
});

const mostConditions = 4;
const conditionNames = listOf(mostConditions, labelName);

/** Conditions for binding and for its failure must be set together. */
export function validateBinding(
  {
    bindingConditions,
    bindingFailureConditions,
  }: { bindingConditions?: string[]; bindingFailureConditions?: string[] },
  path: string,
): FieldError[] {
  const [conditions, failures] = [bindingConditions ?? [], bindingFailureConditions ?? []];
  const [at, failuresAt] = [`${path}.bindingConditions`, `${path}.bindingFailureConditions`];
  const names = new Set(conditions);
  const errors = [
    ...conditionNames(conditions, at),
    ...conditionNames(failures, failuresAt),
    ...repeated(conditions, at),
  ];
  const seen = new Set<string>();
  for (const [index, name] of failures.entries()) {
    if (seen.has(name)) errors.push(duplicate(`${failuresAt}[${index}]`, name));
    seen.add(name);
    if (names.has(name)) {
      const why = 'bindingFailureConditions must not overlap with bindingConditions';
      errors.push(invalidValue(`${failuresAt}[${index}]`, name, why));
    }
  }
  if (!conditions.length && failures.length)
    errors.push(
      invalidValue(at, bindingConditions ?? null, 'bindingConditions are required to use bindingFailureConditions'),
    );
  if (conditions.length && !failures.length)
    errors.push(
      invalidValue(
        failuresAt,
        bindingFailureConditions ?? null,
        'bindingFailureConditions are required to use bindingConditions',
      ),
    );
  return errors;
}

function repeated(names: readonly string[], path: string): FieldError[] {
  const seen = new Set<string>();
  return names.flatMap((name, index) => {
    if (seen.has(name)) return [duplicate(`${path}[${index}]`, name)];
    seen.add(name);
    return [];
  });
}
