// The status of a claim: allocated devices, consumers, and device status.

import { byteLength } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, tooLong, tooMany, unchanged } from '../../fields.ts';
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceRequestAllocationResult,
  ResourceV1ResourceClaim as ResourceClaim,
  ResourceClaimConsumerReference,
  ResourceClaimStatus,
} from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import { validateConditions } from '../conditions.ts';
import { canonicalInterface } from '../network.ts';
import { validateNodeSelector } from '../pod/affinity.ts';
import { choice, need, type Rule, set, struct } from '../rules.ts';
import { mostConfigurations, type RequestNames, requestNames, requestReference } from './claim.ts';
import { configuration, driverName, label, listOf, poolName, rawObject, setOf, validateBinding } from './shared.ts';

const mostConsumers = 256;
const mostResults = 32;
const mostConditions = 8;
const mostDataBytes = 10 * 1024;
const mostAddresses = 16;

export function validateClaimStatus(next: ResourceClaim, old: ResourceClaim): FieldError[] {
  const status = next.status ?? {};
  const before = old.status ?? {};
  const allocated = new Set((status.allocation?.devices?.results ?? []).map(deviceId));
  return [
    ...setOf(
      mostConsumers,
      consumer,
      ({ uid: id }: ResourceClaimConsumerReference) => id ?? '',
    )(status.reservedFor, 'status.reservedFor'),
    ...setOf(Infinity, deviceStatus(allocated), deviceId)(status.devices, 'status.devices'),
    ...validateReservation(status, before, !!next.metadata.deletionTimestamp),
    ...validateAllocation(status.allocation, before.allocation, requestNames(next.spec)),
  ];
}

/** An identity in messages. */
const shownId = ({ driver = '', pool = '', device = '', shareID = '' }: AllocatedDeviceStatus) => ({
  Driver: driver,
  Pool: pool,
  Device: device,
  ShareID: shareID,
});

const deviceId = ({ driver = '', pool = '', device = '', shareID }: AllocatedDeviceStatus): string =>
  [driver, pool, device, ...(shareID === undefined ? [] : [shareID])].join('/');

const consumer = struct({ resource: need(), name: need(), uid: need() });

function validateReservation(
  status: ResourceClaimStatus,
  before: ResourceClaimStatus,
  isDeleted: boolean,
): FieldError[] {
  const path = 'status.reservedFor';
  if (!status.reservedFor?.length) return [];
  if (!status.allocation) return [forbiddenField(path, 'may not be specified when `allocated` is not set')];
  const previous = new Set((before.reservedFor ?? []).map((one: unknown) => JSON.stringify(one)));
  const isNew = (one: unknown) => !previous.has(JSON.stringify(one));
  const why = 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set';
  return isDeleted && status.reservedFor.some(isNew) ? [forbiddenField(path, why)] : [];
}

function validateAllocation(
  allocation: AllocationResult | undefined,
  before: AllocationResult | undefined,
  names: RequestNames,
): FieldError[] {
  const path = 'status.allocation';
  if (!allocation) return [];
  const shown = (value: unknown) => internal('resource.AllocationResult', value);
  if (before) return unchanged(path, shown(allocation), shown(before));
  const { devices, nodeSelector } = allocation;
  return [
    ...allocationRules(names)(devices, `${path}.devices`),
    ...(nodeSelector ? validateNodeSelector(nodeSelector, `${path}.nodeSelector`) : []),
  ];
}

function allocationRules(names: RequestNames): Rule {
  const reference = requestReference(names);
  const result = struct({ request: reference, driver: driverName, pool: poolName, device: label });
  return struct({
    results: listOf(mostResults, (value: DeviceRequestAllocationResult, path) => [
      ...result(value, path),
      ...validateBinding(value, path),
      ...set(uid)(value.shareID, `${path}.shareID`),
    ]),
    config: listOf(2 * mostConfigurations, (config: DeviceAllocationConfiguration, path) => [
      ...choice('FromClaim', 'FromClass')(config.source, `${path}.source`),
      ...setOf(mostConfigurations, reference)(config.requests, `${path}.requests`),
      ...configuration(false)(config, path),
    ]),
  });
}

const uid: Rule = (value: string, path) => {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return [];
  const isOtherForm = /^(urn:uuid:|\{)?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i.test(value);
  const why = isOtherForm
    ? 'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters'
    : `error validating uid: invalid UUID ${value.length === 36 ? 'format' : `length: ${value.length}`}`;
  return [invalidValue(path, value, why)];
};

const longText =
  (most: number): Rule =>
  (value: string | undefined, path) =>
    byteLength(value ?? '') > most ? [tooLong(path, most)] : [];

const network = struct({
  interfaceName: longText(256),
  hardwareAddress: longText(128),
  ips: setOf(mostAddresses, (address: string, path) => canonicalInterface(path, address)),
});

const deviceStatus =
  (allocated: ReadonlySet<string>): Rule =>
  (device: AllocatedDeviceStatus, path) => [
    ...struct({ driver: driverName, pool: poolName, device: label, shareID: set(uid) })(device, path),
    ...(allocated.has(deviceId(device))
      ? []
      : [invalidValue(path, shownId(device), 'must be an allocated device in the claim')]),
    ...(device.conditions && device.conditions.length > mostConditions
      ? [tooMany(`${path}.conditions`, device.conditions.length, mostConditions)]
      : []),
    ...validateConditions(device.conditions, `${path}.conditions`),
    ...set(rawObject(mostDataBytes))(device.data, `${path}.data`),
    ...network(device.networkData, `${path}.networkData`),
  ];
