// Defaults of a schema must be values of that schema, without unknown fields.

import { fieldsIn } from '../../../machinery/parsed.ts';
import type { Schema } from '../../../machinery/schema.ts';
import { applyDefaults } from '../../custom/defaults.ts';
import { validateEmbedded, validateResource } from '../../custom/embedded.ts';
import { pruneCustom, pruneValue } from '../../custom/prune.ts';
import { validateRules } from '../../custom/rules.ts';
import { customSchema } from '../../custom/schema.ts';
import { validateValue } from '../../custom/validate.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, sameValue } from '../../fields.ts';
import type { JSONSchemaProps } from '../../generated/types.ts';
import { DecodeError } from '../../object.ts';

/** Makes a whole resource of a value that belongs into its kind, apiVersion or metadata; undefined elsewhere. */
type Surround = (value: unknown) => unknown;

const resource = { apiVersion: 'validation/v1', kind: 'Validation' };
const typeFields = ['metadata', 'apiVersion', 'kind'];

export function validateDefaults(schema: JSONSchemaProps, path: string): FieldError[] {
  return visit(schema, path, (value) => ({ ...resource, ...(value as object) }), true, false);
}

function visit(
  schema: JSONSchemaProps,
  path: string,
  around: Surround,
  isResource: boolean,
  insideMeta: boolean,
): FieldError[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const own: Surround = isResource ? (value) => ({ ...resource, ...(value as object) }) : around;
  const inMeta = insideMeta && !isResource;
  const errors =
    schema.default === undefined || schema.default === null
      ? []
      : validateDefault(schema, `${path}.default`, isResource, inMeta ? own : undefined);
  const { items, properties = {} } = schema;
  if (items && !Array.isArray(items))
    errors.push(...visit(items, `${path}.items`, (value) => own([value]), isEmbedded(items), inMeta));
  for (const [name, property] of Object.entries(properties)) {
    const inside = inMeta || (isResource && typeFields.includes(name));
    const place: Surround = (value) => own({ [name]: value });
    errors.push(...visit(property, `${path}.properties[${name}]`, place, isEmbedded(property), inside));
  }
  return errors;
}

const isEmbedded = (schema: JSONSchemaProps) => !!schema?.['x-kubernetes-embedded-resource'];

function validateDefault(
  source: JSONSchemaProps,
  path: string,
  isResource: boolean,
  around: Surround | undefined,
): FieldError[] {
  const own = customSchema(source);
  const schema = isResource ? { ...own, embeddedResource: true } : own;
  const value = source.default;
  const errors: FieldError[] = [];
  const wrongMeta = around ? metadataFault(around(value)) : undefined;
  if (wrongMeta) return [invalidValue(path, value, `must result in valid metadata: ${wrongMeta}`)];
  try {
    if (!around && !sameValue(pruneValue(schema, value), value))
      errors.push(invalidValue(path, value, 'must not have unknown fields'));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return [invalidValue(path, value, error.message)];
  }
  const wrongParts = around ? [] : validateEmbedded(schema, value, path);
  errors.push(...(wrongParts.length ? wrongParts : validateValue(withoutImpliedTypes(schema), value, path)));
  if (errors.length) return errors;
  const whole = structuredClone(value);
  applyDefaults(schema, whole);
  return validateRules(schema, whole, undefined, path);
}

/** Kubernetes checks the default of an int-or-string against the given constraints alone. */
function withoutImpliedTypes(schema: Schema): Schema {
  const { intOrString, properties, items, additionalProperties, ...rest } = schema;
  return {
    ...rest,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, property]) => [name, withoutImpliedTypes(property)]),
      ),
    }),
    ...(items && { items: withoutImpliedTypes(items) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === 'object' ? withoutImpliedTypes(additionalProperties) : additionalProperties,
    }),
  };
}

function metadataFault(object: unknown): string | undefined {
  try {
    const { object: read } = pruneCustom({ type: 'object', preserveUnknownFields: true }, object);
    const [first] = validateResource(fieldsIn(read), '');
    return first && `${first.field}: ${first.message}`;
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
}
