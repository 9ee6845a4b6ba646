// Metadata of custom resources: finalizers without a domain are warned of, not refused.

import { qualifiedNameFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import type { ObjectMeta } from '../generated/types.ts';
import type { ApiObject } from '../kind.ts';
import { validateAnyUpdate, validateObjectMeta, validateObjectMetaUpdate } from '../validation/metadata.ts';

export const validateCustomMeta = (meta: ObjectMeta): FieldError[] => validateObjectMeta(meta, undefined, true);

/** Faults of an update that Kubernetes lists again with those of the kind. */
export const validateCustomMetaUpdate = (next: ObjectMeta, old: ObjectMeta): FieldError[] => [
  ...validateAnyUpdate(next, old),
  ...validateObjectMetaUpdate(next, old, true),
];

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
