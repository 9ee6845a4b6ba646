import { compareQuantities, milliValue, wholeValue } from '../../../machinery/quantity.ts';
import { qualifiedNameFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, required } from '../../fields.ts';
import type { LimitRange } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import type { ResourceList } from '../../objects/pod.ts';
import { validateContainerResourceName } from '../../validation/pod/resources.ts';
import { isOvercommitAllowed, resourceNameFaults } from '../../validation/resource-names.ts';

interface Item {
  type: string;
  max?: ResourceList;
  min?: ResourceList;
  default?: ResourceList;
  defaultRequest?: ResourceList;
  maxLimitRequestRatio?: ResourceList;
}

const items = (range: LimitRange) => (range.spec?.limits ?? []) as Item[];

export const limitRange: KindBehaviour<LimitRange> = {
  strategy: {
    allowCreateOnUpdate: true,
    setDefaults(range) {
      for (const item of items(range)) {
        if (item.type !== 'Container') continue;
        // A maximum is also the default, and a default also the request.
        for (const [name, quantity] of Object.entries(item.max ?? {})) (item.default ??= {})[name] ??= quantity;
        for (const [name, quantity] of Object.entries(item.default ?? {}))
          (item.defaultRequest ??= {})[name] ??= quantity;
        for (const [name, quantity] of Object.entries(item.min ?? {})) (item.defaultRequest ??= {})[name] ??= quantity;
      }
    },
    prepareForCreate({ metadata }) {
      metadata.name ||= metadata.uid;
    },
    validate(range) {
      const seen = new Set<string>();
      return items(range).flatMap((item, index) => {
        const path = `spec.limits[${index}]`;
        const { type = '' } = item;
        const errors = validateType(type, `${path}.type`);
        if (seen.has(type)) errors.push(duplicate(`${path}.type`, type));
        seen.add(type);
        return [...errors, ...validateItem(item, path)];
      });
    },
    metadataOnUpdate: ['whole'],
  },
};

const types = ['Container', 'PersistentVolumeClaim', 'Pod'];

function validateType(type: string, path: string): FieldError[] {
  const errors = invalidValues(path, type, qualifiedNameFaults(type));
  if (errors.length || type.includes('/') || types.includes(type)) return errors;
  return [invalidValue(path, type, 'must be a standard limit type or fully qualified')];
}

const lists = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

function validateItem(item: Item, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const list of lists) {
    const given = Object.keys(item[list] ?? {});
    if (item.type === 'Pod' && (list === 'default' || list === 'defaultRequest')) {
      if (given.length) errors.push(forbiddenField(`${path}.${list}`, "may not be specified when `type` is 'Pod'"));
      continue;
    }
    for (const name of given) {
      names.add(name);
      errors.push(...validateName(item.type, name, `${path}.${list}[${name}]`));
    }
    const isClaim = item.type === 'PersistentVolumeClaim' && list === 'defaultRequest';
    if (isClaim && item.min?.storage === undefined && item.max?.storage === undefined)
      errors.push(
        required(`${path}.limits`, 'either minimum or maximum storage value is required, but neither was provided'),
      );
  }
  for (const name of names) errors.push(...validateOrder(item, name, path));
  return errors;
}

const validateName = (type: string, name: string, path: string): FieldError[] =>
  type === 'Pod' || type === 'Container'
    ? validateContainerResourceName(name, path)
    : invalidValues(path, name, resourceNameFaults(name));

/** min <= defaultRequest <= default <= max. Kubernetes' messages sometimes show the wrong values. */
function validateOrder(item: Item, name: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const isPod = item.type === 'Pod';
  const [min, request, usual, max, ratio] = [
    item.min,
    isPod ? undefined : item.defaultRequest,
    isPod ? undefined : item.default,
    item.max,
    item.maxLimitRequestRatio,
  ].map((list) => list?.[name]);
  const above = (a: string | undefined, b: string | undefined) =>
    a !== undefined && b !== undefined && compareQuantities(a, b) > 0;
  const fault = (field: string, shown: string | undefined, message: string) =>
    errors.push(invalidValue(`${path}.${field}[${name}]`, shown, message));
  if (above(min, max)) fault('min', min, `min value ${min} is greater than max value ${max}`);
  if (above(min, request))
    fault('defaultRequest', request, `min value ${min} is greater than default request value ${request}`);
  if (above(request, max))
    fault('defaultRequest', request, `default request value ${request} is greater than max value ${max}`);
  if (above(request, usual))
    fault('defaultRequest', request, `default request value ${request} is greater than default limit value ${usual}`);
  if (above(min, usual)) fault('default', min, `min value ${min} is greater than default value ${usual}`);
  if (above(usual, max)) fault('default', max, `default value ${usual} is greater than max value ${max}`);
  if (ratio !== undefined && compareQuantities(ratio, '1') < 0)
    fault('maxLimitRequestRatio', ratio, `ratio ${ratio} is less than 1`);
  if (ratio !== undefined && min !== undefined && max !== undefined) {
    const { value, limit } = ratios(ratio, max, min);
    if (value > limit) fault('maxLimitRequestRatio', ratio, `ratio ${ratio} is greater than max/min = ${shown(limit)}`);
  }
  if (
    !isOvercommitAllowed(name) &&
    usual !== undefined &&
    request !== undefined &&
    (above(usual, request) || above(request, usual))
  )
    fault('defaultRequest', request, `default value ${usual} must equal to defaultRequest value ${request} in ${name}`);
  return errors;
}

/** Thousandths, or whole numbers where one would not fit into 64 bits as thousandths. */
function ratios(ratio: string, max: string, min: string): { value: number; limit: number } {
  const isLarge = [ratio, max, min].some((amount) => wholeValue(amount) >= mostMilli);
  const amount = isLarge ? wholeValue : milliValue;
  return { value: amount(ratio) / (isLarge ? 1 : 1000), limit: amount(max) / amount(min) };
}
const mostMilli = Number((2n ** 63n - 1n) / 1000n);

const shown = (ratio: number): string =>
  Number.isFinite(ratio) ? ratio.toFixed(6) : Number.isNaN(ratio) ? 'NaN' : ratio > 0 ? '+Inf' : '-Inf';
