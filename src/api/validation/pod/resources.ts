// Requests and limits, of containers and of whole pods.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/

import { qualifiedNameFaults } from '../../../machinery/names.ts';
import { addQuantities, compareQuantities, parseQuantity } from '../../../machinery/quantity.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, invalidValues } from '../../fields.ts';
import type { PodSpec } from '../../generated/types.ts';
import type { ResourceList } from '../../pod.ts';

interface Resources {
  readonly limits?: ResourceList;
  readonly requests?: ResourceList;
}

const containerResources = ['cpu', 'ephemeral-storage', 'memory'];
const isHugePages = (name: string) => name.startsWith('hugepages-');
/** Names with a domain that is not Kubernetes' own. */
export const isExtendedResource = (name: string): boolean =>
  name.includes('/') && !/(^|\.)kubernetes\.io\//.test(name) && !name.startsWith('requests.');
const isInteger = (quantity: string) => parseQuantity(quantity).nanos % 1_000_000_000n === 0n;

export function validateContainerResources(resources: Resources | undefined, path: string): FieldError[] {
  const { limits = {}, requests = {} } = resources ?? {};
  const errors: FieldError[] = [];
  for (const [list, name] of [
    [limits, 'limits'],
    [requests, 'requests'],
  ] as const)
    for (const [resource, quantity] of Object.entries(list)) {
      const at = `${path}.${name}[${resource}]`;
      errors.push(...validateName(resource, at), ...validateAmount(resource, quantity, at));
    }
  for (const [resource, request] of Object.entries(requests)) {
    const limit = limits[resource];
    const exact = isExtendedResource(resource) || isHugePages(resource);
    const at = `${path}.requests`;
    if (limit === undefined) {
      if (exact) errors.push(requestFault(resource, at, 'Limit must be set for non overcommitable resources'));
    } else if (exact && compareQuantities(request, limit) !== 0)
      errors.push(invalidValue(at, request, `must be equal to ${resource} limit of ${limit}`));
    else if (compareQuantities(request, limit) > 0)
      errors.push(invalidValue(at, request, `must be less than or equal to ${resource} limit of ${limit}`));
  }
  const all = { ...limits, ...requests };
  if (Object.keys(all).some(isHugePages) && !('cpu' in all) && !('memory' in all))
    errors.push(forbiddenField(path, 'HugePages require cpu or memory'));
  return errors;
}

const requestFault = (resource: string, path: string, why: string): FieldError => ({
  type: 'FieldValueRequired',
  field: `${path}[${resource}]`,
  message: `Required value: ${why}`,
});

function validateName(name: string, path: string): FieldError[] {
  const errors = invalidValues(path, name, qualifiedNameFaults(name));
  if (errors.length) return errors;
  if (name.includes('/')) {
    return isExtendedResource(name) || /(^|\.)kubernetes\.io\//.test(name) ? [] : errors;
  }
  if (containerResources.includes(name) || isHugePages(name)) return [];
  return [
    invalidValue(path, name, 'must be a standard resource type or fully qualified'),
    invalidValue(path, name, 'must be a standard resource for containers'),
  ];
}

function validateAmount(name: string, quantity: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (compareQuantities(quantity, 0) < 0)
    errors.push(invalidValue(path, quantity, 'must be greater than or equal to 0'));
  if (isExtendedResource(name) && !isInteger(quantity)) errors.push(invalidValue(path, quantity, 'must be an integer'));
  return errors;
}

/** Pod-level resources: at least what the containers ask for together. */
export function validatePodResources(spec: PodSpec, path: string): FieldError[] {
  const resources = (spec as { resources?: Resources }).resources;
  if (!resources) return [];
  const errors = validateContainerResources(resources, `${path}.resources`);
  const sum: ResourceList = {};
  for (const container of spec.containers ?? [])
    for (const [name, quantity] of Object.entries((container.resources as Resources | undefined)?.requests ?? {}))
      sum[name] = name in sum ? addQuantities(sum[name], quantity) : quantity;
  for (const [name, total] of Object.entries(sum)) {
    const request = resources.requests?.[name];
    if (request !== undefined && compareQuantities(request, total) < 0)
      errors.push(
        invalidValue(
          `${path}.resources.requests[${name}]`,
          request,
          `must be greater than or equal to aggregate container requests of ${total}`,
        ),
      );
  }
  return errors;
}
