// Validates names, versions and conversion of a CustomResourceDefinition. Content of versions: version.ts.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/

import { byteLength, dns1035LabelFaults, dns1123SubdomainFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, notSupported, required, sameValue } from '../../fields.ts';
import type { CustomResourceDefinition } from '../../generated/types.ts';
import { validateWebhookClient } from '../webhook-client.ts';
import { bundleFault } from './ca-bundle.ts';
import { internalVersions } from './internal.ts';
import { isSchema, type Part, partsOf } from './structural.ts';
import { validateVersionParts } from './version.ts';

type Spec = CustomResourceDefinition['spec'];
type Names = Spec['names'];

export function validateDefinition(crd: CustomResourceDefinition, old?: CustomResourceDefinition): FieldError[] {
  const { spec, status } = crd;
  const versions: Versions = spec.versions ?? [];
  return [
    ...validateGroup(spec.group),
    ...validateScope(spec.scope),
    ...(spec.preserveUnknownFields ? validatePreserving(spec) : []),
    ...validateVersions(versions, spec.versions ?? null),
    ...validateStoredVersions(status?.storedVersions, versions),
    ...requiredNames(spec.names),
    ...validateNames(spec.names, 'spec.names'),
    ...validateNames(status?.acceptedNames ?? {}, 'status.acceptedNames'),
    ...validateConversion(spec.conversion, old),
  ];
}

function validatePreserving({ versions, conversion }: Spec): FieldError[] {
  const path = 'spec.preserveUnknownFields';
  const why = 'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
  const errors = [invalidValue(path, true, why)];
  if ((versions ?? []).some(({ schema }) => hasDefault(schema?.openAPIV3Schema)))
    errors.push(invalidValue(path, true, 'must be false in order to use defaults in the schema'));
  const strategy = conversion?.strategy as string | undefined;
  if (strategy !== 'None') {
    const needs = 'must be None if spec.preserveUnknownFields is true';
    errors.push(invalidValue('spec.conversion.strategy', strategy ?? '', needs));
  }
  return errors;
}

function hasDefault(schema: Part): boolean {
  if (!isSchema(schema)) return false;
  return (schema.default ?? null) !== null || partsOf(schema).some(hasDefault);
}

const joined = (field: string, value: unknown, faults: readonly string[], before = ''): FieldError[] =>
  faults.length ? [invalidValue(field, value, `${before}${faults.join(',')}`)] : [];

function validateGroup(group: string | undefined): FieldError[] {
  if (!group) return [required('spec.group')];
  const faults = dns1123SubdomainFaults(group);
  if (faults.length) return joined('spec.group', group, faults);
  return group.includes('.') ? [] : [invalidValue('spec.group', group, 'should be a domain with at least one dot')];
}

function validateScope(scope: string | undefined): FieldError[] {
  if (!scope) return [required('spec.scope')];
  const scopes = ['Cluster', 'Namespaced'];
  return scopes.includes(scope) ? [] : [notSupported('spec.scope', scope, scopes)];
}

type Versions = Spec['versions'];

function validateVersions(versions: Versions, given: Versions | null): FieldError[] {
  const errors: FieldError[] = [];
  const faulty = (why: string) => errors.push(invalidValue('spec.versions', given && internalVersions(given), why));
  // Older definitions named the first version in spec.version.
  if (versions[0]?.name) errors.push(...joined('spec.version', versions[0].name, dns1035LabelFaults(versions[0].name)));
  if (new Set(versions.map(({ name }) => name)).size < versions.length) faulty('must contain unique version names');
  if (versions.filter(({ storage }) => storage).length !== 1)
    faulty('must have exactly one version marked as storage version');
  for (const [index, version] of versions.entries()) {
    const path = `spec.versions[${index}]`;
    errors.push(...joined(`${path}.name`, version.name, dns1035LabelFaults(version.name ?? '')));
    if (!version.schema?.openAPIV3Schema) errors.push(required(`${path}.schema.openAPIV3Schema`));
    errors.push(...validateDeprecation(version, path));
  }
  return [...errors, ...validateVersionParts(versions)];
}

function validateDeprecation({ deprecated, deprecationWarning }: Versions[number], path: string): FieldError[] {
  if (deprecationWarning === undefined || deprecationWarning === null) return [];
  const faults: string[] = [];
  if (!deprecated) faults.push('can only be set for deprecated versions');
  else {
    if (byteLength(deprecationWarning) > 256) faults.push('must be <= 256 characters long');
    if (!deprecationWarning) faults.push('must not be an empty string');
    const odd = deprecationWarning.search(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u);
    if (odd >= 0) {
      const index = byteLength(deprecationWarning.slice(0, odd));
      faults.push(`must only contain printable UTF-8 characters; non-printable character found at index ${index}`);
    }
  }
  return faults.map((why) => invalidValue(`${path}.deprecationWarning`, deprecationWarning, why));
}

