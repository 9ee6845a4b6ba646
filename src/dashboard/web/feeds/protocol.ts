// Messages between a page and the worker that holds the watches.

import type { Column, Row } from '../model/rows.ts';

/** One list with its watch. */
export interface FeedTarget {
  /** Path of the collection in the API. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Rows as the server's tables have them, or whole objects. */
  readonly as: 'table' | 'objects';
  /** A revision of the past: the list as it was then, without a watch. */
  readonly at?: number;
}

export const feedKey = ({ path, labelSelector = '', fieldSelector = '', as, at = 0 }: FeedTarget): string =>
  [as, path, labelSelector, fieldSelector, at].join('\n');

export type ToWorker =
  | { readonly type: 'hello'; readonly key: string }
  | { readonly type: 'alive' }
  | { readonly type: 'bye' }
  | { readonly type: 'open'; readonly feed: string; readonly target: FeedTarget }
  | { readonly type: 'close'; readonly feed: string };

export type FeedPhase =
  | { readonly name: 'loading' }
  | { readonly name: 'live' }
  /** All rows of the past are there. */
  | { readonly name: 'past' }
  /** The rows are old: the server does not answer (code 0), or with an error, and is tried again. */
  | { readonly name: 'stale'; readonly code: number; readonly message: string }
  /** There are no rows. */
  | { readonly name: 'failed'; readonly code: number; readonly message: string };

/** A row of a table, or an object with its key. */
export interface ObjectEntry {
  readonly key: string;
  readonly object: unknown;
}

export interface Update {
  readonly type: 'update';
  readonly feed: string;
  /** The former rows are no longer there. */
  readonly reset: boolean;
  readonly columns?: readonly Column[];
  readonly rows: readonly Row[];
  readonly objects: readonly ObjectEntry[];
  readonly removed: readonly string[];
  readonly phase: FeedPhase;
}

export type FromWorker =
  | Update
  | { readonly type: 'expired' }
  /** The page was silent for long: it opens its feeds again. */
  | { readonly type: 'forgotten' };
