// Lookup by name in immutable lists of any length.

interface Named {
  readonly name: string;
}

/** Searching a short list is faster than indexing it. */
const shortList = 16;
const indexes = new WeakMap<readonly Named[], Map<string, readonly Named[]>>();

/** All items of that name, in order. The list must not change any more. */
export function allNamed<T extends Named>(list: readonly T[] | undefined, name: string): readonly T[] {
  if (!list) return [];
  if (list.length <= shortList) return list.filter((item) => item.name === name);
  return (indexOf(list).get(name) as readonly T[] | undefined) ?? [];
}

/** The first item of that name. The list must not change any more. */
export function named<T extends Named>(list: readonly T[] | undefined, name: string): T | undefined {
  if (!list) return undefined;
  if (list.length <= shortList) return list.find((item) => item.name === name);
  return indexOf(list).get(name)?.[0] as T | undefined;
}

function indexOf(list: readonly Named[]): Map<string, readonly Named[]> {
  let index = indexes.get(list);
  if (!index) {
    index = Map.groupBy(list, (item) => item.name);
    indexes.set(list, index);
  }
  return index;
}
