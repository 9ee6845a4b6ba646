// Paths into objects: those of the downward API (`metadata.labels['a/b']`) and plain dotted ones.

/** The parts of `spec.containers[0].name` or `metadata.annotations['a.b/c']`: names and indexes. */
export function pathSegments(path: string): (string | number)[] {
  const segments: (string | number)[] = [];
  for (const match of path.matchAll(/([^.[\]]+)|\[(\d+)\]|\[(?:'([^']*)'|"([^"]*)")\]/g)) {
    if (match[2] !== undefined) segments.push(Number(match[2]));
    else segments.push(match[1] ?? match[3] ?? match[4]);
  }
  return segments;
}

/** The value at a path, undefined where something on the way is missing. */
export function valueAt(object: unknown, path: string | readonly (string | number)[]): unknown {
  let value = object;
  for (const segment of typeof path === 'string' ? pathSegments(path) : path) {
    if (value === null || value === undefined) return undefined;
    value = (value as Record<string | number, unknown>)[segment];
  }
  return value;
}

/** `metadata.annotations['x']` -> { path: 'metadata.annotations', subscript: 'x' }; other paths have no subscript. */
export function splitSubscript(path: string): { path: string; subscript?: string } {
  const match = /^(.*)\['(.*)'\]$/.exec(path);
  return match ? { path: match[1], subscript: match[2] } : { path };
}
