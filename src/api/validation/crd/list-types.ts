// x-kubernetes-list-type, -list-map-keys and -map-type: the fields that they require.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy

import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../fields.ts';
import type { JSONSchemaProps } from '../../generated/types.ts';

const x = <T extends string>(name: T) => `x-kubernetes-${name}` as const;

/** The schema of a list's items; lists of schemas are refused elsewhere. */
const itemsOf = ({ items }: JSONSchemaProps) => items as JSONSchemaProps | undefined;

export function validateListType(schema: JSONSchemaProps, path: string): FieldError[] {
  const listType: string | undefined = schema[x('list-type')];
  const keys: string[] = schema[x('list-map-keys')] ?? [];
  const errors = validateMapType(schema, path);
  if (listType !== undefined && schema.type !== 'array')
    errors.push(wrongType(schema, path, 'must be array if x-kubernetes-list-type is specified'));
  else if (listType === 'set') errors.push(...validateSetItems(itemsOf(schema), path));
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType))
    errors.push(notSupported(`${path}.${x('list-type')}`, listType, ['atomic', 'set', 'map']));
  if (keys.length && listType !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    const at = `${path}.${x('list-type')}`;
    errors.push(listType === undefined ? required(at, why) : invalidValue(at, listType, why));
  }
  if (listType === 'map') errors.push(...validateKeys(schema, keys, path));
  if (listType === 'map' || listType === 'set') errors.push(...validatePresence(schema, keys, listType, path));
  return errors;
}

function validateMapType(schema: JSONSchemaProps, path: string): FieldError[] {
  const mapType = schema[x('map-type')];
  if (mapType === undefined) return [];
  const errors: FieldError[] = [];
  if (schema.type !== 'object')
    errors.push(wrongType(schema, path, 'must be object if x-kubernetes-map-type is specified'));
  if (mapType !== 'atomic' && mapType !== 'granular')
    errors.push(notSupported(`${path}.${x('map-type')}`, mapType, ['atomic', 'granular']));
  return errors;
}

const wrongType = ({ type }: JSONSchemaProps, path: string, why: string): FieldError =>
  type ? invalidValue(`${path}.type`, type, why) : required(`${path}.type`, why);

/** Items of a set are compared as a whole. */
function validateSetItems(items: JSONSchemaProps | undefined, path: string): FieldError[] {
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items?.[x('list-type')];
  if (items?.type === 'array' && listType !== undefined && listType !== 'atomic')
    return [invalidValue(`${path}.items.${x('list-type')}`, listType, why)];
  if (items?.type === 'object' && items[x('map-type')] !== 'atomic')
    return [invalidValue(`${path}.items.${x('map-type')}`, listType ?? null, why)];
  return [];
}

function validateKeys(schema: JSONSchemaProps, keys: readonly string[], path: string): FieldError[] {
  const items = itemsOf(schema);
  const errors: FieldError[] = [];
  const at = `${path}.${x('list-map-keys')}`;
  if (!keys.length) errors.push(required(at, 'must not be empty if x-kubernetes-list-type is map'));
  if (!items) return [...errors, required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map')];
  if (items.type !== 'object') {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    return [...errors, invalidValue(`${path}.items.type`, items.type ?? '', why)];
  }
  const seen = new Set<string>();
  for (const key of keys) {
    const property = items.properties?.[key];
    if (!property) errors.push(invalidValue(at, keys, 'entries must all be names of item properties'));
    else if (property.type === 'array' || property.type === 'object') {
      const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      errors.push(invalidValue(`${path}.items.properties[${key}].type`, items.type, why));
    }
    if (seen.has(key)) errors.push(invalidValue(at, keys, 'must not contain duplicate entries'));
    seen.add(key);
  }
  return errors;
}

/** The keys of an item must be present and not null. */
function validatePresence(
  schema: JSONSchemaProps,
  keys: readonly string[],
  listType: string,
  path: string,
): FieldError[] {
  const items = itemsOf(schema);
  const errors: FieldError[] = [];
  if (items?.nullable)
    errors.push(
      forbiddenField(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`),
    );
  if (listType !== 'map') return errors;
  for (const key of keys) {
    const property = items?.properties?.[key];
    if (!property) continue;
    const at = `${path}.items.properties[${key}]`;
    if (!items?.required?.includes(key) && property.default === undefined)
      errors.push(
        required(
          `${at}.default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      );
    if (property.nullable)
      errors.push(
        forbiddenField(`${at}.nullable`, 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable'),
      );
  }
  return errors;
}
