// JSON Merge Patch, RFC 7396.

import { getOwn, setOwn } from '../collections/own.ts';
import { type Fields, isFields } from '../parsed.ts';

/** `target` with `patch` merged in; null removes a key. Neither is changed; unchanged parts are shared. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const out: Fields = target !== null && typeof target === 'object' && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else setOwn(out, key, applyMergePatch(getOwn(out, key), value));
  }
  return out;
}
