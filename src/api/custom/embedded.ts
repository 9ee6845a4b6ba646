// Resources within resources (x-kubernetes-embedded-resource): their kind, version and metadata are checked.

import type { Fields } from '../../machinery/parsed.ts';
import type { Schema } from '../../machinery/schema.ts';
import { dns1035LabelFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { invalidValue, required } from '../fields.ts';
import type { ObjectMeta } from '../generated/types.ts';
import { nameRule, validateObjectMeta } from '../validation/metadata.ts';

export function validateEmbedded(schema: Schema, value: unknown, path = ''): FieldError[] {
  if (!hasEmbedded(schema) || typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value))
    return value.flatMap((item, index) =>
      schema.items ? validateEmbedded(schema.items, item, `${path}[${index}]`) : [],
    );
  const fields = value as Fields;
  const errors = schema.embeddedResource ? validateResource(fields, path) : [];
  const { properties, additionalProperties } = schema;
  for (const key of Object.keys(fields)) {
    const part = properties?.[key];
    if (part) errors.push(...validateEmbedded(part, fields[key], path ? `${path}.${key}` : key));
    else if (typeof additionalProperties === 'object')
      errors.push(...validateEmbedded(additionalProperties, fields[key], `${path}[${key}]`));
  }
  return errors;
}

const cached = new WeakMap<Schema, boolean>();

/** Few schemas have such parts: the others are not walked through. */
function hasEmbedded(schema: Schema): boolean {
  let found = cached.get(schema);
  if (found === undefined) {
    const { properties = {}, items, additionalProperties, custom } = schema;
    const parts = Object.keys(properties).filter((name) => !(custom && name === 'metadata'));
    found =
      !!schema.embeddedResource ||
      parts.some((name) => hasEmbedded(properties[name])) ||
      (!!items && hasEmbedded(items)) ||
      (typeof additionalProperties === 'object' && hasEmbedded(additionalProperties));
    cached.set(schema, found);
  }
  return found;
}

/** A name that is valid as a path segment. */
const pathSegments = nameRule((name) => [
  ...(name === '.' || name === '..' ? [`may not be '${name}'`] : []),
  ...['/', '%'].filter((sign) => name.includes(sign)).map((sign) => `may not contain '${sign}'`),
]);

const named = (metadata: ObjectMeta): ObjectMeta => ({ ...metadata, name: metadata.name || 'fakename' });

export function validateResource(value: Readonly<Fields>, path: string): FieldError[] {
  const at = (name: string) => (path ? `${path}.${name}` : name);
  const errors: FieldError[] = [];
  for (const name of ['apiVersion', 'kind'])
    if (!Object.hasOwn(value, name)) errors.push(required(at(name)));
    else if (typeof value[name] !== 'string') errors.push(invalidValue(at(name), value[name], 'must be a string'));
    else if (!value[name]) errors.push(invalidValue(at(name), '', 'must not be empty'));
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion === 'string' && apiVersion.split('/').length > 2)
    errors.push(invalidValue(at('apiVersion'), apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  const faults = typeof kind === 'string' && kind ? dns1035LabelFaults(kind.toLowerCase()) : [];
  if (faults.length)
    errors.push(invalidValue(at('kind'), kind, `may have mixed case, but should otherwise match: ${faults.join(',')}`));
  if (typeof metadata === 'object' && metadata !== null)
    errors.push(
      ...validateObjectMeta(named(metadata as ObjectMeta), pathSegments).map((error) => ({
        ...error,
        field: at(error.field),
      })),
    );
  return errors;
}
