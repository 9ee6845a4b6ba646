// The differences between two moments, from the events in between.

import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { type FieldChange, fieldChanges } from './diff.ts';
import type { Mark, Moment } from './history.ts';
import { writersBetween } from './timeline.ts';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: unknown;
}

export interface Touched {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** Whether it was there at the first moment, and at the last. */
  readonly wasThere: boolean;
  readonly isThere: boolean;
  /** Its newest state. */
  readonly object: unknown;
}

/** The objects that events touched; those that came and went in between are left out. */
export function touchedBy(events: readonly WatchEvent[]): readonly Touched[] {
  const found = new Map<string, Touched>();
  for (const { type, object } of events) {
    const { uid, namespace, name } = fieldsIn(fieldsIn(object)['metadata']);
    const key = textIn(uid) || `${textIn(namespace)}/${textIn(name)}`;
    const before = found.get(key);
    found.set(key, {
      ...{ key, object, namespace: textIn(namespace), name: textIn(name) },
      wasThere: before ? before.wasThere : type !== 'ADDED',
      isThere: type !== 'DELETED',
    });
  }
  return [...found.values()].filter(({ wasThere, isThere }) => wasThere || isThere);
}

export interface ObjectChange {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly kind: 'added' | 'changed' | 'deleted';
  readonly changes: readonly FieldChange[];
  readonly managers: readonly string[];
}

/** `before`: the states at the first moment, by key. Objects without a difference are left out. */
export function objectChanges(touched: readonly Touched[], before: ReadonlyMap<string, unknown>): ObjectChange[] {
  const found = touched.flatMap((one): ObjectChange[] => {
    const { key, namespace, name, wasThere, isThere, object } = one;
    const kind = isThere ? (wasThere ? 'changed' : 'added') : 'deleted';
    const old = before.get(key);
    const changes = kind === 'changed' && old !== undefined ? fieldChanges(old, object) : [];
    if (kind === 'changed' && old !== undefined && changes.length === 0) return [];
    return [{ ...{ key, namespace, name, kind, changes }, managers: writersBetween(old, object) }];
  });
  return found.sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
}

/** The state at a time, by the histories of several resources: that after their last change before it. */
export function momentAt(
  histories: readonly { readonly since: Moment; readonly marks: readonly Mark[] }[],
  timeMs: number,
): Moment {
  const revisions = histories.map(
    ({ since, marks }) => (marks.findLast((mark) => mark.timeMs <= timeMs) ?? since).revision,
  );
  return { revision: Math.max(0, ...revisions), timeMs };
}

/** The marks of several resources as those of one, at most `most`. */
export function mergedMarks(lists: readonly (readonly Mark[])[], beginMs: number, endMs: number, most = 240): Mark[] {
  const stepMs = Math.max(1, (endMs - beginMs) / most);
  const merged = new Map<number, Mark>();
  for (const mark of lists.flat()) {
    if (mark.timeMs < beginMs) continue;
    const step = Math.floor((mark.timeMs - beginMs) / stepMs);
    const { added = 0, changed = 0, deleted = 0, revision = 0, timeMs = 0 } = merged.get(step) ?? {};
    merged.set(step, {
      ...{ added: added + mark.added, changed: changed + mark.changed, deleted: deleted + mark.deleted },
      revision: Math.max(revision, mark.revision),
      timeMs: Math.max(timeMs, mark.timeMs),
    });
  }
  return [...merged.values()].sort((a, b) => a.timeMs - b.timeMs);
}

export const countOf = ({ added, changed, deleted }: Mark): number => added + changed + deleted;
