// Types of the values that a schema describes. Expressions cannot name other values.
// https://kubernetes.io/docs/reference/using-api/cel/#type-system-integration

import type { Schema } from '../schema.ts';
import type { SizedType } from './cost/sizes.ts';
import type { StructDeclaration } from './declarations.ts';
import { escapeName } from './parse/names.ts';
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  stringType,
  structType,
  type Type,
  timestampType,
} from './types.ts';

/** The limit of request bodies, so it bounds sizes without another limit. */
export const mostRequestBytes = 3 * 1024 * 1024;
const longestText = mostRequestBytes - 2;

const timeTextSize = 32;
const dateTextSize = 12;

const sized = (type: Type, minSize: number, maxElements = 0): SizedType => ({ type, minSize, maxElements });

const stringSized = sized(stringType, 2);
/** `root` for API objects: they have kind, apiVersion and a name even if their schema omits them. */
const metaFields = (): ReadonlyMap<string, SizedType> => {
  const text = sized(stringType, 2, longestText);
  const metadata = new Map([
    ['name', text],
    ['generateName', text],
  ]);
  return new Map<string, SizedType>([
    ['kind', text],
    ['apiVersion', text],
    ['metadata', { type: structType('object'), minSize: 2, maxElements: 0, fields: metadata }],
  ]);
};

/** Undefined for a value that expressions cannot see. Objects get their names later: see `named`. */
export function sizedType(schema: Schema, root = false): SizedType | undefined {
  const { maxLength } = schema.constraints ?? {};
  if (schema.intOrString) return sized(dynType, 1, maxLength === undefined ? longestText : Math.max(0, maxLength) * 4);
  switch (schema.type) {
    case 'array':
      return sizedList(schema);
    case 'object':
      return sizedObject(schema, root || !!schema.embeddedResource);
    case 'string':
      return sizedString(schema, maxLength);
    case 'boolean':
      return sized(boolType, 4);
    case 'number':
      return sized(doubleType, 1);
    case 'integer':
      return sized(intType, 1);
    default:
      return undefined;
  }
}

function sizedString({ format, enum: values }: Schema, maxLength: number | undefined): SizedType {
  switch (format) {
    case 'byte':
      return sized(bytesType, 2, maxLength === undefined ? longestText : Math.max(0, maxLength));
    case 'duration':
      return sized(durationType, 3, timeTextSize);
    case 'date':
      return sized(timestampType, dateTextSize, dateTextSize);
    case 'date-time':
      return sized(timestampType, 21, timeTextSize);
  }
  // A limit counts characters, of up to four bytes each.
  if (maxLength !== undefined) return sized(stringType, 2, Math.max(0, maxLength) * 4);
  if (!values?.length) return sized(stringType, 2, longestText);
  return sized(stringType, 2, Math.max(0, ...values.map((value) => (typeof value === 'string' ? value.length : 0))));
}

function sizedList({ items, constraints }: Schema): SizedType | undefined {
  const element = items && sizedType(items);
  if (!element) return undefined;
  const most = constraints?.maxItems ?? Math.floor(longestText / (element.minSize + 1));
  return { ...sized(listType(element.type), 2, Math.max(0, most)), element };
}

function sizedObject(schema: Schema, root: boolean): SizedType | undefined {
  const { additionalProperties, properties = {}, required = [], constraints } = schema;
  if (typeof additionalProperties === 'object') {
    const element = sizedType(additionalProperties);
    if (!element) return undefined;
    const most = constraints?.maxProperties ?? Math.floor(longestText / (element.minSize + 6));
    return { ...sized(mapType(stringType, element.type), 2, Math.max(0, most)), key: stringSized, element };
  }
  const fields = new Map<string, SizedType>();
  let minSize = 2;
  for (const [name, property] of Object.entries(properties)) {
    const field = sizedType(property);
    if (!field) continue;
    const escaped = escapeName(name);
    if (escaped !== undefined) fields.set(escaped, field);
    if (required.includes(name) && property.default === undefined) minSize += name.length + field.minSize + 4;
  }
  if (root && (schema.custom || !hasMeta(properties)))
    for (const [name, field] of metaFields()) fields.set(name, field);
  return { type: structType('object'), minSize, maxElements: 0, fields };
}

/** An embedded resource may declare more of its metadata. */
const hasMeta = ({ kind, apiVersion, metadata }: Readonly<Record<string, Schema>>): boolean =>
  kind?.type === 'string' &&
  apiVersion?.type === 'string' &&
  metadata?.properties?.name?.type === 'string' &&
  metadata.properties.generateName?.type === 'string';

interface NamedType {
  readonly sized: SizedType;
  readonly structs: ReadonlyMap<string, StructDeclaration>;
}

/** Names each object type: the given name at the root, and the path of fields below it. */
export function named(type: SizedType, name: string): NamedType {
  const structs = new Map<string, StructDeclaration>();
  const visit = (at: SizedType, path: string): SizedType => {
    if (at.fields) {
      const fields = new Map([...at.fields].map(([field, part]) => [field, visit(part, `${path}.${field}`)] as const));
      // Keywords may also be written unescaped.
      structs.set(path, { field: (field) => (fields.get(field) ?? fields.get(escapeName(field) ?? ''))?.type });
      return { ...at, type: structType(path), fields };
    }
    if (!at.element) return at;
    const element = visit(at.element, `${path}.${at.key ? '@elem' : '@idx'}`);
    return { ...at, element, type: at.key ? mapType(stringType, element.type) : listType(element.type) };
  };
  return { sized: visit(type, name), structs };
}
