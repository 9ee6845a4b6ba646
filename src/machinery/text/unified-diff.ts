// The difference of two texts, line by line, in the unified format with three lines of context.

interface Line {
  readonly kind: ' ' | '-' | '+';
  readonly text: string;
}

/** Maximum characters of a difference in a message. */
const mostText = 1 << 20;

/** Empty when the texts are equal; cut where it is very long. */
export function unifiedDiff(before: string, after: string, context = 3): string {
  const lines = compare(before.split('\n'), after.split('\n'));
  const changed = lines.flatMap(({ kind }, index) => (kind === ' ' ? [] : [index]));
  const hunks: [start: number, end: number][] = [];
  for (const index of changed) {
    const last = hunks.at(-1);
    if (last && index - context <= last[1]) last[1] = Math.min(index + context + 1, lines.length);
    else hunks.push([Math.max(index - context, 0), Math.min(index + context + 1, lines.length)]);
  }
  return hunkTexts(lines, hunks).join('').slice(0, mostText);
}

/** Each with the numbers of its first lines, counted on from the hunk before. */
function hunkTexts(lines: readonly Line[], hunks: readonly (readonly [start: number, end: number])[]): string[] {
  const first = { before: 1, after: 1 };
  let at = 0;
  const pass = (end: number) => {
    const passed = { before: 0, after: 0 };
    for (; at < end; at++) {
      if (lines[at].kind !== '+') passed.before++;
      if (lines[at].kind !== '-') passed.after++;
    }
    return passed;
  };
  const advance = ({ before, after }: typeof first) => {
    first.before += before;
    first.after += after;
  };
  return hunks.map(([start, end]) => {
    advance(pass(start));
    const { before, after } = first;
    const inside = pass(end);
    advance(inside);
    const body = lines.slice(start, end).map(({ kind, text }) => `${kind}${text}\n`);
    return `@@ -${range(before, inside.before)} +${range(after, inside.after)} @@\n${body.join('')}`;
  });
}

/** An empty range begins at the line before it. */
const range = (first: number, length: number): string =>
  length === 1 ? String(first) : `${length ? first : first - 1},${length}`;

/** Comparisons of lines that a difference may cost. */
const mostComparisons = 1 << 22;

/** By matching blocks, removals before additions; long texts are replaced as a whole. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  const lines: Line[] = [];
  const push = (kind: Line['kind'], texts: readonly string[]) => {
    for (const text of texts) lines.push({ kind, text });
  };
  let i = 0;
  let j = 0;
  for (const { from, to, size } of [
    ...matchingBlocks(before, after),
    { from: before.length, to: after.length, size: 0 },
  ]) {
    push('-', before.slice(i, from));
    push('+', after.slice(j, to));
    push(' ', before.slice(from, from + size));
    i = from + size;
    j = to + size;
  }
  return lines;
}

interface Block {
  readonly from: number;
  readonly to: number;
  readonly size: number;
}

/** As Python's difflib finds them: the longest run of equal lines first, then the same on both of its sides. */
function matchingBlocks(before: readonly string[], after: readonly string[]): Block[] {
  const finder = new RunFinder(before, after);
  const found: Block[] = [];
  const waiting = [{ a: 0, aEnd: before.length, b: 0, bEnd: after.length }];
  for (let part = waiting.pop(); part; part = waiting.pop()) {
    const block = finder.longest(part);
    if (!block.size) continue;
    found.push(block);
    waiting.push({ ...part, aEnd: block.from, bEnd: block.to });
    waiting.push({ ...part, a: block.from + block.size, b: block.to + block.size });
  }
  return found.sort((x, y) => x.from - y.from || x.to - y.to);
}

interface Part {
  readonly a: number;
  readonly aEnd: number;
  readonly b: number;
  readonly bEnd: number;
}

class RunFinder {
  readonly #before: readonly string[];
  readonly #after: readonly string[];
  readonly #places = new Map<string, number[]>();
  #left = mostComparisons;

  constructor(before: readonly string[], after: readonly string[]) {
    this.#before = before;
    this.#after = after;
    for (const [index, line] of after.entries()) {
      const places = this.#places.get(line);
      if (places) places.push(index);
      else this.#places.set(line, [index]);
    }
    // Lines that are everywhere begin no run.
    const popular = Math.floor(after.length / 100) + 1;
    if (after.length >= 200)
      for (const [line, places] of this.#places) if (places.length > popular) this.#places.delete(line);
  }

  longest({ a, aEnd, b, bEnd }: Part): Block {
    let [from, to, size] = [a, b, 0];
    let runs = new Map<number, number>();
    for (let i = a; i < aEnd && this.#left > 0; i++) {
      this.#left--;
      const next = new Map<number, number>();
      for (const j of this.#places.get(this.#before[i]) ?? []) {
        this.#left--;
        if (j < b) continue;
        if (j >= bEnd) break;
        const length = (runs.get(j - 1) ?? 0) + 1;
        next.set(j, length);
        if (length > size) [from, to, size] = [i - length + 1, j - length + 1, length];
      }
      runs = next;
    }
    const same = (i: number, j: number) => this.#before[i] === this.#after[j];
    while (from > a && to > b && same(from - 1, to - 1)) [from, to, size] = [from - 1, to - 1, size + 1];
    while (from + size < aEnd && to + size < bEnd && same(from + size, to + size)) size++;
    return { from, to, size };
  }
}
