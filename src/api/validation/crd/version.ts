// Validates each version of a definition: schema, subresources, columns, selectable fields.
// Kubernetes moves parts shared by all versions to the top of the spec before it validates, which changes the field
// paths in faults.

import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, required, sameValue, tooMany } from '../../fields.ts';
import type { CustomResourceDefinitionVersion, JSONSchemaProps } from '../../generated/types.ts';
import { validateDefaults } from './defaults.ts';
import { validFieldPath } from './field-path.ts';
import { givenFields, internalSchema } from './internal.ts';
import { validateSchema } from './schema-rules.ts';
import { canBeStructural, validateStructural } from './structural.ts';

type Version = CustomResourceDefinitionVersion;

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const maxSelectableFields = 8;

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

export function validateVersionParts(versions: readonly Version[]): FieldError[] {
  if (!versions.length) return [];
  const part = (version: Version, field: keyof Version) => (isEmptyList(version[field]) ? undefined : version[field]);
  const shared = (field: keyof Version) =>
    versions.every((version) => sameValue(part(version, field), part(versions[0], field)));
  const errors: FieldError[] = [];
  const each = (
    field: keyof Version,
    validate: (version: Version, path: string, isShared: boolean) => FieldError[],
  ) => {
    if (shared(field)) errors.push(...validate(versions[0], 'spec', true));
    else
      for (const [index, version] of versions.entries())
        errors.push(...validate(version, `spec.versions[${index}]`, false));
  };
  const anyStatus = versions.some(({ subresources }) => subresources?.status);
  each('schema', ({ schema, subresources }, path, isShared) =>
    schema?.openAPIV3Schema
      ? validateOpenApi(
          schema.openAPIV3Schema,
          `${path}.${isShared ? 'validation' : 'schema'}.openAPIV3Schema`,
          isShared ? anyStatus : !!subresources?.status,
        )
      : [],
  );
  each('subresources', ({ subresources }, path) => validateScale(subresources?.scale, `${path}.subresources.scale`));
  each('additionalPrinterColumns', ({ additionalPrinterColumns = [] }, path) =>
    additionalPrinterColumns.flatMap((column, i) => validateColumn(column, `${path}.additionalPrinterColumns[${i}]`)),
  );
  const isSchemaShared = shared('schema');
  each('selectableFields', (version, path, isShared) =>
    validateSelectable(version, `${path}.selectableFields`, isShared, isSchemaShared),
  );
  return errors;
}

/** Root fields outside of its properties, which would be lost when the status is validated alone. */
const allowedAtRoot = ['Description', 'Type', 'Format', 'Title', 'Maximum', 'ExclusiveMaximum', 'Minimum'].concat(
  ['ExclusiveMinimum', 'MaxLength', 'MinLength', 'Pattern', 'MaxItems', 'MinItems', 'UniqueItems', 'MultipleOf'],
  ['Required', 'Items', 'Properties', 'ExternalDocs', 'Example', 'XPreserveUnknownFields', 'XValidations'],
);

function validateOpenApi(schema: JSONSchemaProps, path: string, hasStatus: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (hasStatus) errors.push(...validateRoot(schema, path));
  if (schema.nullable) errors.push(forbiddenField(`${path}.nullable`, 'nullable cannot be true at the root'));
  const structural = canBeStructural(schema);
  const faults = structural ? validateStructural(schema, path) : [];
  const defaults = structural && !faults.length ? validateDefaults(schema, path) : [];
  errors.push(...faults, ...defaults);
  errors.push(...validateSchema(schema, path, structural && !faults.length && !defaults.length));
  // The one unsupported field that no other rule refuses.
  return structural || errors.length ? errors : [invalidValue(path, '', "OpenAPIV3Schema 'schema' is not supported")];
}

