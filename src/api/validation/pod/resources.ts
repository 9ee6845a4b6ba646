// Requests and limits, of containers and of whole pods.
// https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/

import { compareQuantities } from '../../../machinery/quantity.ts';
import { dns1123LabelFaults } from '../../../machinery/text/names.ts';
import { type FieldError, mostFaults } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, notSupported, required } from '../../fields.ts';
import type { PodSpec } from '../../generated/types.ts';
import { podLimits, podRequests, type ResourceList } from '../../objects/pod.ts';
import {
  isExtendedResource,
  isHugePageMultiple,
  isHugePages,
  isNativeResource,
  isOvercommitAllowed,
  resourceNameFaults,
  validateAmount,
} from '../resource-names.ts';

export { isExtendedResource };

interface Resources {
  readonly limits?: ResourceList;
  readonly requests?: ResourceList;
  readonly claims?: readonly { readonly name?: string; readonly request?: string }[];
}

type NameCheck = (name: string, path: string) => FieldError[];

const containerResources = ['cpu', 'ephemeral-storage', 'memory'];

/** The name of a resource that a container can request. */
export const validateContainerResourceName: NameCheck = (name, path) => {
  if (containerResources.includes(name)) return [];
  const errors = invalidValues(path, name, resourceNameFaults(name));
  if (!name.includes('/')) {
    if (!isHugePages(name)) errors.push(invalidValue(path, name, 'must be a standard resource for containers'));
  } else if (!isNativeResource(name) && !isExtendedResource(name))
    errors.push(invalidValue(path, name, "doesn't follow extended resource name standard"));
  return errors;
};

const validatePodResourceName: NameCheck = (name, path) => {
  const errors = invalidValues(path, name, resourceNameFaults(name));
  if (errors.length || name === 'cpu' || name === 'memory' || isHugePages(name)) return errors;
  return [notSupported(path, name, ['cpu', 'hugepages-', 'memory'])];
};

export const validateContainerResources = (
  resources: Resources | undefined,
  path: string,
  claims: ReadonlySet<string>,
): FieldError[] => (resources ? validateResources(resources, path, claims, validateContainerResourceName) : []);

function validateResources(
  { limits = {}, requests = {}, claims = [] }: Resources,
  path: string,
  podClaims: ReadonlySet<string>,
  checkName: NameCheck,
): FieldError[] {
  const errors: FieldError[] = [];
  const one = (resource: string, quantity: string, at: string) => {
    errors.push(...checkName(resource, at), ...validateAmount(resource, quantity, at));
    return () => {
      if (isHugePages(resource) && !isHugePageMultiple(resource, quantity))
        errors.push(invalidValue(at, quantity, `${quantity} is not positive integer multiple of ${resource}`));
    };
  };
  const isEnough = () => errors.length > mostFaults;
  for (const [resource, quantity] of Object.entries(limits)) {
    if (isEnough()) break;
    one(resource, quantity, `${path}.limits[${resource}]`)();
  }
  for (const [resource, quantity] of Object.entries(requests)) {
    if (isEnough()) break;
    const checkPages = one(resource, quantity, `${path}.requests[${resource}]`);
    errors.push(...validateRequest(resource, quantity, limits[resource], path));
    checkPages();
  }
  const all = { ...limits, ...requests };
  if (Object.keys(all).some(isHugePages) && !('cpu' in all) && !('memory' in all))
    errors.push(forbiddenField(path, 'HugePages require cpu or memory'));
  return [...errors, ...validateClaims(claims, `${path}.claims`, podClaims)];
}

function validateRequest(name: string, request: string, limit: string | undefined, path: string): FieldError[] {
  const at = `${path}.requests`;
  if (limit === undefined)
    return isOvercommitAllowed(name)
      ? []
      : [required(`${path}.limits`, 'Limit must be set for non overcommitable resources')];
  const order = compareQuantities(request, limit);
  if (order !== 0 && !isOvercommitAllowed(name))
    return [invalidValue(at, request, `must be equal to ${name} limit of ${limit}`)];
  return order > 0 ? [invalidValue(at, request, `must be less than or equal to ${name} limit of ${limit}`)] : [];
}

function validateClaims(
  claims: NonNullable<Resources['claims']>,
  path: string,
  podClaims: ReadonlySet<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  /** Claims of which single requests were named. */
  const parted = new Set<string>();
  for (const [index, { name, request }] of claims.entries()) {
    const at = `${path}[${index}]`;
    if (!name) {
      errors.push(required(at));
      continue;
    }
    if (seen.has(name)) errors.push(duplicate(at, name));
    else {
      const key = request ? `${name}/${request}` : name;
      if (request) errors.push(...invalidValues(`${at}.request`, request, dns1123LabelFaults(request)));
      if (seen.has(key)) errors.push(duplicate(at, key));
      else if (!request && parted.has(name)) errors.push(duplicate(at, name));
      if (request) parted.add(name);
      seen.add(key);
    }
    if (!podClaims.has(name)) errors.push(unknownClaim(name, at, podClaims));
  }
  return errors;
}

function unknownClaim(name: string, path: string, podClaims: ReadonlySet<string>): FieldError {
  const choices = podClaims.size ? `: ${[...podClaims].sort().join(', ')}` : ' which is empty';
  return {
    type: 'FieldValueNotFound',
    field: path,
    message: `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${choices}`,
  };
}

/** Pod-level resources: at least the containers' total requests, and at least the limit of each container. */
export function validatePodResources(spec: PodSpec, path: string, claims: ReadonlySet<string>): FieldError[] {
  const resources = (spec as { resources?: Resources }).resources;
  if (!resources) return [];
  const at = `${path}.resources`;
  if (spec.os?.name === 'windows') return [forbiddenField(at, 'may not be set for a windows pod')];
  return [
    ...(resources.claims ? [forbiddenField(`${at}.claims`, 'claims may not be set for Resources at pod-level')] : []),
    ...validateResources(resources, at, claims, validatePodResourceName),
    ...validateConsistency(spec, resources, at),
  ];
}

function validateConsistency(spec: PodSpec, { requests = {}, limits = {} }: Resources, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { resources: _resources, overhead: _overhead, ...own } = spec;
  for (const [name, total] of Object.entries(podRequests({ spec: own }) as ResourceList)) {
    const request = requests[name];
    if (request !== undefined && compareQuantities(total, request) > 0)
      errors.push(
        invalidValue(
          `${path}.requests[${name}]`,
          request,
          `must be greater than or equal to aggregate container requests of ${total}`,
        ),
      );
  }
  for (const [name, total] of Object.entries(podLimits({ spec: own }) as ResourceList)) {
    const limit = limits[name];
    if (isHugePages(name) && limit !== undefined && compareQuantities(total, limit) > 0)
      errors.push(
        invalidValue(
          `${path}.limits[${name}]`,
          limit,
          `must be greater than or equal to aggregate container limits of ${total}`,
        ),
      );
  }
  for (const [index, container] of (spec.containers ?? []).entries())
    for (const [name, limit] of Object.entries((container.resources as Resources | undefined)?.limits ?? {}))
      if (limits[name] !== undefined && compareQuantities(limit, limits[name]) > 0)
        errors.push(
          invalidValue(
            `${path}.containers[${index}][${name}].limits`,
            limit,
            `must be less than or equal to pod limits of ${limits[name]}`,
          ),
        );
  return errors;
}
