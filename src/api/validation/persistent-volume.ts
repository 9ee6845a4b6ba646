// https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/persistent-volume-v1/

import { compareQuantities, wholeValue } from '../../machinery/quantity.ts';
import type { FieldError } from '../errors.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../fields.ts';
import type { PersistentVolumeSpec as Spec } from '../generated/types.ts';
import { className, validateAccessModes, volumeMode } from './claim.ts';
import { validateNodeSelector } from './pod/affinity.ts';
import { forbidden, given, isEmpty, need, oneOfThese, struct } from './rules.ts';
import { persistentSources } from './volume-sources.ts';

/** Kubernetes' order of checking sources. */
const sources = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'flocker',
  'nfs',
  'rbd',
  'quobyte',
  'cephfs',
  'iscsi',
  'cinder',
  'fc',
  'flexVolume',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'scaleIO',
  'local',
  'storageos',
  'csi',
] as const;

const reclaimPolicy = given(oneOfThese('Delete', 'Recycle', 'Retain'));

/** `name` of the volume. `inline`: the volume is part of another object. */
export function validateVolumeSpec(spec: Spec, path: string, name: string, inline = false): FieldError[] {
  const errors = [
    ...(inline ? validateInline(spec, path) : []),
    ...validateAccessModes(spec.accessModes ?? [], `${path}.accessModes`),
    ...(inline ? inlinePolicies(spec, path) : validateOwn(spec, path)),
    ...validateSource(name, spec, path),
  ];
  if (spec.hostPath && isRoot(spec.hostPath.path) && spec.persistentVolumeReclaimPolicy === 'Recycle')
    errors.push(
      forbiddenField(`${path}.persistentVolumeReclaimPolicy`, "may not be 'recycle' for a hostPath mount of '/'"),
    );
  errors.push(...(inline ? inlineClass : ownClass)(spec, path));
  const attributes = spec.volumeAttributesClassName;
  if (inline || attributes === undefined) return errors;
  if (attributes === '') errors.push(required(`${path}.volumeAttributesClassName`, 'an empty string is disallowed'));
  else errors.push(...className(attributes, `${path}.volumeAttributesClassName`));
  if (!spec.csi) errors.push(required(`${path}.csi`, 'has to be specified when using volumeAttributesClassName'));
  return errors;
}

function validateOwn(spec: Spec, path: string): FieldError[] {
  const at = `${path}.nodeAffinity.required`;
  const { nodeAffinity: affinity } = spec;
  return [
    ...validateCapacity(spec.capacity as Record<string, string> | undefined, `${path}.capacity`),
    ...reclaimPolicy(spec.persistentVolumeReclaimPolicy, `${path}.persistentVolumeReclaimPolicy`),
    ...(affinity && !affinity.required ? [required(at, 'must specify required node constraints')] : []),
    ...(affinity?.required ? validateNodeSelector(affinity.required, at) : []),
  ];
}

const ownClass = struct({ storageClassName: className, volumeMode });

const notInline = 'may not be specified in the context of inline volumes';

const inlineClass = struct({
  storageClassName: given(forbidden(notInline)),
  volumeMode: (mode, path) =>
    mode === undefined || mode === 'Filesystem'
      ? []
      : [forbiddenField(path, 'may not specify volumeMode other than Filesystem in the context of inline volumes')],
});

const validateInline = struct({
  claimRef: forbidden(notInline),
  capacity: (capacity, path) => (isEmpty(capacity) ? [] : [forbiddenField(path, notInline)]),
  csi: need('has to be specified in the context of inline volumes'),
});

const inlinePolicies = struct({
  persistentVolumeReclaimPolicy: (policy, path) =>
    !policy || policy === 'Retain' ? [] : [forbiddenField(path, 'may only be Retain in the context of inline volumes')],
  nodeAffinity: forbidden(notInline),
});

/** Nothing is left of the path once each `..` has taken the part before it. */
function isRoot(path: string): boolean {
  const parts: string[] = [];
  for (const part of path.split('/'))
    if (part === '..') parts.pop();
    else if (part && part !== '.') parts.push(part);
  return path.startsWith('/') && parts.length === 0;
}

function validateCapacity(given: Record<string, string> | undefined, path: string): FieldError[] {
  const capacity = given ?? {};
  const names = Object.keys(capacity);
  const errors: FieldError[] = [];
  if (!names.length) errors.push(required(path));
  if (!('storage' in capacity) || names.length > 1) errors.push(notSupported(path, given ?? null, ['storage']));
  for (const [name, quantity] of Object.entries(capacity)) {
    const at = `${path}[${name}]`;
    if (compareQuantities(quantity, 0) < 0)
      errors.push(invalidValue(at, wholeValue(quantity), 'must be a valid resource quantity'));
    if (compareQuantities(quantity, 0) <= 0) errors.push(invalidValue(at, quantity, 'must be greater than zero'));
  }
  return errors;
}

/** Kubernetes' spellings in the path of an extra source, and in the path of the source's fields. */
const secondPath: Readonly<Record<string, string>> = { cephfs: 'cephFS' };
const fieldPath: Readonly<Record<string, string>> = { gcePersistentDisk: 'persistentDisk' };

function validateSource(name: string, spec: Spec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let found = 0;
  for (const source of sources) {
    const value = spec[source];
    if (value === undefined) continue;
    if (found++ && source !== 'flexVolume') {
      const at = `${path}.${secondPath[source] ?? source}`;
      errors.push(forbiddenField(at, 'may not specify more than 1 volume type'));
      continue;
    }
    const at = `${path}.${fieldPath[source] ?? source}`;
    errors.push(...persistentSources[source](value, at, { name }));
    if (source === 'local' && !spec.nodeAffinity)
      errors.push(required(`${path}.nodeAffinity`, 'Local volume requires node affinity'));
  }
  return found ? errors : [required(path, 'must specify a volume type')];
}
