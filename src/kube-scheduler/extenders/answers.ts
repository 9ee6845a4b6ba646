// Reads the answers of extenders, which may be wrong in every way. Names of fields match in upper and lower case, as in Go.

import { isObject } from '../../machinery/fields/configuration-shape.ts';

/** The extender does not answer, or its answer cannot be used. */
export class ExtenderError extends Error {
  override readonly name = 'ExtenderError';
}

const wrong = (expected: string): never => {
  throw new ExtenderError(`the answer of the extender is invalid: expected ${expected}`);
};

export const objectOf = (value: unknown): Readonly<Record<string, unknown>> =>
  isObject(value) ? value : wrong('an object');

/** Undefined for null, too. */
export function fieldsOf(value: unknown): (name: string) => unknown {
  const fields = new Map(Object.entries(objectOf(value ?? {})).map(([name, field]) => [name.toLowerCase(), field]));
  return (name) => fields.get(name.toLowerCase()) ?? undefined;
}

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : wrong('a list'));

export function textOf(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : wrong('a string');
}

export const namesOf = (value: unknown): string[] => listOf(value).map(textOf);

export const nameOfNode = (node: unknown): string => textOf(fieldsOf(fieldsOf(node)('metadata'))('name'));

export const reasonsOf = (value: unknown): ReadonlyMap<string, string> =>
  new Map(Object.entries(objectOf(value ?? {})).map(([node, reason]) => [node, textOf(reason)]));

export function integerOf(value: unknown): number {
  if (value === undefined) return 0;
  return Number.isSafeInteger(value) ? (value as number) : wrong('an integer');
}
