// Storage claims, also in templates of pods and stateful sets.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#persistentvolumeclaims

import { compareQuantities, isWholeQuantity } from '../../machinery/quantity.ts';
import { dns1123LabelFaults, dns1123SubdomainFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../fields.ts';
import type { PersistentVolumeClaimSpec, PersistentVolumeClaimTemplate } from '../generated/types.ts';
import { validateOwnedMeta } from './metadata.ts';
import { given, need, oneOfThese, type Rule, set, struct, text } from './rules.ts';
import { validateLabelSelector } from './selector.ts';

const subdomain = text(dns1123SubdomainFaults);
export const className: Rule = given(subdomain);
export const volumeMode: Rule = set(oneOfThese('Block', 'Filesystem'));

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

/** Supported modes; ReadWriteOncePod must be the only one. */
export function validateAccessModes(modes: readonly string[], path: string, missing = ''): FieldError[] {
  const errors: FieldError[] = [];
  if (!modes.length) errors.push(required(path, missing));
  for (const mode of modes) if (!accessModes.includes(mode)) errors.push(notSupported(path, mode, accessModes));
  const others = modes.filter((mode) => mode !== 'ReadWriteOncePod' && accessModes.includes(mode));
  if (others.length && modes.includes('ReadWriteOncePod'))
    errors.push(forbiddenField(path, 'may not use ReadWriteOncePod with other access modes'));
  return errors;
}

export function validateClaimSpec(
  spec: PersistentVolumeClaimSpec,
  path: string,
  rules: { readonly anyGroup?: boolean } = {},
): FieldError[] {
  return [
    ...validateAccessModes(spec.accessModes ?? [], `${path}.accessModes`, 'at least 1 access mode is required'),
    ...validateLabelSelector(spec.selector, `${path}.selector`),
    ...validateStorage(spec.resources?.requests?.storage, `${path}.resources[storage]`),
    ...className(spec.storageClassName, `${path}.storageClassName`),
    ...volumeMode(spec.volumeMode, `${path}.volumeMode`),
    ...validateSource(spec.dataSource, `${path}.dataSource`, rules),
    ...validateSource(spec.dataSourceRef, `${path}.dataSourceRef`, rules),
    ...validateBothSources(spec, path),
    ...className(spec.volumeAttributesClassName, `${path}.volumeAttributesClassName`),
  ];
}

function validateStorage(storage: string | undefined, path: string): FieldError[] {
  if (storage === undefined) return [required(path)];
  return compareQuantities(storage, 0) <= 0 ? [invalidValue(path, storage, 'must be greater than zero')] : [];
}

const reference = struct({ name: need(), kind: need() });
const namespaceOf = struct({ namespace: given(text(dns1123LabelFaults)) });

interface Source {
  readonly apiGroup?: string;
  readonly kind?: string;
}

function validateSource(
  source: Source | undefined,
  path: string,
  { anyGroup }: { anyGroup?: boolean },
): readonly FieldError[] {
  if (!source) return [];
  const { apiGroup = '', kind = '' } = source;
  const errors = [...reference(source, path)];
  if (!apiGroup && kind !== 'PersistentVolumeClaim')
    errors.push(invalidValue(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  if (apiGroup && !anyGroup) errors.push(...subdomain(apiGroup, `${path}.apiGroup`));
  return [...errors, ...namespaceOf(source, path)];
}

function validateBothSources({ dataSource, dataSourceRef }: PersistentVolumeClaimSpec, path: string): FieldError[] {
  if (!dataSource || !dataSourceRef) return [];
  // Kubernetes prints a path here instead of the value.
  if (dataSourceRef.namespace)
    return [invalidValue(path, {}, 'may not be specified when dataSourceRef.namespace is specified')];
  const same = (['apiGroup', 'kind', 'name'] as const).every((field) => dataSource[field] === dataSourceRef[field]);
  return same ? [] : [invalidValue(path, {}, 'must match dataSourceRef')];
}

export function validateClaimTemplate(template: PersistentVolumeClaimTemplate, path: string): FieldError[] {
  return [
    ...validateOwnedMeta(template.metadata, `${path}.metadata`),
    ...validateClaimSpec(template.spec ?? ({} as PersistentVolumeClaimSpec), `${path}.spec`),
  ];
}

/** Warnings for sizes with a fraction of a byte, which is ignored. */
export function claimWarnings(spec: PersistentVolumeClaimSpec, path: string): string[] {
  return (['requests', 'limits'] as const).flatMap((list) => {
    const size = (spec.resources?.[list] as Record<string, string> | undefined)?.storage;
    return size !== undefined && !isWholeQuantity(size)
      ? [`${path}.resources.${list}[storage]: fractional byte value "${size}" is invalid, must be an integer`]
      : [];
  });
}
