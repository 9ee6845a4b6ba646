// What a CustomResourceDefinition may say of its names, versions and columns. Its schemas: structural.ts.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/

import { dns1035LabelFaults, dns1123SubdomainFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, notSupported, required } from '../../fields.ts';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../../generated/types.ts';
import { internalVersions } from './internal.ts';
import { validateStructural } from './structural.ts';

type Names = CustomResourceDefinition['spec']['names'];
const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];

export function validateDefinition(crd: CustomResourceDefinition): FieldError[] {
  const { spec, status } = crd;
  const errors: FieldError[] = [];
  if (!spec.group) errors.push(required('spec.group'));
  else {
    errors.push(...invalidValues('spec.group', spec.group, dns1123SubdomainFaults(spec.group)));
    if (!spec.group.includes('.'))
      errors.push(invalidValue('spec.group', spec.group, 'should be a domain with at least one dot'));
  }
  if (!spec.scope) errors.push(required('spec.scope'));
  else if (spec.scope !== 'Cluster' && spec.scope !== 'Namespaced')
    errors.push(notSupported('spec.scope', spec.scope, ['Cluster', 'Namespaced']));
  if (spec.preserveUnknownFields)
    errors.push(
      invalidValue(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    );
  const storage = (spec.versions ?? []).filter((version) => version.storage);
  if (storage.length !== 1)
    errors.push(
      invalidValue(
        'spec.versions',
        internalVersions(spec.versions ?? []),
        'must have exactly one version marked as storage version',
      ),
    );
  if (!status?.storedVersions?.length)
    errors.push(invalidValue('status.storedVersions', status?.storedVersions, 'must have at least one stored version'));
  // Of several storage versions Kubernetes remembers the last.
  const wanted = storage.at(-1)?.name;
  if (wanted && status?.storedVersions?.length && !status.storedVersions.includes(wanted))
    errors.push(
      invalidValue('status.storedVersions', status.storedVersions, `must have the storage version ${wanted}`),
    );
  for (const [index, version] of (spec.versions ?? []).entries())
    errors.push(...validateVersion(version, index, (spec.versions ?? []).length > 1));
  return [...errors, ...validateNames(spec.names), ...validateConversion(crd)];
}

function validateNames(names: Names): FieldError[] {
  const path = 'spec.names';
  const errors: FieldError[] = [];
  for (const field of ['plural', 'singular'] as const) {
    const value = names[field];
    errors.push(
      ...(value ? invalidValues(`${path}.${field}`, value, dns1035LabelFaults(value)) : [required(`${path}.${field}`)]),
    );
  }
  for (const field of ['kind', 'listKind'] as const) {
    const value = names[field];
    errors.push(
      ...(value
        ? invalidValues(`${path}.${field}`, value, dns1035LabelFaults(value.toLowerCase()))
        : [required(`${path}.${field}`)]),
    );
  }
  if (names.kind && names.kind === names.listKind)
    errors.push(invalidValue(`${path}.listKind`, names.listKind, 'kind and listKind may not be the same'));
  for (const [index, name] of (names.shortNames ?? []).entries())
    errors.push(...invalidValues(`${path}.shortNames[${index}]`, name, dns1035LabelFaults(name)));
  for (const [index, name] of (names.categories ?? []).entries())
    errors.push(...invalidValues(`${path}.categories[${index}]`, name, dns1035LabelFaults(name)));
  return errors;
}

function validateConversion({ spec }: CustomResourceDefinition): FieldError[] {
  const strategy = spec.conversion?.strategy as string | undefined;
  if (!strategy) return [required('spec.conversion.strategy')];
  if (strategy !== 'None' && strategy !== 'Webhook')
    return [notSupported('spec.conversion.strategy', strategy, ['None', 'Webhook'])];
  if (strategy === 'Webhook' && !spec.conversion?.webhook?.clientConfig)
    return [required('spec.conversion.webhookClientConfig', 'required when strategy is set to Webhook')];
  return [];
}

/** Kubernetes moves what all versions share to the top of the spec before it looks, and names fields as it finds them. */
function validateVersion(version: CustomResourceDefinitionVersion, index: number, several: boolean): FieldError[] {
  const own = `spec.versions[${index}]`;
  const at = several ? own : 'spec';
  const errors: FieldError[] = [...invalidValues(`${own}.name`, version.name, dns1035LabelFaults(version.name ?? ''))];
  const schema: any = version.schema?.openAPIV3Schema;
  if (!schema) errors.push(required(`${own}.schema.openAPIV3Schema`));
  else
    errors.push(
      ...validateStructural(schema, several ? `${own}.schema.openAPIV3Schema` : 'spec.validation.openAPIV3Schema'),
    );
  for (const [i, column] of (version.additionalPrinterColumns ?? []).entries()) {
    const path = `${at}.additionalPrinterColumns[${i}]`;
    if (!column.name) errors.push(required(`${path}.name`));
    if (!column.type) errors.push(required(`${path}.type`, `must be one of ${columnTypes.join(',')}`));
    else if (!columnTypes.includes(column.type))
      errors.push(invalidValue(`${path}.type`, column.type, `must be one of ${columnTypes.join(',')}`));
    if (!column.jsonPath) errors.push(required(`${path}.JSONPath`));
  }
  const scale = version.subresources?.scale;
  if (scale) {
    const path = `${at}.subresources.scale`;
    for (const [field, base] of [
      ['specReplicasPath', 'spec'],
      ['statusReplicasPath', 'status'],
      ['labelSelectorPath', ''],
    ] as const) {
      const value = scale[field];
      if (!value) {
        if (field !== 'labelSelectorPath') errors.push(required(`${path}.${field}`));
      } else if (base ? !value.startsWith(`.${base}.`) : !/^\.(spec|status)\./.test(value))
        errors.push(
          invalidValue(
            `${path}.${field}`,
            value,
            `should be a json path under ${base ? `.${base}` : '.spec or .status'}`,
          ),
        );
    }
  }
  for (const [i, { jsonPath }] of (version.selectableFields ?? []).entries())
    if (schema && !refersToField(schema, jsonPath))
      errors.push(
        invalidValue(
          `${at}.selectableFields[${i}].jsonPath`,
          jsonPath,
          'is an invalid path: does not refer to a valid field',
        ),
      );
  return errors;
}

function refersToField(schema: any, path: string): boolean {
  let at = schema;
  for (const name of path.split('.').slice(1)) {
    at = at?.properties?.[name];
    if (!at) return false;
  }
  return true;
}
