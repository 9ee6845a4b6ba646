// Constraints over the devices of several requests: equal or different values of one attribute.
// A constraint that rejects a device also rejects it when there are more devices: the search may stop there.

import type { DeviceAttribute, DeviceConstraint } from '../../api/api.ts';
import type { Device } from './claim-types.ts';

export interface Constraint {
  /** Whether the device satisfies it beside those before; it counts from then on. */
  add(request: RequestName, driver: string, device: Device): boolean;
  /** Takes back the last successful `add`, which had the same arguments. */
  remove(request: RequestName): void;
}

export interface RequestName {
  /** Of the request in the claim. */
  readonly base: string;
  /** base/name for an alternative. */
  readonly full: string;
}

/** Undefined for a constraint of an unknown type. */
export function constraintOf({
  matchAttribute,
  distinctAttribute,
  requests,
}: DeviceConstraint): Constraint | undefined {
  const attribute = matchAttribute ?? distinctAttribute;
  if (attribute === undefined) return undefined;
  const accepts =
    matchAttribute === undefined
      ? (value: string, values: readonly string[]) => !values.includes(value)
      : (value: string, values: readonly string[]) => values.length === 0 || values[0] === value;
  const applies = ({ base, full }: RequestName) =>
    !requests?.length || requests.includes(base) || requests.includes(full);
  /** Of the devices that count, in the order in which they came. */
  const values: string[] = [];
  return {
    add(request, driver, device) {
      if (!applies(request)) return true;
      const value = textOf(lookUp(device, driver, attribute));
      if (value === undefined || !accepts(value, values)) return false;
      values.push(value);
      return true;
    },
    remove(request) {
      if (applies(request)) values.pop();
    },
  };
}

/** A name without a domain belongs to the driver's. */
function lookUp({ attributes = {} }: Device, driver: string, name: string): DeviceAttribute | undefined {
  if (Object.hasOwn(attributes, name)) return attributes[name];
  const slash = name.indexOf('/');
  if (slash < 0 || name.slice(0, slash) !== driver) return undefined;
  const id = name.slice(slash + 1);
  return Object.hasOwn(attributes, id) ? attributes[id] : undefined;
}

/** Values of different types are different. */
function textOf(attribute: DeviceAttribute | undefined): string | undefined {
  if (attribute?.string !== undefined) return `string ${attribute.string}`;
  if (attribute?.int !== undefined) return `int ${attribute.int}`;
  if (attribute?.bool !== undefined) return `bool ${attribute.bool}`;
  return attribute?.version === undefined ? undefined : `version ${attribute.version}`;
}
