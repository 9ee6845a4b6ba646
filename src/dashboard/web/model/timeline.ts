// One timeline of an object: its events, its changes, the decision of the scheduler, marks of its log, and the last
// writes of each manager.

import { fieldsIn, isFields, listIn, textIn } from '../../../machinery/parsed.ts';
import type { Deletion } from './deletions.ts';
import { type FieldChange, fieldChanges } from './diff.ts';
import type { LogMark } from './log-marks.ts';
import { type Reason, reasonsOf } from './reasons.ts';
import type { Refusal } from './refusals.ts';

export type Moment =
  | {
      readonly kind: 'event';
      readonly key: string;
      readonly timeMs: number;
      readonly isWarning: boolean;
      readonly reason: string;
      readonly message: string;
      readonly source: string;
      readonly count: number;
    }
  | {
      readonly kind: 'change';
      readonly key: string;
      readonly timeMs: number;
      /** Those that wrote between both versions. */
      readonly managers: readonly string[];
      readonly changes: readonly FieldChange[];
      readonly reasons: readonly Reason[];
      readonly isCreation: boolean;
      readonly isDeletion: boolean;
      /** The state after the change. */
      readonly revision: number;
      /** Owner of a deleted object. */
      readonly owner: Owner | undefined;
    }
  | { readonly kind: 'decision'; readonly key: string; readonly timeMs: number; readonly decision: Decision }
  | { readonly kind: 'refusal'; readonly key: string; readonly timeMs: number; readonly refusal: Refusal }
  | { readonly kind: 'deletion'; readonly key: string; readonly timeMs: number; readonly deletion: Deletion }
  | { readonly kind: 'log'; readonly key: string; readonly timeMs: number; readonly mark: LogMark }
  | {
      readonly kind: 'write';
      readonly key: string;
      readonly timeMs: number;
      readonly manager: string;
      readonly operation: string;
      readonly subresource: string;
      /** Paths of the fields that this manager owns. */
      readonly fields: readonly string[];
    };

/** Of one time: the decision, the change that it led to, and the events about it. */
const rank: Readonly<Record<Moment['kind'], number>> = {
  write: 0,
  decision: 1,
  change: 2,
  deletion: 3,
  refusal: 4,
  event: 5,
  log: 6,
};

/** Changes of one time are ordered by their revisions. */
export function newestFirst(a: Moment, b: Moment): number {
  const revision = (one: Moment) => (one.kind === 'change' ? one.revision : 0);
  return b.timeMs - a.timeMs || rank[b.kind] - rank[a.kind] || revision(b) - revision(a);
}

interface Seen {
  readonly object: {
    readonly metadata: {
      readonly uid?: string;
      readonly resourceVersion?: string;
      readonly ownerReferences?: readonly Owner[];
    };
  };
  readonly seenMs: number;
  /** This version is that of its creation. */
  readonly isCreated?: boolean;
  readonly isDeleted: boolean;
}

