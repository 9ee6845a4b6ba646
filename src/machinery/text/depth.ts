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

/** Levels that any stack has room for. */
export const shallow = 500;

let limit = goDepth;
let measured: number | undefined;

/** Maximum nesting of objects and lists. Decoders reject deeper input. Its measurement takes 30 ms and 6 MB of stack. */
export function mostNested(): number {
  measured ??= Math.floor(calls() / callsPerLevel);
  return Math.min(limit, measured);
}

/** Whether data of this depth is too deep. */
export const isTooDeepAt = (depth: number): boolean => depth > shallow && depth > mostNested();

/** For a thread that has more stack than the one that it works for. */
export function limitNesting(most: number): void {
  limit = Math.min(limit, most);
}

export const tooDeep = 'exceeded max depth';

/** Whether a value is nested deeper than that; takes no stack itself. */
export function isTooDeep(value: unknown): boolean {
  let level: object[] = typeof value === 'object' && value !== null ? [value] : [];
  for (let depth = 0; level.length > 0; depth++) {
    if (isTooDeepAt(depth + 1)) return true;
    const below: object[] = [];
    for (const container of level)
      for (const inner of Object.values(container)) if (typeof inner === 'object' && inner !== null) below.push(inner);
    level = below;
  }
  return false;
}
