// Whether an applied configuration has the shape of its schema, in the words of structured-merge-diff.

import { type Fields, isFields } from '../parsed.ts';
import { elementText, listElementKey } from '../patches/list-map.ts';
import { PatchError } from '../patches/patch-error.ts';
import type { Schema } from '../schema.ts';
import { goFormat, goSyntax, goTypeName } from '../text/go-format.ts';
import { childSchema, isAssociative } from './field-set.ts';

/** Throws PatchError('schema') with all faults. */
export function checkApplied(value: unknown, schema: Schema | undefined): void {
  const faults = appliedFaults(value, schema);
  if (faults.length)
    throw new PatchError('schema', faults.length > 1 ? `errors:\n  ${faults.join('\n  ')}` : faults[0]);
}

/**
 * Faults of all fields, such as `.spec.replicas: expected numeric (int or float), got string`. `isOpen`: a parent keeps
 * unknown fields, which then holds for its content too.
 */
export function appliedFaults(value: unknown, schema: Schema | undefined, path = '', isOpen = false): string[] {
  if (value === null || value === undefined || !schema) return [];
  if (schema.intOrString || !schema.type) return schema.intOrString ? scalarFaults(value, 'any scalar', path) : [];
  switch (schema.type) {
    case 'array':
      return Array.isArray(value) ? listFaults(value, schema, path, isOpen) : [wrong(path, 'list', printed(value))];
    case 'object':
      return isFields(value) ? mapFaults(value, schema, path, isOpen) : [wrong(path, 'map', printed(value))];
    case 'string':
      if (schema.format && schema.format !== 'byte') return scalarFaults(value, 'any scalar', path);
      return typeof value === 'string'
        ? []
        : [wrong(path, 'string', `&value.valueUnstructured{Value:${goSyntax(value)}}`)];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [wrong(path, 'boolean', printed(value))];
    default:
      return typeof value === 'number' || typeof value === 'bigint'
        ? []
        : [wrong(path, 'numeric (int or float)', goTypeName(value))];
  }
}

const wrong = (path: string, wanted: string, got: string) => `${path}: expected ${wanted}, got ${got}`;
const printed = (value: unknown) => `&{${goFormat(value)}}`;

const scalarFaults = (value: unknown, wanted: string, path: string): string[] =>
  typeof value === 'object' ? [wrong(path, wanted, printed(value))] : [];

function mapFaults(value: Fields, schema: Schema, path: string, isInOpen: boolean): string[] {
  const isOpen = isInOpen || schema.preserveUnknownFields === true;
  const isClosed =
    schema.properties !== undefined && !schema.additionalProperties && !isOpen && !schema.embeddedResource;
  return Object.entries(value).flatMap(([name, inner]) => {
    const below = childSchema(schema, `f:${name}`);
    if (!below && isClosed) return [`${path}.${name}: field not declared in schema`];
    return appliedFaults(inner, below, `${path}.${name}`, isOpen);
  });
}

function listFaults(list: readonly unknown[], schema: Schema, path: string, isOpen: boolean): string[] {
  const hasKeys: boolean = isAssociative(schema);
  if (!hasKeys) return list.flatMap((item, index) => appliedFaults(item, schema.items, `${path}[${index}]`, isOpen));
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const [index, item] of list.entries()) {
    const why = schema.listType === 'set' ? setFault(item) : keyFault(item, schema);
    // The rest of such a list is not checked.
    if (why) return [...faults, `${path}: element ${index}: ${why}`];
    const key = listElementKey(item, schema);
    const text = elementText(key);
    if (seen.has(key)) faults.push(`${path}: duplicate entries for key ${text}`);
    seen.add(key);
    faults.push(...appliedFaults(item, schema.items, `${path}${text}`, isOpen));
  }
  return faults;
}

function setFault(item: unknown): string | undefined {
  if (item === null) return "associative list without keys has an element that's an explicit null";
  if (Array.isArray(item)) return 'not supported: associative list with lists as elements';
  if (typeof item === 'object') return "associative list without keys has an element that's a map type";
  return undefined;
}

function keyFault(item: unknown, { listMapKeys = [], items }: Schema): string | undefined {
  if (item === null) return 'associative list with keys may not have a null element';
  if (!isFields(item)) return 'associative list with keys may not have non-map elements';
  const hasKey = listMapKeys.some((name) => name in item || items?.properties?.[name]?.default !== undefined);
  if (hasKey) return undefined;
  const keys = listMapKeys.map((name) => JSON.stringify(name)).join(' ');
  return `associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`;
}
