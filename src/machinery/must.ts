/** The value, which other code or data guarantees. Throws an Error that names it if it is missing. */
export function must<T>(value: T | null | undefined, name: string): T {
  if (value === undefined || value === null) throw new Error(`missing ${name}`);
  return value;
}
