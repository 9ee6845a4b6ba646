// Rules for the metadata of every object.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/

import {
  byteLength,
  dns1123SubdomainFaults,
  labelValueFaults,
  longNameFaults,
  pathSegmentFaults,
  qualifiedNameFaults,
} from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import {
  forbiddenField,
  immutableField,
  invalidValue,
  invalidValues,
  nonNegative,
  required,
  tooLong,
} from '../fields.ts';
import type { ObjectMeta, OwnerReference } from '../generated/types.ts';

/** The faults of a name; `prefix`: it is a generateName, to which characters will be added. */
type NameRule = (name: string, prefix: boolean) => string[];

/** A rule for whole names made one for prefixes: a trailing dash will not be the last character. */
export const nameRule =
  (check: (name: string) => string[]): NameRule =>
  (name, prefix) =>
    check(prefix && name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name);

export const subdomainNames: NameRule = nameRule(dns1123SubdomainFaults);

/** A map may have a hundred thousand faulty entries, and a response lists only some. */
const enoughFaults = 1_000;
const maxAnnotationBytes = 256 * 1024;
const standardFinalizers = ['kubernetes', 'orphan', 'foregroundDeletion'];

/**
 * The metadata of a new object. `plain`: finalizers without a domain are valid, as in groups that began outside the
 * core.
 */
export function validateObjectMeta(
  meta: ObjectMeta,
  rule: NameRule = subdomainNames,
  plain = false,
  path = 'metadata',
): FieldError[] {
  const errors: FieldError[] = [];
  if (meta.generateName)
    errors.push(...invalidValues(`${path}.generateName`, meta.generateName, rule(meta.generateName, true)));
  if (!meta.name) errors.push(required(`${path}.name`, 'name or generateName is required'));
  else errors.push(...invalidValues(`${path}.name`, meta.name, rule(meta.name, false)));
  return [
    ...errors,
    ...nonNegative(`${path}.generation`, (meta as { generation?: number }).generation),
    ...validateSharedFields(meta, path),
    ...validateFinalizers(meta.finalizers ?? [], `${path}.finalizers`),
    ...(plain ? [] : kubeFinalizers(meta, path)),
  ];
}

/** Checks shared by new and changed objects. */
const validateSharedFields = (meta: ObjectMeta, path: string): FieldError[] => [
  ...validateLabels(meta.labels, `${path}.labels`),
  ...validateAnnotations(meta.annotations, `${path}.annotations`),
  ...validateOwners(meta.ownerReferences ?? [], `${path}.ownerReferences`),
];

/** The metadata of a template, whose objects get their name later: Kubernetes' field paths omit `metadata`. */
export const validateTemplateMeta = (
  meta: Pick<ObjectMeta, 'labels' | 'annotations'> | undefined,
  path: string,
): FieldError[] => [
  ...validateLabels(meta?.labels, `${path}.labels`),
  ...validateAnnotations(meta?.annotations, `${path}.annotations`),
];

/** The metadata of generated objects: only labels and annotations. */
export const validateOwnedMeta = (meta: object | undefined, path: string): FieldError[] => [
  ...validateAnnotations((meta as ObjectMeta | undefined)?.annotations, `${path}.annotations`),
  ...validateLabels((meta as ObjectMeta | undefined)?.labels, `${path}.labels`),
  ...Object.entries(meta ?? {})
    .filter(([field, value]) => field !== 'annotations' && field !== 'labels' && value !== null && value !== undefined)
    .map(([field]) => forbiddenField(`${path}.${field === 'uid' ? 'uID' : field}`, 'cannot be set')),
];

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (errors.length > enoughFaults) break;
    errors.push(...invalidValues(path, key, qualifiedNameFaults(key)));
    errors.push(...invalidValues(path, value, labelValueFaults(value)));
  }
  return errors;
}

export function validateAnnotations(annotations: Record<string, string> | undefined, path: string): FieldError[] {
  let size = 0;
  const errors = Object.entries(annotations ?? {}).flatMap(([key, value]) => {
    size += byteLength(key) + byteLength(value);
    if (size > maxAnnotationBytes * 2) return [];
    return invalidValues(path, key, qualifiedNameFaults(key.toLowerCase()));
  });
  return size > maxAnnotationBytes ? [...errors, tooLong(path, maxAnnotationBytes)] : errors;
}

/** Empty when the text is no group and version. */
const versionOf = (apiVersion: string): string => {
  const parts = apiVersion.split('/');
  return parts.length > 2 ? '' : parts[parts.length - 1];
};

function validateOwners(owners: readonly OwnerReference[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  let controller: OwnerReference | undefined;
  for (const owner of owners) {
    const { apiVersion = '', kind, name, uid } = owner;
    const version = versionOf(apiVersion);
    if (!version) errors.push(invalidValue(`${path}.apiVersion`, apiVersion, 'version must not be empty'));
    for (const [field, value] of Object.entries({ kind, name, uid }))
      if (!value) errors.push(invalidValue(`${path}.${field}`, value ?? '', 'must not be empty'));
    if (version === 'v1' && kind === 'Event' && apiVersion.indexOf('/') <= 0)
      errors.push(invalidValue(path, owner, '/v1, Kind=Event is disallowed from being an owner'));
    if (!owner.controller) continue;
    if (controller)
      errors.push(
        invalidValue(
          path,
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller.kind}/${controller.name} and ${kind}/${name}`,
        ),
      );
    controller = owner;
  }
  return errors;
}

/** Only Kubernetes' finalizers have no domain. */
export const kubeFinalizerFaults = (name: string): string[] =>
  name.includes('/') || standardFinalizers.includes(name)
    ? []
    : ['name is neither a standard finalizer name nor is it fully qualified'];

const kubeFinalizers = (meta: ObjectMeta, path: string): FieldError[] =>
  (meta.finalizers ?? []).flatMap((name, index) =>
    invalidValues(`${path}.finalizers[${index}]`, name, kubeFinalizerFaults(name)),
  );

function validateFinalizers(finalizers: readonly string[], path: string): FieldError[] {
  const errors = finalizers.flatMap((name) => invalidValues(path, name, qualifiedNameFaults(name)));
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion'))
    errors.push(invalidValue(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  return errors;
}

const fixed = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

/** The metadata of an object that exists. `plain` as in `validateObjectMeta`. */
export function validateObjectMetaUpdate(
  next: ObjectMeta,
  old: ObjectMeta,
  plain = false,
  path = 'metadata',
): FieldError[] {
  const errors: FieldError[] = [];
  if (old.deletionTimestamp) {
    const before = new Set(old.finalizers);
    const added = (next.finalizers ?? []).filter((name) => !before.has(name)).sort();
    if (added.length)
      errors.push(
        forbiddenField(
          `${path}.finalizers`,
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
        ),
      );
  }
  for (const field of fixed)
    if ((next[field] ?? '') !== (old[field] ?? '')) errors.push(immutableField(`${path}.${field}`, next[field]));
  return [...errors, ...validateSharedFields(next, path), ...(plain ? [] : kubeFinalizers(next, path))];
}

const pathSegmentNames = nameRule(pathSegmentFaults);

/** The names of kinds whose only rule is declared: it holds for the name alone. */
export const declaredNames: NameRule = (name, prefix) => (prefix ? pathSegmentFaults(name) : longNameFaults(name));

/** Checks of every update of any kind. */
export const validateAnyUpdate = (next: ObjectMeta, old: ObjectMeta): FieldError[] => [
  ...validateObjectMeta(next, pathSegmentNames, true),
  ...validateObjectMetaUpdate(next, old, true),
];
