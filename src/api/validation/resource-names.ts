// Names of resources, and which amounts each takes: in containers, quotas and ranges.

import { compareQuantities, isWholeQuantity, parseQuantity } from '../../machinery/quantity.ts';
import { qualifiedNameFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue } from '../fields.ts';

const hugePages = 'hugepages-';
const requestsPrefix = 'requests.';

export const isHugePages = (name: string): boolean => name.startsWith(hugePages);
const isQuotaHugePages = (name: string): boolean =>
  isHugePages(name) || name.startsWith(`${requestsPrefix}${hugePages}`);

/** Counted, and always whole numbers. */
const counted = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const quotaResources = new Set([
  ...counted,
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
]);

export const isQuotaResource = (name: string): boolean => quotaResources.has(name) || isQuotaHugePages(name);
const isStandardResource = (name: string): boolean => name === 'storage' || isQuotaResource(name);

/** Without a domain, or with kubernetes.io. */
export const isNativeResource = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');

export const isExtendedResource = (name: string): boolean =>
  !isNativeResource(name) &&
  !name.startsWith(requestsPrefix) &&
  !qualifiedNameFaults(`${requestsPrefix}${name}`).length;

/** A resource with a higher limit than request may be overcommitted. */
export const isOvercommitAllowed = (name: string): boolean => isNativeResource(name) && !isHugePages(name);

export function resourceNameFaults(name: string): string[] {
  const faults = qualifiedNameFaults(name);
  if (faults.length) return faults;
  return !name.includes('/') && !isStandardResource(name)
    ? ['must be a standard resource type or fully qualified']
    : [];
}

const nanosPerUnit = 1_000_000_000n;

const isIntegerResource = (name: string): boolean => counted.includes(name) || isExtendedResource(name);

/** Not negative, and whole where the resource is counted. */
export function validateAmount(name: string, quantity: string, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (compareQuantities(quantity, 0) < 0)
    errors.push(invalidValue(path, quantity, 'must be greater than or equal to 0'));
  if (isIntegerResource(name) && !isWholeQuantity(quantity))
    errors.push(invalidValue(path, quantity, 'must be an integer'));
  return errors;
}

/** Whether the amount is a multiple of the page size in the name. */
export function isHugePageMultiple(name: string, quantity: string): boolean {
  try {
    const size = parseQuantity(name.slice(hugePages.length)).nanos;
    return size > 0n && size % nanosPerUnit === 0n && parseQuantity(quantity).nanos % size === 0n;
  } catch {
    return false;
  }
}
