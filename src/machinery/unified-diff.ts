// The difference of two texts, line by line, in the unified format with three lines of context.

interface Line {
  readonly kind: ' ' | '-' | '+';
  readonly text: string;
}

/** Characters of a difference that a message shows. */
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
    return `@@ -${before},${inside.before} +${after},${inside.after} @@\n${body.join('')}`;
  });
}

/** Lines of one text times lines of the other: what the comparison takes in time and, four bytes each, in memory. */
const mostCells = 1 << 22;

/** By the longest common subsequence, removals before additions; what is too long for that is replaced as a whole. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  const left = Math.min(before.length, after.length) - head;
  while (tail < left && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const all = (kind: Line['kind'], texts: readonly string[]) => texts.map((text): Line => ({ kind, text }));
  const [old, now] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)];
  return [
    ...all(' ', before.slice(0, head)),
    ...(old.length * now.length > mostCells ? [...all('-', old), ...all('+', now)] : subsequence(old, now)),
    ...all(' ', before.slice(before.length - tail)),
  ];
}

function subsequence(before: readonly string[], after: readonly string[]): Line[] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint32Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      lengths[i][j] =
        before[i] === after[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ kind: ' ', text: before[i++] });
      j++;
    } else if (i < before.length && (j === after.length || lengths[i + 1][j] >= lengths[i][j + 1]))
      lines.push({ kind: '-', text: before[i++] });
    else lines.push({ kind: '+', text: after[j++] });
  }
  return lines;
}
