// Lookup by name in immutable lists of any length.

interface Named {
  readonly name: string;
}

/** Searching a short list is faster than indexing it. */
const shortList = 16;
const indexes = new WeakMap<readonly Named[], Index>();

/** Most names are unique: an array for each of thousands would cost more than the rest. */
interface Index {
  readonly first: ReadonlyMap<string, Named>;
  /** All items of names that several have. */
  readonly several: ReadonlyMap<string, readonly Named[]>;
}

/** All items of that name, in order. The list must not change any more. */
export function allNamed<T extends Named>(list: readonly T[] | undefined, name: string): readonly T[] {
  if (!list) return [];
  if (list.length <= shortList) return list.filter((item) => item.name === name);
  const { first, several } = indexOf(list);
  const all = several.get(name) as readonly T[] | undefined;
  if (all) return all;
  const only = first.get(name) as T | undefined;
  return only ? [only] : [];
}

/** The first item of that name. The list must not change any more. */
export function named<T extends Named>(list: readonly T[] | undefined, name: string): T | undefined {
  if (!list) return undefined;
  if (list.length <= shortList) return list.find((item) => item.name === name);
  return indexOf(list).first.get(name) as T | undefined;
}

function indexOf(list: readonly Named[]): Index {
  let index = indexes.get(list);
  if (!index) indexes.set(list, (index = makeIndex(list)));
  return index;
}

function makeIndex(list: readonly Named[]): Index {
  const first = new Map<string, Named>();
  const several = new Map<string, Named[]>();
  for (const item of list) {
    const { name } = item;
    const before = first.get(name);
    if (!before) {
      first.set(name, item);
      continue;
    }
    const all = several.get(name);
    if (all) all.push(item);
    else several.set(name, [before, item]);
  }
  return { first, several };
}
