// Resource slices: the devices of a pool, their nodes, and their shared counters.

import { dns1123SubdomainFaults, labelValueFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, required, sameValue, unchanged } from '../../fields.ts';
import type { Device, DeviceCounterConsumption, ResourceSlice, ResourceSliceSpec } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import { validateNodeSelector } from '../pod/affinity.ts';
import { given, isEmpty, needed, type Rule, struct, text } from '../rules.ts';
import { validateAttributes } from './attributes.ts';
import { driverName, effect, label, labelName, listOf, mapOf, poolName, setOf, validateBinding } from './shared.ts';

const mostDevices = 128;
/** The limit for devices with costly fields. */
const mostIntricateDevices = 64;
const mostCounterSets = 8;
const mostCounters = 32;
const mostConsumptions = 2;
const mostTaints = 16;
const longestLabel = 63;

export function validateSlice({ spec }: ResourceSlice, old?: ResourceSlice): FieldError[] {
  const before = new Map((old?.spec.devices ?? []).map((device) => [device.name, device]));
  const devices = spec.devices ?? [];
  const isIntricate = devices.some(({ taints, consumesCounters }) => taints?.length || consumesCounters?.length);
  const rule: Rule = (device: Device, path) =>
    validateDevice(device, before.get(device.name), path, spec.perDeviceNodeSelection === true);
  return [
    ...driverName(spec.driver, 'spec.driver'),
    ...pool(spec.pool ?? {}, 'spec.pool'),
    ...(old ? fixed(spec, old.spec) : []),
    ...validatePlace(spec, 'spec'),
    ...(spec.sharedCounters && spec.devices
      ? [invalidValue('spec', '', 'only one of `sharedCounters` or `devices` is allowed')]
      : []),
    ...setOf(
      isIntricate ? mostIntricateDevices : mostDevices,
      rule,
      ({ name }: { name?: string }) => name ?? '',
    )(devices, 'spec.devices'),
    ...setOf(
      mostCounterSets,
      counterSet,
      ({ name }: { name?: string }) => name ?? '',
    )(spec.sharedCounters, 'spec.sharedCounters'),
  ];
}

const pool = struct({
  name: poolName,
  resourceSliceCount: (count: number | undefined = 0, path) =>
    count <= 0 ? [invalidValue(path, count, 'must be greater than zero')] : [],
  generation: (generation: number | undefined = 0, path) =>
    generation < 0 ? [invalidValue(path, generation, 'must be greater than or equal to zero')] : [],
});

const fixed = (spec: ResourceSliceSpec, before: ResourceSliceSpec): FieldError[] => [
  ...unchanged('spec.pool.name', spec.pool?.name ?? '', before.pool?.name ?? ''),
  ...unchanged('spec.driver', spec.driver ?? '', before.driver ?? ''),
  ...unchanged('spec.nodeName', spec.nodeName ?? null, before.nodeName ?? null),
];

const nodeName = text(dns1123SubdomainFaults);
const onlyTrue = (value: boolean | undefined, path: string): FieldError[] =>
  value === false ? [invalidValue(path, false, 'must be either unset or set to true')] : [];

/** The nodes of the devices: exactly one of several fields. */
function validatePlace(spec: ResourceSliceSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const terms = spec.nodeSelector?.nodeSelectorTerms ?? [];
  const at = (field: string) => `${path}.${field}`;
  if (spec.nodeName === '')
    errors.push(invalidValue(at('nodeName'), '', 'must be either unset or set to a non-empty string'));
  else if (spec.nodeName !== undefined) errors.push(...nodeName(spec.nodeName, at('nodeName')));
  if (spec.nodeSelector) {
    errors.push(...validateNodeSelector(spec.nodeSelector, at('nodeSelector')));
    if (terms.length !== 1)
      errors.push(
        invalidValue(
          at('nodeSelector.nodeSelectorTerms'),
          internal('[]core.NodeSelectorTerm', spec.nodeSelector.nodeSelectorTerms),
          'must have exactly one node selector term',
        ),
      );
  }
  for (const field of ['allNodes', 'perDeviceNodeSelection'] as const) errors.push(...onlyTrue(spec[field], at(field)));
  const places = ['nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection'] as const;
  const given = places.filter((field) => spec[field]);
  const why = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  if (!given.length) errors.push(required(path, why));
  if (given.length > 1) errors.push(invalidValue(path, listed(given), `${why}, but multiple fields are set`));
  return errors;
}

const listed = (fields: readonly string[]) => `{${fields.map((field) => `\`${field}\``).join(', ')}}`;

function validateDevice(device: Device, old: Device | undefined, path: string, isPlaced: boolean): FieldError[] {
  return [
    ...label(device.name, `${path}.name`),
    ...validateAttributes(device, path),
    ...(old && sameValue(old.taints ?? [], device.taints ?? []) ? [] : taints(device.taints, `${path}.taints`)),
    ...setOf(
      mostConsumptions,
      consumption,
      ({ counterSet }: DeviceCounterConsumption) => counterSet ?? '',
    )(device.consumesCounters, `${path}.consumesCounters`),
    ...validateDevicePlace(device, path, isPlaced),
    ...validateBinding(device, path),
  ];
}

function validateDevicePlace(device: Device, path: string, isPlaced: boolean): FieldError[] {
  const places = ['nodeName', 'nodeSelector', 'allNodes'] as const;
  if (!isPlaced)
    return places.some((field) => device[field] !== undefined)
      ? [
          invalidValue(
            path,
            null,
            '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec',
          ),
        ]
      : [];
  const errors: FieldError[] = [];
  if (device.nodeName === '') errors.push(invalidValue(`${path}.nodeName`, '', 'must not be empty'));
  else errors.push(...given(nodeName)(device.nodeName, `${path}.nodeName`));
  if (device.nodeSelector) errors.push(...validateNodeSelector(device.nodeSelector, `${path}.nodeSelector`));
  errors.push(...onlyTrue(device.allNodes, `${path}.allNodes`));
  const set = places.filter((field) => device[field]);
  const why =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (!set.length) errors.push(required(path, why));
  if (set.length > 1) errors.push(invalidValue(path, listed(set), why));
  return errors;
}

const taints = listOf(
  mostTaints,
  struct({
    key: labelName,
    value: given((value: string, path) => invalidValues(path, value, labelValueFaults(value))),
    effect,
  }),
);

const counters: Rule = (value, path) =>
  isEmpty(value) ? [required(path)] : mapOf(mostCounters, longestLabel, label, () => [])(value, path);
const counterSet = struct({ name: needed(label), counters });
const consumption = struct({ counterSet: needed(label), counters });
