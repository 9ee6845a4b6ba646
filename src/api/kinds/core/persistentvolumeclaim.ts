import { must } from '../../../machinery/must.ts';
import { compareQuantities, wholeValue } from '../../../machinery/quantity.ts';
import { qualifiedNameFaults } from '../../../machinery/text/names.ts';
import { unifiedDiff } from '../../../machinery/text/unified-diff.ts';
import { defaultClaimSpec } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import {
  forbiddenField,
  immutableField,
  invalidValue,
  invalidValues,
  notSupported,
  required,
  unchanged,
} from '../../fields.ts';
import type { PersistentVolumeClaim } from '../../generated/types.ts';
import { internal, sameInternal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { claimQuota } from '../../objects/resource-usage.ts';
import { specOf } from '../../spec-of.ts';
import { claimWarnings, validateClaimSpec } from '../../validation/claim.ts';
import { isNativeResource } from '../../validation/resource-names.ts';
import { accessModesText, unset } from '../cells.ts';

type Spec = NonNullable<PersistentVolumeClaim['spec']>;

const bound = (c: PersistentVolumeClaim) => Boolean(c.spec?.volumeName);

export const persistentVolumeClaim: KindBehaviour<PersistentVolumeClaim> = {
  answersDeleted: true,
  emptyFields: 'validated',
  quota: claimQuota,
  cells: {
    Status: (c) => (c.metadata.deletionTimestamp ? 'Terminating' : (c.status?.phase ?? '')),
    Volume: (c) => c.spec?.volumeName ?? '',
    Capacity: (c) => (bound(c) ? (c.status?.capacity?.storage ?? '0') : ''),
    'Access Modes': (c) => (bound(c) ? accessModesText(c.status?.accessModes) : ''),
    StorageClass: (c) => c.spec?.storageClassName ?? '',
    VolumeAttributesClass: (c) => c.spec?.volumeAttributesClassName || unset,
    VolumeMode: (c) => c.spec?.volumeMode ?? unset,
  },
  strategy: {
    setDefaults(c) {
      defaultClaimSpec((c.spec ??= {} as Spec));
      c.status ??= {};
      c.status.phase ||= 'Pending';
    },
    prepareForCreate(c) {
      c.status = { phase: 'Pending' };
      copySource(specOf(c));
    },
    prepareForUpdate: (next, old) => copySource(specOf(next), old.spec),
    validate: (c) => validateClaimSpec(specOf(c), 'spec'),
    metadataOnUpdate: ['change', 'whole'],
    validateUpdate,
    warnings: ({ metadata, spec }) => [
      ...(betaClass in (metadata.annotations ?? {})
        ? [`metadata.annotations[${betaClass}]: deprecated since v1.8; use "storageClassName" attribute instead`]
        : []),
      ...claimWarnings(must(spec, 'spec'), 'spec'),
    ],
    subresources: { status: { validateUpdate: validateStatus } },
  },
};

const betaClass = 'volume.beta.kubernetes.io/storage-class';

const isSupported = (group: string | undefined, kind: string) =>
  ((group ?? '') === '' && kind === 'PersistentVolumeClaim') ||
  (group === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot');

/** The old field mirrors the new one, if it can represent the value. */
function copySource(spec: Spec, old?: Spec): void {
  const isInUse = Boolean(old?.dataSource ?? old?.dataSourceRef);
  // Sources in other namespaces are behind a feature gate that is off.
  if (spec.dataSourceRef?.namespace && !old?.dataSourceRef) delete spec.dataSourceRef;
  const { dataSource, dataSourceRef } = spec;
  // The old field supports claims and snapshots only; other sources are dropped there.
  if (!isInUse && !dataSourceRef && dataSource && !isSupported(dataSource.apiGroup, dataSource.kind))
    delete spec.dataSource;
  if (spec.dataSource && !dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (!spec.dataSource && dataSourceRef && !dataSourceRef.namespace) {
    const { namespace: _, ...source } = dataSourceRef;
    spec.dataSource = source;
  }
}

const pretty = (spec: Spec) => JSON.stringify(internal('core.PersistentVolumeClaimSpec', spec), null, 1);

const immutableSpec =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

function validateUpdate(next: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const anyGroup = Boolean(old.spec?.dataSource?.apiGroup ?? old.spec?.dataSourceRef?.apiGroup);
  const errors = validateClaimSpec(specOf(next), 'spec', { anyGroup });
  const [spec, before] = [structuredClone(specOf(next)), structuredClone(specOf(old))];
  if (!before.volumeName) setOrDelete(before, 'volumeName', spec.volumeName);
  errors.push(...validateClass(next, old, spec));
  const isBound = next.status?.phase === 'Bound';
  if (isBound && spec.resources?.requests) spec.resources.requests.storage = sizeOf(before);
  if (isBound) setOrDelete(spec, 'volumeAttributesClassName', before.volumeAttributesClassName);
  if (!sameInternal('core.PersistentVolumeClaimSpec', spec, before))
    errors.push(forbiddenField('spec', `${immutableSpec}\n${unifiedDiff(pretty(before), pretty(spec))}`));
  const size = sizeOf(specOf(next));
  if (
    compareQuantities(size, sizeOf(specOf(old))) < 0 &&
    compareQuantities(size, old.status?.capacity?.storage ?? '0') <= 0
  )
    errors.push(forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity'));
  // Kubernetes gives this path without the spec.
  errors.push(...unchanged('volumeMode', next.spec?.volumeMode, old.spec?.volumeMode));
  return [...errors, ...validateAttributes(next, old)];
}

const sizeOf = (spec: Spec): string => spec.resources?.requests?.storage ?? '0';

function setOrDelete<K extends keyof Spec>(spec: Spec, field: K, value: Spec[K] | undefined): void {
  if (value === undefined) delete spec[field];
  else spec[field] = value;
}

/** A class may move from the old annotation to the field, and a claim without one may get one. */
function validateClass(next: PersistentVolumeClaim, old: PersistentVolumeClaim, spec: Spec): FieldError[] {
  const [now, was] = [next.metadata.annotations?.[betaClass], old.metadata.annotations?.[betaClass]];
  const name = next.spec?.storageClassName;
  const isNew = name !== undefined && old.spec?.storageClassName === undefined;
  if (isNew && was !== undefined && name === was && (now === undefined || now === was)) {
    delete spec.storageClassName;
    return [];
  }
  if (isNew && (was === undefined || name === was)) delete spec.storageClassName;
  return (now ?? '') === (was ?? '') ? [] : [immutableField(`metadata.annotations.${betaClass}`, now ?? '')];
}

function validateAttributes(next: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const [name, was] = [next.spec?.volumeAttributesClassName, old.spec?.volumeAttributesClassName];
  if (name === was || old.status?.currentVolumeAttributesClassName === undefined || name) return [];
  const target = name === undefined ? 'nil' : 'empty string';
  return [
    forbiddenField(
      'spec.volumeAttributesClassName',
      `update to ${target} is forbidden when status.currentVolumeAttributesClassName is not nil`,
    ),
  ];
}

const resizeStates = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
].sort();

function validateStatus(next: PersistentVolumeClaim): FieldError[] {
  const status = (next.status ?? {}) as Record<string, Record<string, string> | undefined>;
  const errors: FieldError[] = [];
  if (!next.spec?.accessModes?.length) errors.push(required('Spec.accessModes'));
  const size = (name: string, quantity: string, path: string) =>
    compareQuantities(quantity, 0) < 0
      ? [invalidValue(`${path}[${name}]`, wholeValue(quantity), 'must be a valid resource quantity')]
      : [];
  for (const [name, quantity] of Object.entries(status.capacity ?? {}))
    errors.push(...size(name, quantity, 'status.capacity'));
  for (const [name, state] of Object.entries(status.allocatedResourceStatuses ?? {})) {
    const path = 'status.allocatedResourceStatuses';
    errors.push(...validateResourceKey(name, path));
    if (!resizeStates.includes(state)) errors.push(notSupported(path, name, resizeStates));
  }
  for (const [name, quantity] of Object.entries(status.allocatedResources ?? {})) {
    const faults = validateResourceKey(name, 'status.allocatedResources');
    errors.push(...(faults.length ? faults : size(name, quantity, 'status.allocatedResources')));
  }
  return errors;
}

function validateResourceKey(name: string, path: string): FieldError[] {
  const errors = invalidValues(path, name, qualifiedNameFaults(name));
  if (errors.length || !isNativeResource(name) || name === 'storage') return errors;
  return [notSupported(path, name, ['storage'])];
}
