// JSON Merge Patch, RFC 7396.

import { getOwn, setOwn } from '../collections/own.ts';

/** `target` with `patch` merged in; null removes a key. Neither is changed; unchanged parts are shared. */
export function applyMergePatch(target: any, patch: any): any {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const out: Record<string, any> =
    target !== null && typeof target === 'object' && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else setOwn(out, key, applyMergePatch(getOwn(out, key), value));
  }
  return out;
}
