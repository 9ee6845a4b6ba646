/** The fields of a parsed value of any shape; none if it is not an object. */
export const fieldsIn = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** The text, or '' for a parsed value of another type. */
export const textIn = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The fields of an object, for code that reads and sets them by name. */
export const fieldsOf = (object: object): Record<string, unknown> => object as Record<string, unknown>;
