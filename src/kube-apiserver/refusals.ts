// Refused writes, for the console: the user, the part of the server that refused, and its reason.

import type { WrittenPlace } from './kept-writes.ts';

export interface Refusal extends WrittenPlace {
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly user: string;
  readonly verb: string;
  readonly subresource: string;
  readonly code: number;
  readonly message: string;
  /** An admission plugin, "authorization", or "validation". */
  readonly by: string;
}

interface Refuser {
  readonly by: string;
  /** Of the object, where the path has none. */
  readonly name: string;
}

/** Errors do not say which part threw them. */
const refusers = new WeakMap<object, Refuser>();

/** Keeps the first part that is named for an error. */
export function refusedBy(error: unknown, by: string, name = ''): void {
  if (typeof error === 'object' && error !== null && !refusers.has(error)) refusers.set(error, { by, name });
}

export const refuserOf = (error: object): Refuser | undefined => refusers.get(error);
