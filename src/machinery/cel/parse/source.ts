// Faults of an expression with the place in its text, as cel-go shows them.

export interface Fault {
  /** Offset in UTF-16 units; -1 for a fault of the whole expression. */
  readonly at: number;
  readonly message: string;
}

/** An expression that cannot be used; `faults` are in the order in which they were found. */
export class CelSyntaxError extends Error {
  override readonly name = 'CelSyntaxError';
  readonly faults: readonly Fault[];

  constructor(source: string, faults: readonly Fault[]) {
    super(formatFaults(source, faults));
    this.faults = faults;
  }
}

/** So many are shown, and reading ends when it finds more faults of syntax. */
export const mostFaults = 100;
const longestSnippet = 16_384;

interface Place {
  readonly line: number;
  readonly column: number;
}

function placeOf(source: string, at: number): Place {
  if (at < 0) return { line: -1, column: -1 };
  // An empty source has no first column.
  if (source === '') return { line: 1, column: -1 };
  const before = source.slice(0, at);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: [...before.slice(lineStart)].length };
}

function formatFaults(source: string, faults: readonly Fault[]): string {
  const lines = source.split('\n');
  const inOrder = [...faults].sort((a, b) => a.at - b.at);
  const shown = inOrder.slice(0, mostFaults).map(({ at, message }) => {
    const { line, column } = placeOf(source, at);
    const text = `ERROR: <input>:${line}:${column + 1}: ${message}`;
    const snippet = lines[line - 1];
    if (source === '' || snippet === undefined || byteLength(snippet) > longestSnippet) return text;
    return text + marked(snippet, column);
  });
  if (faults.length > mostFaults) shown.push(`${faults.length - mostFaults} more errors were truncated`);
  return shown.join('\n');
}

const byteLength = (text: string): number => new TextEncoder().encode(text).length;

/** The line, and below it a mark under the column; wide characters get wide dots. */
function marked(snippet: string, column: number): string {
  const text = snippet.replaceAll('\t', ' ');
  const characters = [...text];
  const wide = (character: string | undefined) => character !== undefined && character > '\x7f';
  const dots = characters.slice(0, column).map((character) => (wide(character) ? '\uff0e' : '.'));
  return `\n | ${text}\n | ${dots.join('')}${wide(characters[column]) ? '\uff3e' : '^'}`;
}

/** Syntax faults, at most a hundred. */
export function bounded(faults: readonly Fault[]): readonly Fault[] {
  if (faults.length <= mostFaults) return faults;
  const inOrder = [...faults].sort((a, b) => a.at - b.at);
  const message = `Syntax error: More than ${mostFaults} syntax errors`;
  return [...inOrder.slice(0, mostFaults), { at: (inOrder[mostFaults] as Fault).at, message }];
}
