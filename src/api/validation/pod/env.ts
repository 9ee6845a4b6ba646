// Environment variables and their sources.

import { splitSubscript } from '../../../machinery/fields/field-path.ts';
import { must } from '../../../machinery/must.ts';
import { compareQuantities } from '../../../machinery/quantity.ts';
import {
  configMapKeyFaults,
  dns1123LabelFaults,
  dns1123SubdomainFaults,
  envVarNameFaults,
  qualifiedNameFaults,
} from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, notSupported, required } from '../../fields.ts';
import type { Container, EnvVar, ObjectFieldSelector } from '../../generated/types.ts';
import { subdomainNames } from '../metadata.ts';
import { given, need, needed, type Rule, struct, text } from '../rules.ts';
import { noBacksteps } from '../volume-sources.ts';

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
export const volumeFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
/** Fields of a v1 pod that can be referenced; each context accepts some of them. */
const podFields = [
  ...envFields,
  ...volumeFields,
  'spec.host',
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
];
const resourceFields = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

const variableName = text(envVarNameFaults);
const subdomain = text(dns1123SubdomainFaults);
const key = needed(text(configMapKeyFaults));
/** Unlike other references, these are checked even when their name is empty. */
const keyInObject: Rule = struct({ name: subdomain, key });
const fileKey: Rule = struct({
  key: needed(variableName),
  volumeName: needed(text(dns1123LabelFaults)),
  path: [need(), noBacksteps],
});
/** Kubernetes checks these names as prefixes, which may end with a dash. */
const objectName: Rule = struct({ name: needed(text((name) => subdomainNames(name, true))) });

export function validateEnv(container: Container, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, variable] of (container.env ?? []).entries()) {
    const at = `${path}.env[${index}]`;
    errors.push(...needed(variableName)(variable.name, `${at}.name`));
    if (variable.valueFrom) errors.push(...validateSource(variable, `${at}.valueFrom`));
  }
  for (const [index, source] of (container.envFrom ?? []).entries()) {
    const at = `${path}.envFrom[${index}]`;
    errors.push(...given(variableName)(source.prefix, `${at}.prefix`));
    errors.push(...objectName(source.configMapRef, `${at}.configMapRef`));
    errors.push(...objectName(source.secretRef, `${at}.secretRef`));
    const found = [source.configMapRef, source.secretRef].filter(Boolean).length;
    // Kubernetes' path lacks the index.
    if (found === 0)
      errors.push(invalidValue(`${path}.envFrom`, '', 'must specify one of: `configMapRef` or `secretRef`'));
    else if (found > 1)
      errors.push(invalidValue(`${path}.envFrom`, '', 'may not have more than one field specified at a time'));
  }
  return errors;
}

function validateSource({ value, valueFrom }: EnvVar, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = must(valueFrom, 'valueFrom');
  if (fieldRef) errors.push(...validateFieldRef(fieldRef, `${path}.fieldRef`, envFields));
  if (resourceFieldRef) errors.push(...validateResourceField(resourceFieldRef, `${path}.resourceFieldRef`));
  errors.push(
    ...keyInObject(configMapKeyRef, `${path}.configMapKeyRef`),
    ...keyInObject(secretKeyRef, `${path}.secretKeyRef`),
    ...fileKey(fileKeyRef, `${path}.fileKeyRef`),
  );
  const found = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef].filter(Boolean).length;
  if (found === 0)
    errors.push(
      invalidValue(
        path,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  else if (value) errors.push(invalidValue(path, '', 'may not be specified when `value` is not empty'));
  else if (found > 1) errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  return errors;
}

export function validateFieldRef(ref: ObjectFieldSelector, path: string, supported: readonly string[]): FieldError[] {
  const { apiVersion = '', fieldPath = '' } = ref;
  if (!apiVersion) return [required(`${path}.apiVersion`)];
  const at = `${path}.fieldPath`;
  if (!fieldPath) return [required(at)];
  const cannot = (why: string) => [invalidValue(at, fieldPath, `error converting fieldPath: ${why}`)];
  if (apiVersion !== 'v1') return cannot(`unsupported pod version: ${apiVersion}`);
  const { path: base, subscript } = splitSubscript(fieldPath);
  if (subscript !== undefined) {
    if (base === 'metadata.annotations')
      return invalidValues(path, subscript.toLowerCase(), qualifiedNameFaults(subscript.toLowerCase()));
    if (base === 'metadata.labels') return invalidValues(path, subscript, qualifiedNameFaults(subscript));
    return cannot(`field label does not support subscript: ${fieldPath}`);
  }
  if (!podFields.includes(fieldPath)) return cannot(`field label not supported: ${fieldPath}`);
  const field = fieldPath === 'spec.host' ? 'spec.nodeName' : fieldPath;
  return supported.includes(field) ? [] : [notSupported(at, field, supported)];
}

const sizes = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];
const sizeUnits = (resource: string) =>
  [sizes, `only divisor's values ${sizes.join(', ')} are supported with the ${resource} resource`] as const;

/** Valid divisors of a resource, by suffix of its name. */
const divisors: readonly (readonly [name: RegExp, units: readonly string[], fault: string])[] = [
  [/^(limits|requests)\.cpu$/, ['1m', '1'], "only divisor's values 1m and 1 are supported with the cpu resource"],
  [/^(limits|requests)\.memory$/, ...sizeUnits('memory')],
  [/^(limits|requests)\.ephemeral-storage$/, ...sizeUnits('local ephemeral storage')],
  [/^(limits|requests)\.hugepages-/, ...sizeUnits('hugepages')],
];

export function validateResourceField(
  ref: { containerName?: string; resource: string; divisor?: string },
  path: string,
  inVolume = false,
): FieldError[] {
  const { resource = '', divisor = '0' } = ref;
  const errors: FieldError[] = [];
  if (inVolume && !ref.containerName) errors.push(required(`${path}.containerName`));
  else if (!resource) errors.push(required(`${path}.resource`));
  else if (!resourceFields.includes(resource) && !/^(limits|requests)\.hugepages-/.test(resource))
    errors.push(notSupported(`${path}.resource`, resource, resourceFields));
  if (compareQuantities(divisor, 0) === 0) return errors;
  for (const [name, units, fault] of divisors)
    if (name.test(resource) && !units.includes(divisor)) errors.push(invalidValue(`${path}.divisor`, resource, fault));
  return errors;
}
