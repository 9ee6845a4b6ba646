// One timeline of an object: its events, the changes that the page has seen, and the last writes of each manager.

import { fieldsIn, isFields, textIn } from '../../../machinery/parsed.ts';
import { type FieldChange, fieldChanges } from './diff.ts';

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
      readonly isDeletion: boolean;
    }
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

interface Seen {
  readonly object: {
    readonly metadata: { readonly resourceVersion?: string; readonly managedFields?: readonly Managed[] };
  };
  readonly seenMs: number;
  readonly isDeleted: boolean;
}

interface Managed {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fieldsV1?: unknown;
}

export function changesOf(versions: readonly Seen[]): Moment[] {
  return versions.slice(1).flatMap((version, index): Moment[] => {
    const before = versions[index];
    const changes = fieldChanges(before.object, version.object);
    if (changes.length === 0 && !version.isDeleted) return [];
    return [
      {
        kind: 'change',
        key: `change ${version.object.metadata.resourceVersion} ${version.isDeleted}`,
        timeMs: version.seenMs,
        managers: writersBetween(before, version),
        changes,
        isDeletion: version.isDeleted,
      },
    ];
  });
}

const managerKey = ({ manager = '', operation = '', subresource = '' }: Managed): string =>
  `${manager} ${operation} ${subresource}`;

/** Managers whose fields or time differ. */
function writersBetween({ object: before }: Seen, { object: after }: Seen): string[] {
  const old = new Map(before.metadata.managedFields?.map((entry) => [managerKey(entry), JSON.stringify(entry)]));
  const writers = (after.metadata.managedFields ?? []).filter(
    (entry) => old.get(managerKey(entry)) !== JSON.stringify(entry),
  );
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

export interface RankedNode {
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
