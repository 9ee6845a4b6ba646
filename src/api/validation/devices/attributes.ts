// Attributes of devices, for selectors, and their shareable capacity.

import { addQuantities, compareQuantities, exactWholeValue, wholeValue } from '../../../machinery/quantity.ts';
import { byteLength } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, required, tooLong } from '../../fields.ts';
import type { Device, DeviceAttribute } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { Rule } from '../rules.ts';
import { deviceQualifiedName, mapOf, setOf } from './shared.ts';

const mostEntries = 32;
const mostValues = 48;
const longestKey = 63 + 1 + 32;
const longestValue = 64;
const mostChoices = 10;

const numeric = '(0|[1-9]\\d*)';
const preRelease = '(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const build = '[0-9a-zA-Z-]+';
const semantic = new RegExp(
  `^${numeric}\\.${numeric}\\.${numeric}(-${preRelease}(\\.${preRelease})*)?(\\+${build}(\\.${build})*)?$`,
);

export function validateAttributes(device: Device, path: string): FieldError[] {
  const { attributes = {}, capacity = {}, allowMultipleAllocations } = device;
  const values = Object.keys(attributes).length;
  const total = values + Object.keys(capacity).length;
  const errors: FieldError[] = [];
  if (total > mostEntries) {
    const why = `the total number of attributes and capacities must not exceed ${mostEntries}`;
    errors.push(invalidValue(path, total, why));
  }
  if (values > mostValues)
    errors.push(invalidValue(path, values, `the total number of attribute values must not exceed ${mostValues}`));
  const shared = allowMultipleAllocations ? sharedCapacity : wholeCapacity;
  return [
    ...errors,
    ...mapOf(Infinity, longestKey, deviceQualifiedName, attribute)(attributes, `${path}.attributes`),
    ...mapOf(Infinity, longestKey, deviceQualifiedName, shared)(capacity, `${path}.capacity`),
  ];
}

const long = (value: string, path: string): FieldError[] =>
  byteLength(value) > longestValue ? [tooLong(path, longestValue)] : [];

const attribute: Rule = (value: DeviceAttribute, path) => {
  const given = (['bool', 'int', 'string', 'version'] as const).filter((field) => value[field] !== undefined);
  const errors: FieldError[] = [];
  if (value.string !== undefined) errors.push(...long(value.string, `${path}.string`));
  if (value.version !== undefined) {
    if (!semantic.test(value.version))
      errors.push(
        invalidValue(`${path}.version`, value.version, 'must be a string compatible with semver.org spec 2.0.0'),
      );
    errors.push(...long(value.version, `${path}.version`));
  }
  if (given.length === 1) return errors;
  const shown = given.length ? internal('resource.DeviceAttribute', value) : '';
  return [...errors, invalidValue(path, shown, 'exactly one value must be specified')];
};

const wholeCapacity: Rule = ({ requestPolicy }, path) =>
  requestPolicy ? [forbiddenField(`${path}.requestPolicy`, 'allowMultipleAllocations must be true')] : [];

const sharedCapacity: Rule = ({ value = '0', requestPolicy: policy }, path) => {
  if (!policy) return [];
  const at = `${path}.requestPolicy`;
  const { validValues, validRange, default: standard } = policy;
  if (validValues?.length && validRange)
    return [
      forbiddenField(
        at,
        'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time',
      ),
    ];
  const field = validValues?.length ? 'validValues' : validRange ? 'validRange' : undefined;
  if (!field) return [];
  if (standard === undefined || standard === null)
    return [required(`${at}.default`, `required when ${field} is defined`)];
  return field === 'validValues'
    ? validateChoices(standard, value, validValues, `${at}.validValues`)
    : validateRange(standard, value, validRange, `${at}.validRange`);
};

function validateChoices(standard: string, most: string, choices: readonly string[], path: string): FieldError[] {
  const unsorted = choices.flatMap((choice, index) =>
    index && compareQuantities(choices[index - 1], choice) > 0
      ? [invalidValue(`${path}[${index}]`, choice, 'values must be sorted in ascending order')]
      : [],
  );
  const option: Rule = (choice: string, at) =>
    compareQuantities(choice, most) > 0
      ? [invalidValue(at, choice, `option is larger than capacity value: ${most}`)]
      : [];
  const isChoice = choices.some((choice) => compareQuantities(choice, standard) === 0);
  return [
    ...unsorted,
    ...setOf(mostChoices, option, (choice: string) => String(wholeValue(choice)))(choices, path),
    ...(isChoice ? [] : [invalidValue(path, standard, 'default value is not valid according to the requestPolicy')]),
  ];
}

interface Range {
  readonly min?: string;
  readonly max?: string;
  readonly step?: string;
}

function validateRange(standard: string, most: string, { min, max, step }: Range, path: string): FieldError[] {
  if (min === undefined) return [required(`${path}.min`, 'required when validRange is defined')];
  const errors: FieldError[] = [];
  const check = (field: string, isWrong: boolean, value: string, why: string) => {
    if (isWrong) errors.push(invalidValue(`${path}.${field}`, value, why));
  };
  const over = (a: string, b: string) => compareQuantities(a, b) > 0;
  check('min', over(min, most), min, `min is larger than capacity value: ${most}`);
  check('min', over(min, standard), standard, `default is less than min: ${min}`);
  if (max !== undefined) {
    check('max', over(min, max), min, `min is larger than max: ${max}`);
    check('max', over(max, most), max, `max is larger than capacity value: ${most}`);
    check('max', over(standard, max), standard, `default is more than max: ${max}`);
  }
  if (step === undefined) return errors;
  const first = addQuantities(min, step);
  check('step', over(first, most), step, `one step ${first} is larger than capacity value: ${most}`);
  for (const value of max === undefined ? [standard] : [standard, max])
    check(
      'step',
      !isMultiple(value, min, step),
      value,
      `value is not a multiple of a given step (${step}) from (${min})`,
    );
  return errors;
}

function isMultiple(value: string, min: string, step: string): boolean {
  const [by, distance] = [exactWholeValue(step), exactWholeValue(value) - exactWholeValue(min)];
  return by !== 0n && distance % by === 0n;
}
