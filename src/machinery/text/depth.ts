// The limit on nested data. Walks over data are recursive, so the stack bounds it, and Go's limit.

/** encoding/json's limit. */
const goDepth = 10_000;
/** Stack frames of the costliest walk (structuredClone) per level, with a reserve for its callers. */
const callsPerLevel = 8;

const calls = (): number => {
  try {
    return 1 + calls();
  } catch {
    return 1;
  }
};

/** Maximum nesting of objects and lists. Decoders reject deeper input. */
export let mostNested = Math.min(goDepth, Math.floor(calls() / callsPerLevel));

/** For a thread that has more stack than the one that it works for. */
export function limitNesting(most: number): void {
  mostNested = Math.min(mostNested, most);
}

export const tooDeep = 'exceeded max depth';

/** Whether a value is nested deeper than that; takes no stack itself. */
export function isTooDeep(value: unknown): boolean {
  let level: object[] = typeof value === 'object' && value !== null ? [value] : [];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === mostNested) return true;
    const below: object[] = [];
    for (const container of level)
      for (const inner of Object.values(container)) if (typeof inner === 'object' && inner !== null) below.push(inner);
    level = below;
  }
  return false;
}
