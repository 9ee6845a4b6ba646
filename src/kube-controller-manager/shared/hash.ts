// A stable name for a value, in the alphabet of generated names.

const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Sorts keys and omits null and undefined, so that equal objects have equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(
          Object.entries(inner)
            .filter(([, field]) => field !== null && field !== undefined)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      : inner,
  );
}

/** FNV-1a, 32 bits. */
function fnv32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** A decimal number in characters that form no words. */
const safeEncode = (hash: number): string =>
  [...String(hash)].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join('');

/** The hash of a template. `collisionCount` makes another one when the first was taken. */
export const podTemplateHash = (template: object, collisionCount?: number): string =>
  safeEncode(fnv32(canonicalJson(template) + (collisionCount ?? '')));
