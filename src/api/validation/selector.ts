// Label selectors as fields of objects.

import { labelValueFaults, qualifiedNameFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { forbiddenField, invalidValue, invalidValues, required, unchangedInternal } from '../fields.ts';
import type { LabelSelector } from '../generated/types.ts';
import { writtenForm } from '../internal.ts';
import { validateLabels } from './metadata.ts';

/** As clients send it. */
interface Requirement {
  readonly key?: string;
  readonly operator?: string;
  readonly values?: readonly string[];
}

export function validateLabelSelector(selector: LabelSelector | undefined, path: string): FieldError[] {
  if (!selector) return [];
  const errors = validateLabels(selector.matchLabels, `${path}.matchLabels`);
  const requirements: readonly Requirement[] = selector.matchExpressions ?? [];
  for (const [index, { key = '', operator = '', values = [] }] of requirements.entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    if (operator === 'In' || operator === 'NotIn') {
      if (!values.length) errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length)
        errors.push(
          forbiddenField(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        );
    } else errors.push(invalidValue(`${at}.operator`, operator, 'not a valid selector operator'));
    errors.push(...invalidValues(`${at}.key`, key, qualifiedNameFaults(key)));
    for (const [i, value] of values.entries())
      errors.push(...invalidValues(`${at}.values[${i}]`, value, labelValueFaults(value)));
  }
  return errors;
}

const isBlank = (selector: LabelSelector) =>
  !Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length;

/** A selector that may not change. It is printed in its written form, without empty fields. */
export const unchangedSelector = (next: LabelSelector | undefined, old: LabelSelector | undefined): FieldError[] =>
  unchangedInternal('spec.selector', writtenForm(next), writtenForm(old));

/** The selector of a workload: given, and not empty. */
export function validateOwnSelector(selector: LabelSelector | undefined, path: string, owner: string): FieldError[] {
  if (!selector) return [required(path)];
  const errors = validateLabelSelector(selector, path);
  if (isBlank(selector))
    errors.push(invalidValue(path, writtenForm(selector), `empty selector is invalid for ${owner}`));
  return errors;
}

/** Whether a selector can be evaluated: known operators, with values where required. */
export const isSound = (selector: LabelSelector): boolean => !validateLabelSelector(selector, '').length;
