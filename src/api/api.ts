// The room's front door: other rooms import from here only.
export * from './errors.ts';
export type * from './generated/types.ts';
export { resources } from './generated/types.ts';
export type * from './kind.ts';
export type * from '../machinery/schema.ts';

import type { ObjectMeta } from './generated/types.ts';

/** What a writer hands in: an object before the server filled in the rest. */
export type Draft<T> = T extends { metadata: ObjectMeta }
  ? Omit<Partial<T>, 'metadata'> & { metadata: Partial<ObjectMeta> }
  : Partial<T>;
