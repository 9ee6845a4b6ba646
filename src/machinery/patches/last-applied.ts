// Migration between client-side and server-side apply: takes over the last-applied annotation as kubectl's server-side
// apply does.
// https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply

import { compareFields } from '../fields/compare-fields.ts';
import { difference, emptySet, type FieldSet, fieldsOf, union } from '../fields/field-set.ts';
import { fieldsIn, isFields } from '../parsed.ts';
import type { Schema } from '../schema.ts';
import { parseExact } from '../text/exact-json.ts';
import { byteLength } from '../text/names.ts';

const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
/** The only manager that this is for. */
export const kubectl = 'kubectl';
/** Bytes that all annotations of an object may have. */
const mostBytes = 256 << 10;

interface Described {
  metadata?: { annotations?: Record<string, string> };
}

/** The fields of `live` that equal kubectl's last applied ones: kubectl may take them over from any owner. */
export function fieldsLastApplied(live: Described | undefined, apiVersion: string, schema: Schema): FieldSet {
  const text = live?.metadata?.annotations?.[annotation];
  if (!text) return emptySet;
  try {
    const applied = parseExact(text);
    if (fieldsIn(applied)['apiVersion'] !== apiVersion) return emptySet;
    const { added, modified, removed } = compareFields(applied, live, schema);
    return difference(fieldsOf(applied, schema), union(union(added, modified), removed));
  } catch {
    return emptySet;
  }
}

/** Updates the annotation of `object`, if present, so that a later client-side apply works. */
export function refreshLastApplied(object: Described, applied: Described): void {
  if (!object.metadata?.annotations?.[annotation]) return;
  const { [annotation]: _, ...annotations } = object.metadata.annotations;
  const text = `${goJson(withoutAnnotation(applied))}\n`;
  object.metadata = { ...object.metadata, annotations };
  let bytes = byteLength(annotation + text);
  for (const [name, value] of Object.entries(annotations)) bytes += byteLength(name + value);
  if (bytes <= mostBytes) annotations[annotation] = text;
}

function withoutAnnotation(applied: Described): Described {
  if (!applied.metadata?.annotations) return applied;
  const { [annotation]: _, ...annotations } = applied.metadata.annotations;
  return { ...applied, metadata: { ...applied.metadata, annotations } };
}

const escapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** JSON as Go writes it: fields sorted, HTML characters escaped. */
const goJson = (value: unknown): string =>
  JSON.stringify(sorted(value)).replace(/[<>&\u2028\u2029]/g, (c) => escapes[c]);

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}
