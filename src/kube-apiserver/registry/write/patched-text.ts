// A patched document in errors: Kubernetes sorts the fields of the objects that its patch library took apart.

import { setOwn } from '../../../machinery/collections/own.ts';
import { type Fields, fieldsIn, isFields } from '../../../machinery/parsed.ts';
import type { PatchForm } from './patching.ts';

interface GivenPatch {
  readonly type: PatchForm;
  readonly value: unknown;
}

export function patchedText(document: object, patch: GivenPatch | undefined): string {
  if (patch?.type === 'merge') return JSON.stringify(ordered(document, patch.value));
  const operations = patch?.type === 'json' && Array.isArray(patch.value) ? patch.value : [];
  return JSON.stringify(ordered(document, pointersOf(operations)));
}

/** The places of operations as one object, so that each part of the document is sorted once. */
function pointersOf(operations: readonly unknown[]): Fields {
  const root: Fields = {};
  for (const operation of operations)
    for (const field of ['path', 'from']) {
      const pointer = fieldsIn(operation)[field];
      if (typeof pointer !== 'string') continue;
      let at = root;
      for (const segment of pointer.split('/').slice(1, -1)) {
        const name = segment.replaceAll('~1', '/').replaceAll('~0', '~');
        if (!Object.hasOwn(at, name)) setOwn(at, name, {});
        at = at[name] as Fields;
      }
    }
  return root;
}

/** `value` with sorted fields where `parts` has an object. */
function ordered(value: unknown, parts: unknown): unknown {
  if (!isFields(parts)) return value;
  const inner = (name: string) => (Object.hasOwn(parts, name) ? parts[name] : undefined);
  if (Array.isArray(value)) return value.map((item, index) => ordered(item, inner(String(index))));
  if (!isFields(value)) return value;
  const out: Fields = {};
  for (const name of Object.keys(value).sort()) setOwn(out, name, ordered(value[name], inner(name)));
  return out;
}
