import { compareQuantities } from '../../../machinery/quantity.ts';
import { unifiedDiff } from '../../../machinery/unified-diff.ts';
import { defaultClaimSpec } from '../../defaults/pod-spec.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, notSupported, oneOf, required, sameValue } from '../../fields.ts';
import type { PersistentVolumeClaim } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { schemaNamed } from '../../schemas.ts';
import { render } from '../../validation/pod/internal.ts';
import { validateLabelSelector } from '../../validation/selector.ts';
import { accessModesText, unset } from '../cells.ts';
import { accessModes } from './persistentvolume.ts';

type Spec = NonNullable<PersistentVolumeClaim['spec']>;

const bound = (c: PersistentVolumeClaim) => Boolean(c.spec?.volumeName);

export const persistentVolumeClaim: KindBehaviour<PersistentVolumeClaim> = {
  cells: {
    Status: (c) => (c.metadata.deletionTimestamp ? 'Terminating' : (c.status?.phase ?? '')),
    Volume: (c) => c.spec?.volumeName ?? '',
    Capacity: (c) => (bound(c) ? String((c.status?.capacity as any)?.storage ?? '0') : ''),
    'Access Modes': (c) => (bound(c) ? accessModesText(c.status?.accessModes) : ''),
    StorageClass: (c) => c.spec?.storageClassName ?? '',
    VolumeAttributesClass: (c) => c.spec?.volumeAttributesClassName || unset,
    VolumeMode: (c) => c.spec?.volumeMode ?? unset,
  },
  strategy: {
    setDefaults: (c) => defaultClaimSpec((c.spec ??= {} as Spec)),
    prepareForCreate(c) {
      c.status = { phase: 'Pending' };
      copySource(c.spec!);
    },
    prepareForUpdate: (next) => copySource(next.spec!),
    validate: (c) => validateClaimSpec(c.spec!, 'spec'),
    validateUpdate,
  },
};

/** The old field and the new one say the same, where the old one can say it at all. */
function copySource(spec: Spec): void {
  const { dataSource, dataSourceRef } = spec;
  const known = (group: string | undefined, kind: string) =>
    ((group ?? '') === '' && kind === 'PersistentVolumeClaim') ||
    (group === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot');
  // What is no claim and no snapshot was never understood in the old field, and is dropped there.
  if (dataSource && !known(dataSource.apiGroup, dataSource.kind)) delete spec.dataSource;
  if (spec.dataSource && !dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (
    !spec.dataSource &&
    dataSourceRef &&
    !dataSourceRef.namespace &&
    known(dataSourceRef.apiGroup, dataSourceRef.kind)
  )
    spec.dataSource = { ...dataSourceRef };
}

export function validateClaimSpec(spec: Spec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const modes = spec.accessModes ?? [];
  if (!modes.length) errors.push(required(`${path}.accessModes`, 'at least 1 access mode is required'));
  for (const mode of modes)
    if (!accessModes.includes(mode)) errors.push(notSupported(`${path}.accessModes`, mode, accessModes));
  if (modes.includes('ReadWriteOncePod') && modes.length > 1)
    errors.push(forbiddenField(`${path}.accessModes`, 'may not use ReadWriteOncePod with other access modes'));
  errors.push(...validateLabelSelector(spec.selector, `${path}.selector`));
  const storage = (spec.resources?.requests as Record<string, string> | undefined)?.storage;
  if (storage === undefined) errors.push(required(`${path}.resources[storage]`));
  else if (compareQuantities(storage, 0) <= 0)
    errors.push({
      type: 'FieldValueInvalid',
      field: `${path}.resources[storage]`,
      message: `Invalid value: ${JSON.stringify(storage)}: must be greater than zero`,
    });
  errors.push(...oneOf(`${path}.volumeMode`, spec.volumeMode, ['Block', 'Filesystem']));
  return errors;
}

const pretty = (spec: Spec) =>
  JSON.stringify(render(schemaNamed('io.k8s.api.core.v1.PersistentVolumeClaimSpec'), spec), null, 1);

function validateUpdate(next: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const [spec, before] = [structuredClone(next.spec!), structuredClone(old.spec!)];
  const isBound = old.status?.phase === 'Bound';
  if (!before.volumeName) spec.volumeName = before.volumeName;
  if (before.storageClassName === undefined) spec.storageClassName = before.storageClassName;
  if (isBound) {
    const size = (s: Spec) => (s.resources?.requests as any)?.storage ?? '0';
    if (compareQuantities(size(spec), size(before)) < 0)
      return [forbiddenField('spec.resources.requests.storage', `field can not be less than status.capacity`)];
    spec.resources = before.resources;
  }
  if (spec.volumeAttributesClassName !== undefined) spec.volumeAttributesClassName = before.volumeAttributesClassName;
  for (const s of [spec, before] as any[]) for (const key of Object.keys(s)) if (s[key] === undefined) delete s[key];
  return sameValue(spec, before)
    ? []
    : [
        forbiddenField(
          'spec',
          `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${unifiedDiff(pretty(before), pretty(spec))}`,
        ),
      ];
}
