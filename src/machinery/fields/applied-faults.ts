// Whether an applied configuration has the shape of its schema, in the words of structured-merge-diff.

import { type Fields, isFields } from '../parsed.ts';
import { elementText, listElementKey } from '../patches/list-map.ts';
import { PatchError } from '../patches/patch-error.ts';
import type { Schema } from '../schema.ts';
import { goFormat, goSyntax, goTypeName } from '../text/go-format.ts';
import { childSchema, isAssociative } from './field-set.ts';

/** Characters of all faults together: each has the path to its field, whose keys may be long. */
const mostCharacters = 1 << 20;

/** Throws PatchError('schema') with the faults. */
export function checkApplied(value: unknown, schema: Schema | undefined): void {
  const faults = appliedFaults(value, schema);
  if (faults.length)
    throw new PatchError('schema', faults.length > 1 ? `errors:\n  ${faults.join('\n  ')}` : faults[0]);
}

/** Faults of all fields, such as `.spec.replicas: expected numeric (int or float), got string`; of very many, the first. */
export function appliedFaults(value: unknown, schema: Schema | undefined): readonly string[] {
  const check = new Check();
  check.value(value, schema, '', false);
  return check.faults;
}

const printed = (value: unknown) => `&{${goFormat(value)}}`;

class Check {
  readonly faults: string[] = [];
  #left = mostCharacters;

  /** `isOpen`: a parent keeps unknown fields, which then holds for its content too. */
  value(value: unknown, schema: Schema | undefined, path: string, isOpen: boolean): void {
    if (value === null || value === undefined || !schema || this.#left < 0) return;
    if (schema.intOrString) return this.#scalar(value, path);
    switch (schema.type) {
      case undefined:
        return;
      case 'array':
        if (!Array.isArray(value)) return this.#wrong(path, 'list', printed(value));
        return isAssociative(schema)
          ? this.#keyedList(value, schema, path, isOpen)
          : this.#list(value, schema, path, isOpen);
      case 'object':
        return isFields(value) ? this.#map(value, schema, path, isOpen) : this.#wrong(path, 'map', printed(value));
      case 'string':
        if (schema.format && schema.format !== 'byte') return this.#scalar(value, path);
        if (typeof value !== 'string')
          this.#wrong(path, 'string', `&value.valueUnstructured{Value:${goSyntax(value)}}`);
        return;
      case 'boolean':
        if (typeof value !== 'boolean') this.#wrong(path, 'boolean', printed(value));
        return;
      default:
        if (typeof value !== 'number' && typeof value !== 'bigint')
          this.#wrong(path, 'numeric (int or float)', goTypeName(value));
    }
  }

  #fault(path: string, why: string): void {
    const text = `${path}: ${why}`;
    this.#left -= text.length;
    if (this.#left >= 0 || this.faults.length === 0) this.faults.push(text);
  }

  #wrong(path: string, wanted: string, got: string): void {
    this.#fault(path, `expected ${wanted}, got ${got}`);
  }

  #scalar(value: unknown, path: string): void {
    if (typeof value === 'object') this.#wrong(path, 'any scalar', printed(value));
  }

  #map(value: Fields, schema: Schema, path: string, isInOpen: boolean): void {
    const isOpen = isInOpen || schema.preserveUnknownFields === true;
    const isClosed =
      schema.properties !== undefined && !schema.additionalProperties && !isOpen && !schema.embeddedResource;
    for (const [name, inner] of Object.entries(value)) {
      if (this.#left < 0) return;
      const below = childSchema(schema, `f:${name}`);
      if (!below && isClosed) this.#fault(`${path}.${name}`, 'field not declared in schema');
      else this.value(inner, below, `${path}.${name}`, isOpen);
    }
  }

  #list(list: readonly unknown[], { items }: Schema, path: string, isOpen: boolean): void {
    for (const [index, item] of list.entries()) this.value(item, items, `${path}[${index}]`, isOpen);
  }

  #keyedList(list: readonly unknown[], schema: Schema, path: string, isOpen: boolean): void {
    const seen = new Set<string>();
    for (const [index, item] of list.entries()) {
      const why = schema.listType === 'set' ? setFault(item) : keyFault(item, schema);
      // The rest of such a list is not checked.
      if (why) return this.#fault(path, `element ${index}: ${why}`);
      const key = listElementKey(item, schema);
      const text = elementText(key);
      if (seen.has(key)) this.#fault(path, `duplicate entries for key ${text}`);
      seen.add(key);
      this.value(item, schema.items, `${path}${text}`, isOpen);
    }
  }
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
