// How large values can be: types with the limits that a schema gives them. Costs are estimated from it.

import type { Type } from '../types.ts';

export interface SizedType {
  readonly type: Type;
  /** Characters, bytes, items or entries; 0 for all other types. */
  readonly maxElements: number;
  /** Smallest size in bytes as JSON. */
  readonly minSize: number;
  readonly fields?: ReadonlyMap<string, SizedType>;
  /** All fields that are not in `fields`. */
  readonly otherFields?: SizedType;
  readonly key?: SizedType;
  readonly element?: SizedType;
}

/** The type at a path below the root: field names, `@items`, `@values`, `@keys`. The path's first step is a variable. */
export function sizedAt(root: SizedType, path: readonly string[]): SizedType | undefined {
  let at: SizedType | undefined = root;
  for (const step of path.slice(1)) {
    if (step === '@items' || step === '@values') at = at.element;
    else if (step === '@keys') at = at.key;
    else at = at.fields?.get(step) ?? at.otherFields;
    if (!at) return undefined;
  }
  return at;
}
