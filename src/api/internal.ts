// Formats structured values as Kubernetes prints them in messages: JSON of the internal type, with Go's field names and
// order, and no field omitted. The types are loaded at the first such fault.

import { type Fields, fieldsIn, listIn } from '../machinery/parsed.ts';
import { compareQuantities } from '../machinery/quantity.ts';
import { sameValue } from './fields.ts';
import { internalText } from './generated/internal.ts';

/** A field of an internal type: its printed name, its published name, and its type. */
type Field = readonly [goName: string, name: string, type: string];

let types: Record<string, readonly Field[] | string> | undefined;

/** Fields of the pod's spec that are fields of its security context internally. */
const moved = ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace', 'hostUsers'] as const;

/** A value of an internal type such as `core.PodSpec` or `[]core.Toleration`. */
export function internal(type: string, value: unknown): unknown {
  if (type.startsWith('*')) return value === undefined || value === null ? null : internal(type.slice(1), value);
  if (type.startsWith('[]')) return Array.isArray(value) ? value.map((item) => internal(type.slice(2), item)) : null;
  if (type.startsWith('map:')) return internalMap(type.slice(4), value);
  const zero = zeros[type];
  if (zero !== undefined) return value ?? zero;
  if (!type.includes('.')) return writtenForm(value ?? null);
  return internalStruct(type, fieldsIn(value));
}

const zeros: Readonly<Record<string, unknown>> = { s: '', b: false, n: 0, q: '0' };

function internalMap(type: string, value: unknown): unknown {
  if (value === undefined || value === null) return null;
  const map = fieldsIn(value);
  const keys = Object.keys(map).sort();
  return Object.fromEntries(keys.map((key) => [key, internal(type, map[key])]));
}

function internalStruct(type: string, value: Readonly<Fields>): unknown {
  const source = type === 'core.PodSpec' ? withMoved(value) : value;
  const out: Record<string, unknown> = {};
  for (const [goName, name, fieldType] of fieldsOf(type)) {
    if (fieldType === 'meta') Object.assign(out, writtenForm(source['metadata']));
    else out[goName] = internal(fieldType, source[name]);
  }
  return out;
}

function withMoved(spec: Readonly<Fields>): Readonly<Fields> {
  const own = Object.fromEntries(moved.map((field) => [field, spec[field]]));
  const { securityContext } = spec;
  const isGiven = securityContext || moved.some((field) => spec[field] !== undefined);
  return { ...spec, ...(isGiven && { securityContext: { ...own, ...fieldsIn(securityContext) } }) };
}

/** Values of published types are printed in their written form, which has no empty lists and maps. */
export function writtenForm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(writtenForm);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => !isEmptyList(field));
  return Object.fromEntries(fields.map(([name, field]) => [name, writtenForm(field)]));
}
const isEmptyList = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

const isNone = (value: unknown): boolean => value === undefined || value === null;

/** Equality as Kubernetes compares values of an internal type: a missing list or map equals an empty one. */
export const sameInternal = (type: string, a: unknown, b: unknown): boolean => sameValue(a, b) || sameType(type, a, b);

function sameType(type: string, a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (type.startsWith('*')) return isNone(a) || isNone(b) ? isNone(a) && isNone(b) : sameType(type.slice(1), a, b);
  if (type.startsWith('[]')) return sameLists(type.slice(2), listIn(a), listIn(b));
  if (type.startsWith('map:')) return sameMaps(type.slice(4), fieldsIn(a), fieldsIn(b));
  if (type === 'q' && typeof a === 'string' && typeof b === 'string') return compareQuantities(a, b) === 0;
  if (!type.includes('.')) return sameValue(internal(type, a), internal(type, b));
  const [left, right] = [a, b].map((value) => (type === 'core.PodSpec' ? withMoved(fieldsIn(value)) : fieldsIn(value)));
  return fieldsOf(type).every(([, name, fieldType]) =>
    fieldType === 'meta'
      ? sameValue(writtenForm(left['metadata'] ?? {}), writtenForm(right['metadata'] ?? {}))
      : sameType(fieldType, left[name], right[name]),
  );
}

const sameLists = (type: string, a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, index) => sameType(type, item, b[index]));

const sameMaps = (type: string, a: Readonly<Fields>, b: Readonly<Fields>): boolean =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.keys(a).every((key) => key in b && sameType(type, a[key], b[key]));

function fieldsOf(type: string): readonly Field[] {
  types ??= JSON.parse(internalText) as Record<string, string>;
  const found = types[type];
  if (found === undefined) throw new Error(`no internal type is named ${type}`);
  if (typeof found !== 'string') return found;
  const fields = found
    .split(' ')
    .filter(Boolean)
    .map((text): Field => {
      const at = text.indexOf(':');
      const [goName, name] = text.slice(0, at).split('=');
      return [goName, name ?? goName.charAt(0).toLowerCase() + goName.slice(1), text.slice(at + 1)];
    });
  types[type] = fields;
  return fields;
}
