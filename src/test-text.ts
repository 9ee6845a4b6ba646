// Comments and strings of source files, for the test of words.

export interface Piece {
  readonly kind: 'comment' | 'string';
  readonly line: number;
  readonly text: string;
  /** The code before a string, up to 80 characters. */
  readonly before: string;
  /** The code behind a string, up to 20 characters. */
  readonly after: string;
}

/** Comments on consecutive lines are one piece. Template literals give one string per literal part. */
export function piecesOf(source: string): readonly Piece[] {
  const found: Piece[] = [];
  const lineAt = lineFinder(source);
  /** Open template literals, each with the depth of braces in its expression. */
  const depths: number[] = [];
  let before = '';
  let at = 0;
  const add = (kind: Piece['kind'], start: number, text: string) => {
    const line = lineAt(start);
    const last = found.at(-1);
    if (kind === 'comment' && last?.kind === 'comment' && text.startsWith('//') && isOwnLine(source, start))
      if (last.text.startsWith('//') && last.line + last.text.split('\n').length === line)
        return found.splice(-1, 1, { ...last, text: `${last.text}\n${text}` });
    return found.push({
      kind,
      line,
      text,
      before: before.slice(-80),
      after: source.slice(start + text.length, start + text.length + 20),
    });
  };
  while (at < source.length) {
    const start = at;
    const token = tokenAt(source, at, before, depths);
    at += token.text.length;
    if (token.kind === 'comment') add('comment', start, token.text);
    else if (token.kind === 'string') add('string', start, token.text);
    if (token.kind !== 'comment') before = (before + token.text).slice(-400);
  }
  return found;
}

type Token = { readonly kind: 'comment' | 'string' | 'code'; readonly text: string };

const comment = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const quoted = /'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"/y;
const template = /[`}](?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{)/y;
const regex = /\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
const word = /[\w$]+|\s+|[\s\S]/y;
/** A slash after one of these begins a regular expression; after a value it divides. */
const beforeRegex = /(?:^|[(,=:[!&|?{};+>]|\b(?:return|case|typeof))\s*$/;

function tokenAt(source: string, at: number, before: string, depths: number[]): Token {
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  const char = source[at];
  if (char === '/') {
    const text = match(comment);
    if (text) return { kind: 'comment', text };
    const literal = beforeRegex.test(before) ? match(regex) : undefined;
    if (literal) return { kind: 'code', text: literal };
  }
  if (char === "'" || char === '"') return { kind: 'string', text: match(quoted) ?? char };
  if (char === '`' || (char === '}' && depths.at(-1) === 0)) {
    if (char === '}') depths.pop();
    const text = match(template) ?? char;
    if (text.endsWith('${')) depths.push(0);
    return { kind: 'string', text };
  }
  if (depths.length > 0) depths[depths.length - 1] += char === '{' ? 1 : char === '}' ? -1 : 0;
  return { kind: 'code', text: match(word) ?? char };
}

const isOwnLine = (source: string, at: number): boolean =>
  source.slice(source.lastIndexOf('\n', at - 1) + 1, at).trim() === '';

/** Line numbers of ascending offsets. */
function lineFinder(source: string): (at: number) => number {
  let line = 1;
  let from = 0;
  return (at) => {
    for (; from < at; from++) if (source[from] === '\n') line++;
    return line;
  };
}
