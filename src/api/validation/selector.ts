// Label selectors as fields of objects.

import { labelSelector } from '../../machinery/label-selector.ts';
import { labelValueFaults, qualifiedNameFaults } from '../../machinery/names.ts';
import type { FieldError } from '../errors.ts';
import { forbiddenField, invalidValue, invalidValues, required } from '../fields.ts';
import type { LabelSelector } from '../generated/types.ts';
import { validateLabels } from './metadata.ts';

export function validateLabelSelector(selector: LabelSelector | undefined, path: string): FieldError[] {
  if (!selector) return [];
  const errors = validateLabels(selector.matchLabels, `${path}.matchLabels`);
  for (const [index, { key, operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    if (operator === 'In' || operator === 'NotIn') {
      if (!values.length) errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length)
        errors.push(
          forbiddenField(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        );
    } else errors.push(invalidValue(`${at}.operator`, operator, 'not a valid selector operator'));
    errors.push(...invalidValues(`${at}.key`, key, qualifiedNameFaults(key ?? '')));
    for (const [i, value] of values.entries())
      errors.push(...invalidValues(`${at}.values[${i}]`, value, labelValueFaults(value)));
  }
  return errors;
}

const isEmpty = (selector: LabelSelector) =>
  !Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length;

/** The selector of a workload: given, not empty, and fitting the labels of its own pods. */
export function validateOwnSelector(
  selector: LabelSelector | undefined,
  labels: Record<string, string> | undefined,
  kind: string,
  path = 'spec',
): FieldError[] {
  const errors: FieldError[] = [];
  if (!selector) errors.push(required(`${path}.selector`));
  else {
    errors.push(...validateLabelSelector(selector, `${path}.selector`));
    if (isEmpty(selector))
      errors.push(invalidValue(`${path}.selector`, selector, `empty selector is invalid for ${kind}`));
  }
  if ((!selector || !isEmpty(selector)) && !labelSelector(selector).matches(labels))
    errors.push(
      invalidValue(`${path}.template.metadata.labels`, labels, '`selector` does not match template `labels`'),
    );
  return errors;
}
