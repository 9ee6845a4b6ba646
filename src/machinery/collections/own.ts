import type { Fields } from '../parsed.ts';

/** Sets a field that a client named: `__proto__` is a name like any other. */
export function setOwn(object: object, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  else (object as Fields)[name] = value;
}

/** A field that a client named; undefined for inherited ones, such as `constructor`. */
export const getOwn = <T>(object: { readonly [field: string]: T } | null | undefined, name: string): T | undefined =>
  object !== null && object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;
