// Consumable capacity: the amounts that a request takes of a device that several claims share.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#consumable-capacity

import type { CapacityRequestPolicy, CapacityRequestPolicyRange, DeviceCapacity } from '../../api/api.ts';
import { formatQuantity, parseQuantity } from '../../machinery/quantity.ts';
import type { Amounts, Device } from './claim-types.ts';

/** Requested amounts, by the name of a capacity. */
export type CapacityRequest = Readonly<Record<string, string>> | undefined;

const billion = 1_000_000_000n;
const nanosOf = (quantity: string): bigint => parseQuantity(String(quantity)).nanos;

/** Whole units, rounded up. */
const unitsOf = (quantity: string): bigint => {
  const nanos = nanosOf(quantity);
  return nanos > 0n ? (nanos + billion - 1n) / billion : nanos / billion;
};

/** Whether the device has all requested capacities, and enough of each beside the amounts that others take. */
export function hasCapacity(request: CapacityRequest, device: Device, ...taken: (Amounts | undefined)[]): boolean {
  const { capacity = {} } = device;
  if (Object.keys(request ?? {}).some((name) => !Object.hasOwn(capacity, name))) return false;
  for (const [name, offered] of Object.entries(capacity)) {
    const amount = amountOf(request?.[name], offered);
    if (violates(amount, offered.requestPolicy)) return false;
    const sum = taken.reduce((total, amounts) => total + (amounts?.get(name) ?? 0n), nanosOf(amount));
    if (sum > nanosOf(offered.value)) return false;
  }
  return true;
}

/** The amounts that the request takes, as quantities. */
export const consumption = (request: CapacityRequest, { capacity = {} }: Device): Record<string, string> =>
  Object.fromEntries(Object.entries(capacity).map(([name, offered]) => [name, amountOf(request?.[name], offered)]));

/** The requested amount, or the default, rounded up to an amount that the policy permits. */
function amountOf(requested: string | undefined, { value, requestPolicy: policy }: DeviceCapacity): string {
  if (requested === undefined) return policy?.default ?? value;
  if (policy?.validRange?.min !== undefined) return roundUp(requested, policy.validRange);
  return policy?.validValues?.find((valid) => nanosOf(requested) <= nanosOf(valid)) ?? requested;
}

function roundUp(requested: string, { min, step }: CapacityRequestPolicyRange): string {
  if (nanosOf(requested) < nanosOf(min)) return min;
  const size = step === undefined ? 0n : unitsOf(step);
  if (size <= 0n) return requested;
  const least = unitsOf(min);
  const steps = (unitsOf(requested) - least + size - 1n) / size;
  return formatQuantity({ nanos: (least + steps * size) * billion, format: 'BinarySI' });
}

function violates(amount: string, policy: CapacityRequestPolicy | undefined): boolean {
  if (!policy) return false;
  if (policy.default !== undefined && nanosOf(amount) === nanosOf(policy.default)) return false;
  const { validRange: range, validValues: values = [] } = policy;
  if (range) {
    if (range.max !== undefined && nanosOf(amount) > nanosOf(range.max)) return true;
    const size = range.step === undefined ? 0n : unitsOf(range.step);
    return size > 0n && (unitsOf(amount) - unitsOf(range.min ?? '0')) % size !== 0n;
  }
  return values.length > 0 && !values.some((valid) => nanosOf(valid) === nanosOf(amount));
}
