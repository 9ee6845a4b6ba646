// The server's OpenAPI v3 documents, one for each group and version, fetched when an editor needs them.

import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { getJson } from '../api/api.ts';
import { type Schema, SchemaDocument } from '../model/schema.ts';

export interface KindSchema {
  readonly document: SchemaDocument;
  readonly root: Schema;
}

let index: Promise<unknown> | undefined;
const documents = new Map<string, Promise<SchemaDocument | undefined>>();

/** Undefined: the server has no schema for it, or the user may not read it. */
export async function schemaOf(apiVersion: string, kind: string): Promise<KindSchema | undefined> {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const path = group ? `apis/${group}/${version}` : `api/${version}`;
  const existing = documents.get(path) ?? load(path);
  documents.set(path, existing);
  const document = await existing;
  const root = document?.ofKind(group, version, kind);
  return document && root && { document, root };
}

async function load(path: string): Promise<SchemaDocument | undefined> {
  try {
    index ??= getJson('/openapi/v3');
    const url = textIn(fieldsIn(fieldsIn(fieldsIn(await index)['paths'])[path])['serverRelativeURL']);
    return url ? new SchemaDocument(await getJson(url)) : undefined;
  } catch {
    index = undefined;
    documents.delete(path);
    return undefined;
  }
}

/** The schema of the document in which a line is. */
export function schemaOfText(text: string, line: number): Promise<KindSchema | undefined> {
  const lines = text.split('\n');
  let start = line;
  while (start > 0 && !lines[start].startsWith('---')) start--;
  const rest = lines.slice(lines[start].startsWith('---') ? start + 1 : start);
  const end = rest.findIndex((one) => one.startsWith('---'));
  const own = end < 0 ? rest : rest.slice(0, end);
  const field = (name: string) =>
    own.map((one) => new RegExp(`^${name}:\\s*["']?([\\w./-]+)`).exec(one)?.[1]).find((value) => value !== undefined) ??
    '';
  const [apiVersion, kind] = [field('apiVersion'), field('kind')];
  return apiVersion && kind ? schemaOf(apiVersion, kind) : Promise.resolve(undefined);
}
