// Differences of two texts by lines (Myers' algorithm), and of two objects by fields.

import { isFields } from '../../../machinery/parsed.ts';

export interface DiffLine {
  readonly kind: 'same' | 'added' | 'removed' | 'gap';
  readonly text: string;
}

/** Beyond this number of differences, the rest counts as replaced: the search takes the square of it. */
const mostEdits = 2_000;

/** Whole lines; unchanged parts are cut to `context` lines around the changes. */
export function diffLines(before: string, after: string, context = 3): DiffLine[] {
  return shortened(compare(before.split('\n'), after.split('\n')), context);
}

function compare(a: readonly string[], b: readonly string[]): DiffLine[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const middle = edits(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))];
}

const same = (lines: readonly string[]): DiffLine[] => lines.map((text) => ({ kind: 'same', text }));

/** `furthest[k]` is the furthest line of `a` on diagonal k = x - y after a number of edits. */
function edits(a: readonly string[], b: readonly string[]): DiffLine[] {
  const trace: Map<number, number>[] = [];
  let furthest = new Map([[1, 0]]);
  for (let d = 0; d <= Math.min(a.length + b.length, mostEdits); d++) {
    trace.push(furthest);
    const next = new Map(furthest);
    for (let k = -d; k <= d; k += 2) {
      let x = goesDown(furthest, k, d) ? at(furthest, k + 1) : at(furthest, k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trace);
    }
    furthest = next;
  }
  return [
    ...a.map((text): DiffLine => ({ kind: 'removed', text })),
    ...b.map((text): DiffLine => ({ kind: 'added', text })),
  ];
}

const at = (furthest: ReadonlyMap<number, number>, k: number): number => furthest.get(k) ?? -1;

const goesDown = (furthest: ReadonlyMap<number, number>, k: number, d: number): boolean =>
  k === -d || (k !== d && at(furthest, k - 1) < at(furthest, k + 1));

function walkBack(a: readonly string[], b: readonly string[], trace: readonly ReadonlyMap<number, number>[]) {
  const lines: DiffLine[] = [];
  let [x, y] = [a.length, b.length];
  for (let d = trace.length - 1; d >= 0; d--) {
    const furthest = trace[d];
    const k = x - y;
    const previousK = goesDown(furthest, k, d) ? k + 1 : k - 1;
    const previousX = d === 0 ? 0 : at(furthest, previousK);
    const previousY = d === 0 ? 0 : previousX - previousK;
    while (x > previousX && y > previousY) {
      lines.push({ kind: 'same', text: a[--x] });
      y--;
    }
    if (d === 0) break;
    if (x === previousX) lines.push({ kind: 'added', text: b[--y] });
    else lines.push({ kind: 'removed', text: a[--x] });
  }
  return lines.reverse();
}

function shortened(lines: readonly DiffLine[], context: number): DiffLine[] {
  const isNear = new Uint8Array(lines.length);
  for (const [index, { kind }] of lines.entries())
    if (kind !== 'same') isNear.fill(1, Math.max(0, index - context), index + context + 1);
  const shown: DiffLine[] = [];
  for (const [index, line] of lines.entries())
    if (isNear[index]) shown.push(line);
    else if (shown.at(-1)?.kind !== 'gap' && isNear.includes(1)) shown.push({ kind: 'gap', text: '' });
  return shown;
}

export interface FieldChange {
  /** Such as spec.template.spec.containers[0].image. */
  readonly path: string;
  /** Undefined: the field is new. */
  readonly before: unknown;
  /** Undefined: the field is removed. */
  readonly after: unknown;
}

/** Items of lists with these fields are compared by them. */
const listKeys = ['name', 'type', 'ip', 'containerPort', 'port', 'uid', 'key'];

/** The fields that differ, without those that change with every write. */
export function fieldChanges(before: unknown, after: unknown): FieldChange[] {
  const found: FieldChange[] = [];
  collect(before, after, '', found);
  return found.filter(({ path }) => !ignored.test(path));
}

const ignored = /^metadata\.(managedFields|resourceVersion|generation)\b/;

function collect(before: unknown, after: unknown, path: string, found: FieldChange[]): void {
  if (before === after) return;
  if (isFields(before) && isFields(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
      collect(before[name], after[name], join(path, name), found);
    return;
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const key = keyOf([...before, ...after]);
    if (key) return collectKeyed(before, after, key, path, found);
    for (let index = 0; index < Math.max(before.length, after.length); index++)
      collect(before[index], after[index], `${path}[${index}]`, found);
    return;
  }
  if (JSON.stringify(before) !== JSON.stringify(after)) found.push({ path, before, after });
}

function collectKeyed(before: unknown[], after: unknown[], key: string, path: string, found: FieldChange[]): void {
  const byKey = (items: unknown[]) => new Map(items.filter(isFields).map((item) => [String(item[key]), item] as const));
  const [old, current] = [byKey(before), byKey(after)];
  for (const name of new Set([...old.keys(), ...current.keys()]))
    collect(old.get(name), current.get(name), `${path}[${name}]`, found);
}

function keyOf(items: readonly unknown[]): string | undefined {
  return listKeys.find((key) => items.every((item) => isFields(item) && item[key] !== undefined));
}

const join = (path: string, name: string): string =>
  /^[\w-]+$/.test(name) ? (path ? `${path}.${name}` : name) : `${path}["${name}"]`;