/** Data may still be stored in the versions of the status, so none of them may be removed. */
function validateStoredVersions(stored: readonly string[] | undefined, versions: Versions): FieldError[] {
  const path = 'status.storedVersions';
  if (!stored?.length) return [invalidValue(path, stored, 'must have at least one stored version')];
  // A stored version counts once: a second version of that name is missing from the list.
  const unmet = new Set(stored);
  const missing = versions
    .filter(({ name, storage }) => !unmet.delete(name) && storage)
    .map(({ name }) => invalidValue(path, stored, `must have the storage version ${name}`));
  const gone = [...stored.entries()]
    .filter(([, version]) => !versions.some(({ name }) => name === version))
    .map(([index, version]) =>
      invalidValue(
        `${path}[${index}]`,
        version,
        `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`,
      ),
    );
  return [...missing, ...gone];
}

const requiredNames = (names: Names): FieldError[] =>
  (['plural', 'singular', 'kind', 'listKind'] as const)
    .filter((field) => !names[field])
    .map((field) => required(`spec.names.${field}`));

function validateNames(names: Partial<Names>, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['plural', 'singular'] as const) {
    const value = names[field];
    if (value) errors.push(...joined(`${path}.${field}`, value, dns1035LabelFaults(value)));
  }
  for (const field of ['kind', 'listKind'] as const) {
    const value = names[field];
    const faults = value ? dns1035LabelFaults(value.toLowerCase()) : [];
    errors.push(...joined(`${path}.${field}`, value, faults, 'may have mixed case, but should otherwise match: '));
  }
  for (const field of ['shortNames', 'categories'] as const)
    for (const [index, name] of (names[field] ?? []).entries())
      errors.push(...joined(`${path}.${field}[${index}]`, name, dns1035LabelFaults(name)));
  if (names.kind && names.kind === names.listKind)
    errors.push(invalidValue(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same'));
  return errors;
}

const isEstablished = ({ status }: CustomResourceDefinition): boolean =>
  !!status?.conditions?.some((condition) => condition.type === 'Established' && condition.status === 'True');

function validateConversion(conversion: Spec['conversion'], old?: CustomResourceDefinition): FieldError[] {
  const path = 'spec.conversion';
  const at = `${path}.webhookClientConfig`;
  const { clientConfig } = conversion?.webhook ?? {};
  const conversionReviewVersions = conversion?.webhook?.conversionReviewVersions ?? [];
  const errors = validateStrategy(conversion?.strategy, `${path}.strategy`);
  if ((conversion?.strategy as string | undefined) !== 'Webhook') {
    const why = 'should not be set when strategy is not set to Webhook';
    if (clientConfig) errors.push(forbiddenField(at, why));
    if (conversionReviewVersions.length) errors.push(forbiddenField(`${path}.conversionReviewVersions`, why));
    return errors;
  }
  if (!clientConfig) errors.push(required(at, 'required when strategy is set to Webhook'));
  else errors.push(...validateWebhookClient(clientConfig, at), ...validateBundle(clientConfig.caBundle, at, old));
  const before = old?.spec.conversion?.webhook?.conversionReviewVersions ?? [];
  const mustRecognize = !before.length || before.some(isRecognized);
  return [
    ...errors,
    ...validateReviewVersions(conversionReviewVersions, `${path}.conversionReviewVersions`, mustRecognize),
  ];
}

function validateStrategy(strategy: string | undefined, path: string): FieldError[] {
  if (!strategy) return [required(path)];
  const strategies = ['None', 'Webhook'];
  return strategies.includes(strategy) ? [] : [notSupported(path, strategy, strategies)];
}

/** Certificates must be readable once the kind is served, unless they were not before. */
function validateBundle(bundle: string | undefined, path: string, old?: CustomResourceDefinition): FieldError[] {
  if (!bundle || !old || !isEstablished(old)) return [];
  const before = old.spec.conversion?.webhook?.clientConfig?.caBundle;
  if (before && bundleFault(before)) return [];
  const fault = bundleFault(bundle);
  return fault ? [invalidValue(`${path}.caBundle`, bundle, `unable to load root certificates: ${fault}`)] : [];
}

const isRecognized = (version: string): boolean => version === 'v1' || version === 'v1beta1';

function validateReviewVersions(versions: readonly string[], path: string, mustRecognize: boolean): FieldError[] {
  if (!versions.length) return [required(path)];
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, version] of versions.entries()) {
    const faults = seen.has(version) ? ['duplicate version'] : dns1035LabelFaults(version);
    for (const why of faults) errors.push(invalidValue(`${path}[${index}]`, version, why));
    seen.add(version);
  }
  if (mustRecognize && !versions.some(isRecognized))
    errors.push(invalidValue(path, versions, 'must include at least one of v1, v1beta1'));
  return errors;
}

/** Immutable fields: the group and the plural always, scope and kind once they are served. */
export function validateDefinitionUpdate(next: CustomResourceDefinition, old: CustomResourceDefinition): FieldError[] {
  const errors: FieldError[] = [];
  const keep = (field: string, value: unknown, before: unknown) => {
    if (!sameValue(value, before)) errors.push(invalidValue(field, value, 'field is immutable'));
  };
  if (isEstablished(old)) {
    keep('spec.scope', next.spec.scope, old.spec.scope);
    keep('spec.names.kind', next.spec.names.kind, old.spec.names.kind);
  }
  keep('spec.group', next.spec.group, old.spec.group);
  keep('spec.names.plural', next.spec.names.plural, old.spec.names.plural);
  return errors;
}
