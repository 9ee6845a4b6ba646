// Schemas of OpenAPI v3: the fields that a place of a document may have, and the faults of a document.

import { fieldsIn, isFields, listIn, textIn } from '../../../machinery/parsed.ts';

export type Schema = Readonly<Record<string, unknown>>;

/** Path of fields; items of lists are `*`. */
type Path = readonly string[];

interface Property {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly isRequired: boolean;
}

export class SchemaDocument {
  readonly #schemas: Schema;

  constructor(document: unknown) {
    this.#schemas = fieldsIn(fieldsIn(fieldsIn(document)['components'])['schemas']);
  }

  /** Undefined: the document has no such kind. */
  ofKind(group: string, version: string, kind: string): Schema | undefined {
    return Object.values(this.#schemas)
      .map(fieldsIn)
      .find((schema) =>
        listIn(schema['x-kubernetes-group-version-kind']).some((item) => {
          const names = fieldsIn(item);
          return names['group'] === group && names['version'] === version && names['kind'] === kind;
        }),
      );
  }

  propertiesAt(root: Schema, path: Path): Property[] {
    const schema = this.#at(root, path);
    const required = listIn(schema?.['required']);
    return Object.entries(fieldsIn(schema?.['properties'])).map(([name, value]) => {
      const resolved = this.#resolve(value);
      const description = textIn(fieldsIn(value)['description']) || textIn(resolved['description']);
      return { name, type: typeOf(resolved), description, isRequired: required.includes(name) };
    });
  }

  /** The values that a field allows, if they are listed. */
  valuesAt(root: Schema, path: Path): string[] {
    const schema = this.#at(root, path);
    if (schema?.['type'] === 'boolean') return ['true', 'false'];
    return listIn(schema?.['enum']).map(String);
  }

  /** The first fault of a value: an unknown field, or a value of another type. */
  faultOf(root: Schema, value: unknown, path: Path = []): { path: Path; message: string } | undefined {
    const schema = this.#resolve(root);
    if (value === null || value === undefined || schema['x-kubernetes-preserve-unknown-fields'] === true)
      return undefined;
    const type = textIn(schema['type']);
    if (type && !hasType(value, type, schema)) return { path, message: `expected ${type}` };
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) {
        const fault = this.faultOf(fieldsIn(schema['items']), item, [...path, String(index)]);
        if (fault) return fault;
      }
      return undefined;
    }
    return isFields(value) ? this.#faultOfFields(schema, value, path) : undefined;
  }

  #faultOfFields(schema: Schema, value: Schema, path: Path) {
    const properties = fieldsIn(schema['properties']);
    const additional = schema['additionalProperties'];
    if (Object.keys(properties).length === 0 && additional === undefined) return undefined;
    for (const [name, child] of Object.entries(value)) {
      const own = Object.hasOwn(properties, name) ? properties[name] : additional;
      const at = [...path, name];
      if (own === undefined || own === false) return { path: at, message: `unknown field ${name}` };
      const fault = isFields(own) ? this.faultOf(own, child, at) : undefined;
      if (fault) return fault;
    }
    return undefined;
  }

  #at(root: Schema, path: Path): Schema | undefined {
    let schema = this.#resolve(root);
    for (const name of path) {
      const next = name === '*' ? schema['items'] : childOf(schema, name);
      if (!isFields(next)) return undefined;
      schema = this.#resolve(next);
    }
    return schema;
  }

  /** Follows references; `allOf` with one item is how a description is added to one. */
  #resolve(value: unknown, depth = 0): Schema {
    const schema = fieldsIn(value);
    const reference = textIn(schema['$ref']) || textIn(fieldsIn(listIn(schema['allOf'])[0])['$ref']);
    if (!reference || depth > 8) return schema;
    return this.#resolve(this.#schemas[reference.split('/').at(-1) ?? ''], depth + 1);
  }
}

const childOf = (schema: Schema, name: string): unknown => {
  const properties = fieldsIn(schema['properties']);
  return Object.hasOwn(properties, name) ? properties[name] : schema['additionalProperties'];
};

function typeOf(schema: Schema): string {
  const type = textIn(schema['type']);
  return type === 'array' ? 'list' : type || 'value';
}

function hasType(value: unknown, type: string, schema: Schema): boolean {
  if (schema['x-kubernetes-int-or-string'] === true || schema['format'] === 'int-or-string')
    return typeof value === 'string' || Number.isInteger(value);
  switch (type) {
    case 'object':
      return isFields(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    case 'string':
      return typeof value === 'string' || schema['oneOf'] !== undefined;
    default:
      return true;
  }
}

/** The path of the mapping that a line of a YAML text belongs to, by indentation. */
export function pathAtLine(lines: readonly string[], index: number): Path {
  let stack: { readonly indent: number; readonly name: string }[] = [];
  for (let i = 0; i <= index; i++) {
    const line = lines[i] ?? '';
    if (line.startsWith('---')) stack = [];
    if (line.startsWith('---') || (i < index && /^\s*(#|$)/.test(line))) continue;
    let column = line.length - line.trimStart().length;
    for (let dash = /^-(\s+|$)/.exec(line.slice(column)); dash; dash = /^-(\s+|$)/.exec(line.slice(column))) {
      const at = column;
      // The dashes of a list may stand under the first letter of its field.
      stack = stack.filter(({ indent, name }) => indent < at || (indent === at && name !== '*'));
      stack.push({ indent: at, name: '*' });
      column += dash[0].length;
    }
    const own = column;
    stack = stack.filter(({ indent }) => indent < own);
    const name = keyOfLine(line.slice(column));
    if (i < index && name !== undefined) stack.push({ indent: column, name });
  }
  return stack.map(({ name }) => name);
}

/** The field that a line begins with, if it has its colon. */
export const keyOfLine = (text: string): string | undefined => /^\s*(?:- )*("?)([\w./-]+)\1:(?:\s|$)/.exec(text)?.[2];
