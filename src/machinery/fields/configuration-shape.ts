// The fields of a configuration or of another server's answer, and their types.

const isStrings = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string');

const leaves = {
  string: (value: unknown) => typeof value === 'string',
  boolean: (value: unknown) => typeof value === 'boolean',
  integer: (value: unknown) => Number.isSafeInteger(value),
  'list of strings': isStrings,
  'map of strings': (value: unknown) =>
    isObject(value) && Object.values(value).every((item) => typeof item === 'string'),
  'map of lists of strings': (value: unknown) => isObject(value) && Object.values(value).every(isStrings),
  any: () => true,
} as const;

/** A tree: the type of a value, an array for a list of objects. */
export interface Shape {
  readonly [field: string]: keyof typeof leaves | Shape | readonly [Shape];
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value without fields that are null: they count as left out. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const kept = Object.entries(value).filter(([, part]) => part !== null);
  return Object.fromEntries(kept.map(([field, part]) => [field, withoutNulls(part)]));
}

interface ShapeOptions {
  /** Of the value; default: it is the root. */
  readonly path?: string;
  readonly ignoresUnknown?: boolean;
}

/** Every unknown field, and every value of another type. */
export function* shapeFaults(
  value: Record<string, unknown>,
  shape: Shape,
  { path = '', ignoresUnknown = false }: ShapeOptions = {},
): Generator<string> {
  for (const [field, part] of Object.entries(value)) {
    const at = { path: path ? `${path}.${field}` : field, ignoresUnknown };
    const expected = Object.hasOwn(shape, field) ? shape[field] : undefined;
    if (expected === undefined) yield* ignoresUnknown ? [] : [`unknown field "${at.path}"`];
    else if (part === null) continue;
    else if (typeof expected === 'string')
      yield* leaves[expected](part) ? [] : [`${at.path} must be ${expected === 'integer' ? 'an' : 'a'} ${expected}`];
    else if (Array.isArray(expected)) yield* listFaults(part, expected[0], at);
    else if (isObject(part)) yield* shapeFaults(part, expected as Shape, at);
    else yield `${at.path} must be an object`;
  }
}

function* listFaults(value: unknown, shape: Shape, at: Required<ShapeOptions>): Generator<string> {
  if (!Array.isArray(value)) return void (yield `${at.path} must be a list`);
  for (const [index, item] of value.entries()) {
    const path = `${at.path}[${index}]`;
    if (isObject(item)) yield* shapeFaults(item, shape, { ...at, path });
    else yield `${path} must be an object`;
  }
}
