// Metadata of custom resources: finalizers without a domain are warned of, not refused.

import { qualifiedNameFaults } from '../../machinery/names.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue, invalidValues } from '../fields.ts';
import type { ObjectMeta } from '../generated/types.ts';
import type { ApiObject } from '../kind.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from '../validation/metadata.ts';

export const validateCustomMeta = (meta: ObjectMeta): FieldError[] => [
  ...validateObjectMeta({ ...meta, finalizers: undefined }),
  ...validateFinalizers(meta.finalizers ?? []),
];

/** Of an update: names, and finalizers that are there, are not looked at again. Kubernetes lists these faults twice. */
export function validateCustomMetaUpdate(next: ObjectMeta, old: ObjectMeta): FieldError[] {
  const errors = validateObjectMetaUpdate(next, old).filter(({ field }) => !field.startsWith('metadata.finalizers['));
  return [...errors, ...errors];
}

function validateFinalizers(finalizers: readonly string[]): FieldError[] {
  const path = 'metadata.finalizers';
  const errors = finalizers.flatMap((name) => invalidValues(path, name, qualifiedNameFaults(name)));
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion'))
    errors.push(invalidValue(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  return errors;
}

const standard = ['orphan', 'foregroundDeletion', 'kubernetes'];

/** Of finalizers that are new. */
export function finalizerWarnings(next: ApiObject, old?: ApiObject): string[] {
  const before = old?.metadata.finalizers ?? [];
  const added = [...new Set(next.metadata.finalizers ?? [])].filter((name) => !before.includes(name)).sort();
  const prefer = 'prefer a domain-qualified finalizer name';
  return added.flatMap((name) => {
    const warn = (text: string) => `metadata.finalizers: ${JSON.stringify(name)}: ${text}`;
    const faults = qualifiedNameFaults(name).map(warn);
    if (name.includes('/') || standard.includes(name)) return faults;
    const which = name.includes('.') ? `${prefer} including a path (/)` : prefer;
    return [...faults, warn(`${which} to avoid accidental conflicts with other finalizer writers`)];
  });
}
