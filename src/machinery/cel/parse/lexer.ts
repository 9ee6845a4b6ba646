// Tokens of an expression. https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax

import { type Fault, mostFaults } from './source.ts';

export interface Token {
  /** As errors name it: '==' in quotes, or a name such as IDENTIFIER. */
  readonly type: string;
  /** The source text; `<EOF>` at the end. */
  readonly text: string;
  readonly at: number;
}

const space = /[\t\n\f\r ]+|\/\/[^\n]*/y;
const operator = /==|!=|<=|>=|&&|\|\||[<>[\]{}().,\-!?:+*/%]/y;
const double = /(?:[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)/y;
const integer = /(?:0x[0-9a-fA-F]+|[0-9]+)/y;
const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;
const escapedIdentifier = /`[A-Za-z0-9_.\-/ ]+`/y;
const escapeSequence = String.raw`\\(?:[abfnrtv"'\\?\`]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})`;
const unfinishedEscape = /\\(?:[xX][0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|[0-3][0-7]?)?/y;
/** The longest that matches counts; where a raw and a plain reading are both possible, the prefix decides. */
const strings = [
  new RegExp(`[bB]?"""(?:${escapeSequence}|[^\\\\])*?"""`, 'y'),
  new RegExp(`[bB]?'''(?:${escapeSequence}|[^\\\\])*?'''`, 'y'),
  /[bB]?[rR]"""[\s\S]*?"""/y,
  /[bB]?[rR]'''[\s\S]*?'''/y,
  new RegExp(`[bB]?"(?:${escapeSequence}|[^\\\\"\\n\\r])*"`, 'y'),
  new RegExp(`[bB]?'(?:${escapeSequence}|[^\\\\'\\n\\r])*'`, 'y'),
  /[bB]?[rR]"[^"\n\r]*"/y,
  /[bB]?[rR]'[^'\n\r]*'/y,
];

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

/** Characters that begin no token are skipped, with a fault each, as a recovering lexer does. */
export function tokenize(source: string): { tokens: Token[]; faults: Fault[] } {
  const tokens: Token[] = [];
  const faults: Fault[] = [];
  let at = 0;
  while (at < source.length && faults.length <= mostFaults) {
    const skipped = match(space, source, at);
    if (skipped) {
      at += skipped.length;
      continue;
    }
    const token = tokenAt(source, at);
    if (token) {
      tokens.push(token);
      at += token.text.length;
      continue;
    }
    const bad = unrecognized(source, at);
    faults.push({ at, message: `Syntax error: token recognition error at: '${shown(bad)}'` });
    at += bad.length;
  }
  tokens.push({ type: '<EOF>', text: '<EOF>', at: source.length });
  return { tokens, faults };
}

const keywords = new Set(['in', 'true', 'false', 'null']);

function tokenAt(source: string, at: number): Token | undefined {
  const of = (type: string, text: string): Token => ({ type, text, at });
  const quoted = longest(strings.map((pattern) => match(pattern, source, at)));
  if (quoted) return of(/^[bB]/.test(quoted) ? 'BYTES' : 'STRING', quoted);
  const number = match(double, source, at);
  if (number) return of('NUM_FLOAT', number);
  const whole = match(integer, source, at);
  if (whole) {
    const unsigned = /[uU]/.test(source[at + whole.length] ?? '');
    return unsigned ? of('NUM_UINT', source.slice(at, at + whole.length + 1)) : of('NUM_INT', whole);
  }
  const name = match(identifier, source, at);
  if (name) return of(keywords.has(name) ? `'${name}'` : 'IDENTIFIER', name);
  const escaped = match(escapedIdentifier, source, at);
  if (escaped) return of('ESC_IDENTIFIER', escaped);
  const sign = match(operator, source, at);
  return sign ? of(`'${sign}'`, sign) : undefined;
}

const longest = (found: readonly (string | undefined)[]): string | undefined =>
  found.reduce((best, text) => ((text?.length ?? 0) > (best?.length ?? 0) ? text : best), undefined);

/** The text up to the error: an unfinished token and one more character. */
function unrecognized(source: string, at: number): string {
  const first = String.fromCodePoint(source.codePointAt(at) as number);
  if ('|&='.includes(first)) return source.slice(at, at + 2);
  if (first === '`') return source.slice(at, at + (match(/`[A-Za-z0-9_.\-/ ]*/y, source, at) as string).length + 1);
  if (first !== '"' && first !== "'") return first;
  const valid = new RegExp(`${first}(?:${escapeSequence}|[^\\\\${first}\\n\\r])*`, 'y');
  const text = match(valid, source, at) ?? first;
  const begun = match(unfinishedEscape, source, at + text.length) ?? '';
  return source.slice(at, at + text.length + begun.length + 1);
}

/** Text that is not part of a token but between them: without the characters that were left out. */
export const gapBetween = (text: string): string => text.match(/[\t\n\f\r ]+|\/\/[^\n]*/g)?.join('') ?? '';

export const shown = (text: string): string =>
  text.replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
