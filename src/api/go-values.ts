// JSON values as Go's decoder names them in its errors.

/** The Go decoder's name for the type of a JSON value. */
export const goTypeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : (goTypes[typeof value] ?? typeof value);

const goTypes: Readonly<Record<string, string>> = { boolean: 'bool', bigint: 'number' };

export const goNumber = (value: number) =>
  Math.abs(value) >= 1e21
    ? String(value).replace('e+', 'e+')
    : Number.isInteger(value)
      ? BigInt(value).toString()
      : String(value);
