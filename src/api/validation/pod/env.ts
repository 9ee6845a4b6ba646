// Environment variables and what they are filled from.

import { splitSubscript } from '../../../machinery/field-path.ts';
import {
  configMapKeyFaults,
  dns1123SubdomainFaults,
  envVarNameFaults,
  qualifiedNameFaults,
} from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, notSupported, required } from '../../fields.ts';
import type { Container, EnvVar, ObjectFieldSelector } from '../../generated/types.ts';

const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
const resourceFields = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

export function validateEnv(container: Container, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, variable] of (container.env ?? []).entries()) {
    const at = `${path}.env[${index}]`;
    if (!variable.name) errors.push(required(`${at}.name`));
    else errors.push(...invalidValues(`${at}.name`, variable.name, envVarNameFaults(variable.name)));
    if (variable.valueFrom) errors.push(...validateSource(variable, `${at}.valueFrom`));
  }
  for (const [index, source] of (container.envFrom ?? []).entries()) {
    const at = `${path}.envFrom[${index}]`;
    if (source.prefix) errors.push(...invalidValues(`${at}.prefix`, source.prefix, envVarNameFaults(source.prefix)));
    const given = [source.configMapRef, source.secretRef].filter(Boolean).length;
    // The index is missing in Kubernetes' own path.
    if (given === 0)
      errors.push(invalidValue(`${path}.envFrom`, '', 'must specify one of: `configMapRef` or `secretRef`'));
    else if (given > 1)
      errors.push(invalidValue(`${path}.envFrom`, '', 'may not have more than one field specified at a time'));
    for (const field of ['configMapRef', 'secretRef'] as const)
      if (source[field]) errors.push(...validateObjectName(source[field]?.name, `${at}.${field}.name`));
  }
  return errors;
}

const validateObjectName = (name: string | undefined, path: string): FieldError[] =>
  name ? invalidValues(path, name, dns1123SubdomainFaults(name)) : [required(path)];

function validateSource({ value, valueFrom }: EnvVar, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom!;
  if (fieldRef) errors.push(...validateFieldRef(fieldRef, `${path}.fieldRef`, envFields));
  if (resourceFieldRef) errors.push(...validateResourceField(resourceFieldRef, `${path}.resourceFieldRef`));
  for (const [field, ref] of Object.entries({ configMapKeyRef, secretKeyRef })) {
    if (!ref) continue;
    errors.push(...validateObjectName(ref.name, `${path}.${field}.name`));
    if (!ref.key) errors.push(required(`${path}.${field}.key`));
    else errors.push(...invalidValues(`${path}.${field}.key`, ref.key, configMapKeyFaults(ref.key)));
  }
  const given = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef].filter(Boolean).length;
  if (given === 0)
    errors.push(
      invalidValue(
        path,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  else if (value) errors.push(invalidValue(path, '', 'may not be specified when `value` is not empty'));
  else if (given > 1) errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  return errors;
}

export function validateFieldRef(ref: ObjectFieldSelector, path: string, supported: readonly string[]): FieldError[] {
  if (!ref.apiVersion) return [required(`${path}.apiVersion`)];
  if (!ref.fieldPath) return [required(`${path}.fieldPath`)];
  const { path: base, subscript } = splitSubscript(ref.fieldPath);
  if (subscript !== undefined) {
    if (base === 'metadata.annotations')
      return invalidValues(path, subscript, qualifiedNameFaults(subscript.toLowerCase()));
    if (base === 'metadata.labels') return invalidValues(path, subscript, qualifiedNameFaults(subscript));
    return [invalidValue(path, base, 'does not support subscript')];
  }
  return supported.includes(ref.fieldPath) ? [] : [notSupported(`${path}.fieldPath`, ref.fieldPath, supported)];
}

export function validateResourceField(
  ref: { containerName?: string; resource: string },
  path: string,
  inVolume = false,
): FieldError[] {
  if (inVolume && !ref.containerName) return [required(`${path}.containerName`)];
  if (!ref.resource) return [required(`${path}.resource`)];
  const hugePages = /^(limits|requests)\.hugepages-/.test(ref.resource);
  return hugePages || resourceFields.includes(ref.resource)
    ? []
    : [notSupported(`${path}.resource`, ref.resource, resourceFields)];
}

export const volumeFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