/** Only the first fault counts, in the order of Go's fields. */
function validateRoot(schema: JSONSchemaProps, path: string): FieldError[] {
  const enabled = 'if the status subresource is enabled';
  for (const field of givenFields(schema)) {
    if (field === 'Type' && schema.type !== 'object') {
      const why = `only "object" is allowed as the type at the root of the schema ${enabled}`;
      return [invalidValue(`${path}.type`, schema.type, why)];
    }
    if (allowedAtRoot.includes(field)) continue;
    const why = `only [${allowedAtRoot.join(' ')}] fields are allowed at the root of the schema ${enabled}`;
    return [invalidValue(path, internalSchema(schema), why)];
  }
  return [];
}

function validateColumn(
  { name, type, format, jsonPath }: NonNullable<Version['additionalPrinterColumns']>[number],
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`));
  const typeText = `must be one of ${columnTypes.join(',')}`;
  if (!type) errors.push(required(`${path}.type`, typeText));
  else if (!columnTypes.includes(type)) errors.push(invalidValue(`${path}.type`, type, typeText));
  if (format && !columnFormats.includes(format))
    errors.push(invalidValue(`${path}.format`, format, `must be one of ${columnFormats.join(',')}`));
  return [...errors, ...(jsonPath ? simplePath(jsonPath, `${path}.JSONPath`) : [required(`${path}.JSONPath`)])];
}

const simplePath = (jsonPath: string, path: string): FieldError[] =>
  jsonPath.startsWith('.') ? [] : [invalidValue(path, jsonPath, 'must be a simple json path starting with .')];

function validateScale(scale: NonNullable<Version['subresources']>['scale'], path: string): FieldError[] {
  if (!scale) return [];
  const under = (field: 'specReplicasPath' | 'statusReplicasPath' | 'labelSelectorPath', bases: readonly string[]) => {
    const value = scale[field];
    if (!value) return field === 'labelSelectorPath' ? [] : [required(`${path}.${field}`)];
    const faults = simplePath(value, `${path}.${field}`);
    if (faults.length || bases.some((base) => value.startsWith(`${base}.`))) return faults;
    const where = bases.length > 1 ? `either ${bases.join(' or ')}` : bases[0];
    return [invalidValue(`${path}.${field}`, value, `should be a json path under ${where}`)];
  };
  return [
    ...under('specReplicasPath', ['.spec']),
    ...under('statusReplicasPath', ['.status']),
    ...under('labelSelectorPath', ['.spec', '.status']),
  ];
}

/** Why the fields have no schema; undefined if they have one. */
function missingSchema(schema: Version['schema'], isShared: boolean, isSchemaShared: boolean): string | undefined {
  if (isShared) return schema && isSchemaShared ? undefined : 'may only be set when validations.schema is included';
  return schema?.openAPIV3Schema && !isSchemaShared
    ? undefined
    : 'may only be set when `version.schema.openAPIV3Schema` is not included';
}

function validateSelectable(
  { selectableFields = [], schema }: Version,
  path: string,
  isShared: boolean,
  isSchemaShared: boolean,
): FieldError[] {
  if (!selectableFields.length) return [];
  const why = missingSchema(schema, isShared, isSchemaShared);
  if (why) return [invalidValue(path, '', why)];
  const root = schema?.openAPIV3Schema ?? {};
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, { jsonPath }] of selectableFields.entries()) {
    const at = `${path}[${index}].jsonPath`;
    if (!jsonPath) {
      errors.push(required(at));
      continue;
    }
    const found = validFieldPath(jsonPath, root, false);
    if ('fault' in found) {
      errors.push(invalidValue(at, jsonPath, `is an invalid path: ${found.fault}`));
      continue;
    }
    if (found.names[0] === 'metadata') errors.push(invalidValue(at, jsonPath, 'must not point to fields in metadata'));
    if (!['string', 'boolean', 'integer'].includes(found.schema.type ?? ''))
      errors.push(
        invalidValue(
          at,
          jsonPath,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      );
    const name = found.names.join('.');
    if (seen.has(name)) errors.push(duplicate(at, jsonPath));
    seen.add(name);
  }
  if (seen.size > maxSelectableFields) errors.push(tooMany(path, seen.size, maxSelectableFields));
  return errors;
}
