// Values whose type is known only once they are read: JSON, YAML, objects of any kind.

/** An object whose fields are read and set by name. */
export interface Fields {
  [field: string]: unknown;
}

/** An object, not a list. */
export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object without fields, or a list without items. */
export function isEmpty(value: object): boolean {
  // A loop over a list collects all of its indexes first.
  if (Array.isArray(value)) return value.length === 0;
  for (const _ in value) return false;
  return true;
}

export const isList = (value: unknown): value is unknown[] => Array.isArray(value);

/** The fields of a parsed value of any shape; none if it is not an object. */
export const fieldsIn = (value: unknown): Readonly<Fields> =>
  typeof value === 'object' && value !== null ? (value as Fields) : {};

/** The items of a parsed value of any shape; none if it is not a list. */
export const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** The text, or '' for a parsed value of another type. */
export const textIn = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A value whose type the compiler cannot see. `why` says how it is known, at every use. */
export const asserted = <T>(value: unknown, _why: string): T => value as T;

/** The fields of an object, for code that reads and sets them by name. */
export const fieldsOf = (object: object): Fields => object as Fields;
