// A patched document in errors: Kubernetes sorts the fields of the objects that its patch library took apart.

import { type Fields, fieldsIn, isFields } from '../../../machinery/parsed.ts';
import type { PatchForm } from './patching.ts';

interface GivenPatch {
  readonly type: PatchForm;
  readonly value: unknown;
}

export function patchedText(document: object, patch: GivenPatch | undefined): string {
  if (patch?.type === 'merge') return JSON.stringify(mergeOrder(document, patch.value));
  let ordered: unknown = sorted(fieldsIn(document));
  if (patch?.type === 'json' && Array.isArray(patch.value))
    for (const operation of patch.value)
      for (const pointer of [fieldsIn(operation)['path'], fieldsIn(operation)['from']])
        if (typeof pointer === 'string')
          ordered = pointerOrder(ordered, pointer.split('/').slice(1, -1).map(unescaped));
  return JSON.stringify(ordered);
}

const unescaped = (segment: string) => segment.replaceAll('~1', '/').replaceAll('~0', '~');

const sorted = (object: Readonly<Fields>): Fields =>
  Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)));

function mergeOrder(value: unknown, patch: unknown): unknown {
  if (!isFields(value) || !isFields(patch)) return value;
  const entries = Object.entries(sorted(value));
  return Object.fromEntries(entries.map(([name, inner]) => [name, mergeOrder(inner, patch[name])]));
}

function pointerOrder(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (Array.isArray(value))
    return name === undefined
      ? value
      : value.map((item, index) => (String(index) === name ? pointerOrder(item, rest) : item));
  if (!isFields(value)) return value;
  const entries = Object.entries(sorted(value));
  return Object.fromEntries(entries.map(([key, inner]) => [key, key === name ? pointerOrder(inner, rest) : inner]));
}
