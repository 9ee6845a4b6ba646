// Objects as YAML texts and back. Loaded when a view needs it.

import { parseAllDocuments, parseDocument, stringify } from 'yaml';
import { fieldsIn } from '../../../machinery/parsed.ts';

/** Fields come in the order in which Kubernetes writes them. */
const firstFields = [
  'apiVersion',
  'kind',
  'metadata',
  'type',
  'spec',
  'data',
  'stringData',
  'rules',
  'roleRef',
  'subjects',
];

export function toYaml(object: object, { managedFields = false } = {}): string {
  const fields = fieldsIn(object);
  const { managedFields: managed, ...metadata } = fieldsIn(fields['metadata']);
  const shown = { ...fields, metadata: managedFields && managed ? { ...metadata, managedFields: managed } : metadata };
  return stringify(ordered(shown), { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' });
}

/** A value of any shape. */
export const yamlText = (value: unknown): string =>
  stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' });

function ordered(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { status, ...others } = fields;
  const first = firstFields.filter((name) => others[name] !== undefined);
  const rest = Object.keys(others).filter((name) => !first.includes(name));
  return {
    ...Object.fromEntries([...first, ...rest].map((name) => [name, others[name]])),
    ...(status !== undefined && { status }),
  };
}

export type ParsedYaml =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly message: string; readonly offset: number };

/** One document whose top is an object. */
export function fromYaml(text: string): ParsedYaml {
  const document = parseDocument(text, { version: '1.1', schema: 'core' });
  const [error] = document.errors;
  if (error) return { ok: false, message: error.message.split('\n')[0], offset: error.pos[0] };
  const value: unknown = document.toJS({ maxAliasCount: 100 });
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { ok: false, message: 'an object needs apiVersion, kind and metadata', offset: 0 };
  return { ok: true, value: fieldsIn(value) };
}

const mostDocuments = 200;

/** The values of all documents that are not empty. Throws with the first fault of the syntax. */
export function documentsIn(text: string): unknown[] {
  const documents = parseAllDocuments(text, { version: '1.1', schema: 'core' });
  if (!Array.isArray(documents)) return [];
  if (documents.length > mostDocuments) throw new Error(`a text has at most ${mostDocuments} documents`);
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error) throw new Error(error.message.split('\n')[0]);
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return value === null ? [] : [value];
  });
}