export interface Owner {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

interface Managed {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fieldsV1?: unknown;
}

export function changesOf(versions: readonly Seen[]): Moment[] {
  return versions.flatMap((version, index): Moment[] => {
    const { isDeleted, isCreated = false } = version;
    const before = isCreated ? undefined : versions[index - 1];
    if (!before && !isCreated) return [];
    const changes = before ? fieldChanges(before.object, version.object) : [];
    if (changes.length === 0 && !isDeleted && !isCreated) return [];
    const { resourceVersion = '0', ownerReferences = [] } = version.object.metadata;
    return [
      {
        kind: 'change',
        key: `change ${resourceVersion} ${isDeleted}`,
        timeMs: version.seenMs,
        managers: managersOf(before?.object, version.object, changes),
        changes,
        reasons: before ? reasonsOf(before.object, version.object) : [],
        isCreation: isCreated,
        isDeletion: isDeleted,
        revision: Number(resourceVersion),
        owner: isDeleted ? ownerReferences[0] : undefined,
      },
    ];
  });
}

/** Times of managers are whole seconds: of two writes in one, the second is that of the fields' owners. */
function managersOf(before: unknown, after: unknown, changes: readonly FieldChange[]): string[] {
  const writers = writersBetween(before, after);
  if (writers.length > 0) return writers;
  const owners = managedIn(after).filter(({ fieldsV1 }) => {
    const owned = ownedPaths(fieldsV1);
    return changes.some(({ path }) => owned.some((prefix) => path.startsWith(prefix)));
  });
  return [...new Set(owners.map(({ manager = '' }) => manager))];
}

const managedIn = (object: unknown): Managed[] =>
  listIn(fieldsIn(fieldsIn(object)['metadata'])['managedFields']).map((entry) => {
    const { manager, operation, subresource, time, fieldsV1 } = fieldsIn(entry);
    const texts = { manager: textIn(manager), operation: textIn(operation), subresource: textIn(subresource) };
    return { ...texts, time: textIn(time), fieldsV1 };
  });

const managerKey = ({ manager = '', operation = '', subresource = '' }: Managed): string =>
  `${manager} ${operation} ${subresource}`;

/** Managers whose time differs, or that own more; all of them without a state before. Others lose fields to a writer. */
export function writersBetween(before: unknown, after: unknown): string[] {
  const old = new Map(managedIn(before).map((entry) => [managerKey(entry), entry]));
  const writers = managedIn(after).filter((entry) => {
    const former = old.get(managerKey(entry));
    const size = ({ fieldsV1 }: Managed) => JSON.stringify(fieldsV1 ?? {}).length;
    return !former || former.time !== entry.time || size(former) < size(entry);
  });
  return [...new Set(writers.map(({ manager = '' }) => manager))];
}

/** managedFields remember the last write of each manager, also from before the page was opened. */
export function writesOf(managed: readonly Managed[] = [], beforeMs: number): Moment[] {
  return managed.flatMap((entry): Moment[] => {
    const timeMs = Date.parse(entry.time ?? '');
    // Later ones are among the changes that the page has seen.
    if (Number.isNaN(timeMs) || timeMs > beforeMs) return [];
    const { manager = '', operation = '', subresource = '', fieldsV1 } = entry;
    return [
      {
        kind: 'write',
        key: `write ${managerKey(entry)}`,
        timeMs,
        manager,
        operation,
        subresource,
        fields: ownedPaths(fieldsV1),
      },
    ];
  });
}

/** The outermost fields that are owned: `f:spec` > `f:replicas` is spec.replicas. */
export function ownedPaths(fieldsV1: unknown, depth = 2): string[] {
  const paths: string[] = [];
  const walk = (value: unknown, path: string, left: number) => {
    const children = Object.entries(fieldsIn(value)).filter(([name]) => name.startsWith('f:'));
    if (left === 0 || children.length === 0) {
      if (path) paths.push(path);
      return;
    }
    for (const [name, child] of children)
      walk(isFields(child) ? child : {}, path ? `${path}.${name.slice(2)}` : name.slice(2), left - 1);
  };
  walk(fieldsV1, '', depth);
  return paths;
}

export interface Decision {
  readonly message: string;
  readonly node: string;
  readonly time: string;
  readonly evaluated: number;
  readonly total: number;
  readonly filtered: readonly { readonly node: string; readonly plugin: string; readonly reasons: readonly string[] }[];
  readonly ranked: readonly RankedNode[];
}

interface RankedNode {
  readonly node: string;
  readonly total: number;
  readonly scores: Readonly<Record<string, number>>;
}

/** Undefined: the scheduler has recorded none. */
export function decisionIn(answer: unknown): Decision | undefined {
  const decision = fieldsIn(answer)['decision'];
  if (!isFields(decision)) return undefined;
  const list = (name: string) => (Array.isArray(decision[name]) ? decision[name].map(fieldsIn) : []);
  return {
    ...{ message: textIn(decision['message']), node: textIn(decision['node']), time: textIn(decision['time']) },
    ...{ evaluated: Number(decision['evaluated'] ?? 0), total: Number(decision['total'] ?? 0) },
    filtered: list('filtered').map(({ node, plugin, reasons }) => ({
      ...{ node: textIn(node), plugin: textIn(plugin) },
      reasons: Array.isArray(reasons) ? reasons.map(textIn) : [],
    })),
    ranked: list('ranked').map(({ node, total, scores }) => ({
      ...{ node: textIn(node), total: Number(total) },
      scores: Object.fromEntries(Object.entries(fieldsIn(scores)).map(([name, score]) => [name, Number(score)])),
    })),
  };
}
