// The fields of a configuration, and their types.

const leaves = {
  string: (value: unknown) => typeof value === 'string',
  boolean: (value: unknown) => typeof value === 'boolean',
  integer: (value: unknown) => Number.isSafeInteger(value),
  'list of strings': (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  'map of strings': (value: unknown) =>
    isObject(value) && Object.values(value).every((item) => typeof item === 'string'),
  any: () => true,
} as const;

/** A tree: the type of a value, an array for a list of objects. */
export interface Shape {
  readonly [field: string]: keyof typeof leaves | Shape | readonly [Shape];
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every unknown field, and every value of another type. */
export function* shapeFaults(value: Record<string, unknown>, shape: Shape, path = ''): Generator<string> {
  for (const [field, part] of Object.entries(value)) {
    const at = path ? `${path}.${field}` : field;
    const expected = Object.hasOwn(shape, field) ? shape[field] : undefined;
    if (expected === undefined) yield `unknown field "${at}"`;
    else if (part === null) continue;
    else if (typeof expected === 'string')
      yield* leaves[expected](part) ? [] : [`${at} must be ${expected === 'integer' ? 'an' : 'a'} ${expected}`];
    else if (Array.isArray(expected)) yield* listFaults(part, expected[0], at);
    else if (isObject(part)) yield* shapeFaults(part, expected as Shape, at);
    else yield `${at} must be an object`;
  }
}

function* listFaults(value: unknown, shape: Shape, path: string): Generator<string> {
  if (!Array.isArray(value)) return void (yield `${path} must be a list`);
  for (const [index, item] of value.entries()) {
    if (isObject(item)) yield* shapeFaults(item, shape, `${path}[${index}]`);
    else yield `${path}[${index}] must be an object`;
  }
}
