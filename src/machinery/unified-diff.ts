// The difference of two texts, line by line, in the unified format with three lines of context.

interface Line {
  readonly kind: ' ' | '-' | '+';
  readonly text: string;
}

/** Empty when the texts are equal. */
export function unifiedDiff(before: string, after: string, context = 3): string {
  const lines = compare(before.split('\n'), after.split('\n'));
  const changed = lines.flatMap(({ kind }, index) => (kind === ' ' ? [] : [index]));
  const hunks: [start: number, end: number][] = [];
  for (const index of changed) {
    const last = hunks.at(-1);
    if (last && index - context <= last[1]) last[1] = Math.min(index + context + 1, lines.length);
    else hunks.push([Math.max(index - context, 0), Math.min(index + context + 1, lines.length)]);
  }
  return hunks.map(([start, end]) => hunkText(lines, start, end)).join('');
}

function hunkText(lines: readonly Line[], start: number, end: number): string {
  const count = (from: number, to: number, kinds: string) =>
    lines.slice(from, to).filter(({ kind }) => kinds.includes(kind)).length;
  const range = (kinds: string) => `${count(0, start, kinds) + 1},${count(start, end, kinds)}`;
  const body = lines.slice(start, end).map(({ kind, text }) => `${kind}${text}\n`);
  return `@@ -${range(' -')} +${range(' +')} @@\n${body.join('')}`;
}

/** By the longest common subsequence, removals before additions. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
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
