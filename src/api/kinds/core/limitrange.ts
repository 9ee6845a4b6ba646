import { qualifiedNameFaults } from '../../../machinery/names.ts';
import { compareQuantities } from '../../../machinery/quantity.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues } from '../../fields.ts';
import type { LimitRange } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import type { ResourceList } from '../../pod.ts';

interface Item {
  type: string;
  max?: ResourceList;
  min?: ResourceList;
  default?: ResourceList;
  defaultRequest?: ResourceList;
  maxLimitRequestRatio?: ResourceList;
}

const items = (range: LimitRange) => (range.spec?.limits ?? []) as unknown as Item[];

export const limitRange: KindBehaviour<LimitRange> = {
  strategy: {
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
    validate(range) {
      const seen = new Set<string>();
      return items(range).flatMap((item, index) => {
        const path = `spec.limits[${index}]`;
        const errors = validateItem(item, path);
        if (seen.has(item.type)) errors.push(duplicate(`${path}.type`, item.type));
        seen.add(item.type);
        return errors;
      });
    },
  },
};

function validateItem(item: Item, path: string): FieldError[] {
  const errors = invalidValues(`${path}.type`, item.type ?? '', qualifiedNameFaults(item.type ?? ''));
  if (item.type === 'Pod')
    for (const field of ['default', 'defaultRequest'] as const)
      if (Object.keys(item[field] ?? {}).length)
        errors.push(forbiddenField(`${path}.${field}`, "may not be specified when `type` is 'Pod'"));
  const names = new Set(
    [item.max, item.min, item.default, item.defaultRequest, item.maxLimitRequestRatio].flatMap((list) =>
      Object.keys(list ?? {}),
    ),
  );
  for (const name of names) errors.push(...validateOrder(item, name, path));
  return errors;
}

/** min <= defaultRequest <= default <= max. The values that Kubernetes shows are sometimes the other ones. */
function validateOrder(item: Item, name: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const [min, request, usual, max, ratio] = [
    item.min,
    item.defaultRequest,
    item.default,
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
  return errors;
}
