// Rows of a list as the page shows them: filtered by name, sorted by a column, and the part of them that is visible.

import { compareText } from '../../../machinery/collections/in-order.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  /** 0: always shown. */
  readonly priority: number;
}

export type Cell = string | number | boolean | null;

export interface Row {
  /** The uid, or the name. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly cells: readonly Cell[];
  /** Milliseconds since the epoch; 0: unknown. */
  readonly created: number;
  readonly isDeleting: boolean;
}

export interface Order {
  /** Index of the column; -1: the namespace, and then the name. */
  readonly column: number;
  readonly isDescending: boolean;
}

export function arrange(
  rows: Iterable<Row>,
  columns: readonly Column[],
  names: readonly string[],
  order: Order,
): readonly Row[] {
  const shown: Row[] = [];
  for (const row of rows) if (isNamed(row, names)) shown.push(row);
  return shown.sort(orderOf(columns, order));
}

export interface RowChange {
  /** Undefined: the row is new. */
  readonly before: Row | undefined;
  /** Undefined: the row is gone. */
  readonly after: Row | undefined;
}

/**
 * Rows that `arrange` has arranged, with some of them changed: the cost of sorting is that of the changes alone. Undefined
 * when a row is not found in its place.
 */
export function rearrange(
  rows: readonly Row[],
  changes: Iterable<RowChange>,
  columns: readonly Column[],
  names: readonly string[],
  order: Order,
): readonly Row[] | undefined {
  const compare = orderOf(columns, order);
  const gone: number[] = [];
  const fresh: Row[] = [];
  for (const { before, after } of changes) {
    if (before && isNamed(before, names)) {
      const index = indexOf(rows, before, compare);
      if (index < 0) return undefined;
      gone.push(index);
    }
    if (after && isNamed(after, names)) fresh.push(after);
  }
  gone.sort((a, b) => a - b);
  let begin = 0;
  const kept: Row[][] = [];
  for (const index of gone) {
    kept.push(rows.slice(begin, index));
    begin = index + 1;
  }
  kept.push(rows.slice(begin));
  return merged(kept.flat(), fresh.sort(compare), compare);
}

/** Rows of one name, of a former object and its successor, are neighbours. */
function indexOf(rows: readonly Row[], row: Row, compare: Compare): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(rows[middle], row) < 0) low = middle + 1;
    else high = middle;
  }
  for (; low < rows.length && compare(rows[low], row) === 0; low++) if (rows[low] === row) return low;
  return -1;
}

function merged(a: readonly Row[], b: readonly Row[], compare: Compare): readonly Row[] {
  const parts: (readonly Row[])[] = [];
  let begin = 0;
  for (const row of b) {
    let low = begin;
    let high = a.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(a[middle], row) <= 0) low = middle + 1;
      else high = middle;
    }
    parts.push(a.slice(begin, low), [row]);
    begin = low;
  }
  parts.push(a.slice(begin));
  return parts.flat();
}

function isNamed(row: Row, names: readonly string[]): boolean {
  const name = names.length > 0 ? row.name.toLowerCase() : '';
  return names.every((part) => name.includes(part));
}

function orderOf(columns: readonly Column[], { column, isDescending }: Order): Compare {
  const compare = comparison(columns[column], column);
  const sign = isDescending ? -1 : 1;
  return (a, b) => sign * compare(a, b) || byName(a, b);
}

type Compare = (a: Row, b: Row) => number;

const byName: Compare = (a, b) => compareText(a.namespace, b.namespace) || compareText(a.name, b.name);

function comparison(column: Column | undefined, index: number): Compare {
  if (!column) return byName;
  // An age grows while the time of creation stays: the newest has the lowest age.
  if (isAge(column)) return (a, b) => b.created - a.created;
  return (a, b) => {
    const [x, y] = [a.cells[index] ?? '', b.cells[index] ?? ''];
    const [m, n] = [numberOf(x), numberOf(y)];
    if (m !== undefined && n !== undefined && m !== n) return m - n;
    return compareText(String(x), String(y));
  };
}

/** The number that a cell begins with: `3`, `12 (5m ago)`, `2/3`. */
function numberOf(cell: Cell): number | undefined {
  if (typeof cell === 'number') return cell;
  const match = typeof cell === 'string' ? /^-?\d+(\.\d+)?(?=$|[\s/%])/.exec(cell) : null;
  return match ? Number(match[0]) : undefined;
}

/** The server's text is as old as the list: the page counts the age itself. */
export const isAge = ({ name }: Pick<Column, 'name'>): boolean => name === 'Age' || name === 'Created At';

interface Window {
  readonly first: number;
  /** Exclusive. */
  readonly end: number;
}

/** The rows to draw: the visible ones, and a few around them for smooth scrolling. */
export function windowOf(total: number, rowHeight: number, scrollTop: number, height: number, spare = 8): Window {
  const first = Math.min(Math.max(0, Math.floor(scrollTop / rowHeight) - spare), Math.max(0, total - 1));
  return { first, end: Math.min(total, Math.ceil((scrollTop + height) / rowHeight) + spare) };
}

const shortest = 5;
const longest = 44;
const sampled = 200;

/** Widths of a grid, the same for each row: by the longest of the first texts of each column. */
export function gridColumns(
  columns: readonly { readonly name: string }[],
  texts: readonly (readonly string[])[],
): string {
  return columns
    .map(({ name }, index) => {
      const lengths = texts.slice(0, sampled).map((row) => row[index]?.length ?? 0);
      const length = Math.min(longest, Math.max(shortest, name.length + 2, ...lengths));
      return `minmax(${Math.min(length, 22)}ch, ${length}fr)`;
    })
    .join(' ');
}
