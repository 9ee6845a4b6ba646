// Regular expressions from users: RE2's syntax, in linear time, with Go's error messages.
// https://github.com/google/re2/wiki/Syntax

import { RE2JS } from 're2js';
import { spendEffort } from '../time/effort.ts';

interface Pattern {
  /** Whether it matches anywhere in the text. */
  test(text: string): boolean;
  /** The leftmost match. */
  find(text: string): string | undefined;
  /** At most `limit` matches from the left; all when it is negative. */
  findAll(text: string, limit: number): string[];
}

/** The text is not a pattern; Go's regexp package defines `message`. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

/** Patterns are compiled once: a match takes 2 us, compiling 170 us. */
const mostCached = 1_000;
const longestCached = 4_096;
/** A class, such as all letters, has hundreds of ranges. */
const stepsOfCharacter = 10;
const cache = new Map<string, Pattern | PatternError>();

/** Throws PatternError. */
export function compilePattern(text: string): Pattern {
  const cached = cache.get(text);
  if (!cached) spendEffort(text.length * stepsOfCharacter);
  const found = cached ?? compile(text);
  if (text.length <= longestCached) {
    cache.delete(text);
    if (cache.size >= mostCached) cache.delete(cache.keys().next().value as string);
    cache.set(text, found);
  }
  if (found instanceof PatternError) throw found;
  return found;
}

/** Undefined for a valid pattern; otherwise the error. */
export function patternFault(text: string): string | undefined {
  try {
    compilePattern(text);
    return undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

function compile(text: string): Pattern | PatternError {
  try {
    return new Re2Pattern(RE2JS.compile(text));
  } catch (error) {
    const { message } = error as Error;
    // Go allows duplicate group names; this code never reads groups by name.
    if (message.startsWith('error parsing regexp: duplicate capture group name')) return compile(withoutNames(text));
    return new PatternError(message.endsWith('trailing backslash at end of expression') ? `${message}: \`\`` : message);
  }
}

const withoutNames = (text: string): string =>
  text.replace(/\\Q[\s\S]*?(?:\\E|$)|\\[\s\S]|\(\?P?<\w+>/g, (part) => (part.startsWith('(') ? '(' : part));

class Re2Pattern implements Pattern {
  readonly #compiled: RE2JS;

  constructor(compiled: RE2JS) {
    this.#compiled = compiled;
  }

  test(text: string): boolean {
    return this.#compiled.test(text);
  }

  find(text: string): string | undefined {
    const matcher = this.#compiled.matcher(text);
    return matcher.find() ? (matcher.group() ?? undefined) : undefined;
  }

  findAll(text: string, limit: number): string[] {
    const found: string[] = [];
    if (limit === 0) return found;
    const matcher = this.#compiled.matcher(text);
    let previousEnd = -1;
    while (matcher.find()) {
      const [start, end] = [matcher.start(), matcher.end()];
      // An empty match right after another match is skipped.
      if (start !== end || start !== previousEnd) found.push(text.slice(start, end));
      previousEnd = end;
      if (found.length === limit) break;
    }
    return found;
  }
}
