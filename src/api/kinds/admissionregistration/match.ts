// Which requests a policy or a webhook is about: its constraints, and conditions in CEL.

import { qualifiedNameFaults } from '../../../machinery/text/names.ts';
import { type AdmissionExpression, compileAdmission, wantsBool } from '../../cel/admission-expressions.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValue, invalidValues, oneOf, required, tooMany } from '../../fields.ts';
import type { MatchCondition, MatchResources } from '../../generated/types.ts';
import { validateLabelSelector } from '../../validation/selector.ts';
import { validateRules } from './rules.ts';

export function defaultMatch(match: MatchResources | undefined): void {
  if (!match) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= '*';
}

export function validateMatch(match: MatchResources | undefined, path: string): FieldError[] {
  if (!match) return [];
  return [
    ...oneOf(`${path}.matchPolicy`, match.matchPolicy, ['Equivalent', 'Exact']),
    ...validateLabelSelector(match.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(match.objectSelector, `${path}.objectSelector`),
    ...validateRules(match.resourceRules, `${path}.resourceRules`),
    ...validateRules(match.excludeResourceRules, `${path}.excludeResourceRules`),
  ];
}

/** `shown` is the expression in the fault's text. */
export function expressionFaults({ fault, internal, source }: AdmissionExpression, path: string, shown = source) {
  if (fault === undefined) return [];
  const error: FieldError = internal
    ? { type: 'InternalError', field: path, message: `Internal error: ${fault}` }
    : invalidValue(path, shown, fault);
  return [error];
}

const mostConditions = 64;

/** Conditions have no variables. Webhooks have no parameters either. */
export function validateMatchConditions(
  conditions: readonly MatchCondition[] = [],
  params: boolean,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (conditions.length > mostConditions) errors.push(tooMany(path, conditions.length, mostConditions));
  const names = new Set<string>();
  for (const [index, { name, expression }] of conditions.entries()) {
    const at = `${path}[${index}]`;
    const trimmed = (expression ?? '').trim();
    if (!trimmed) errors.push(required(`${at}.expression`));
    else {
      const compiled = compileAdmission(trimmed, { params, authorizer: true }, wantsBool);
      errors.push(...expressionFaults(compiled, `${at}.expression`));
    }
    if (!name) errors.push(required(`${at}.name`));
    else {
      errors.push(...invalidValues(`${at}.name`, name, qualifiedNameFaults(name)));
      if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
  }
  return errors;
}
