// JSON paths of printer columns and selectable fields, as client-go's jsonpath package reads them.
// https://kubernetes.io/docs/reference/kubectl/jsonpath/

import { TextCache } from '../../machinery/collections/text-cache.ts';
import { fieldsIn } from '../../machinery/parsed.ts';

type Step = (value: unknown, visits: Visits) => readonly unknown[];

/** Paths are as long as a definition, which may have a megabyte. */
const longestPath = 4_096;
/** Values that the paths of one object's row visit: `..` and lists may multiply them. */
const mostVisits = 200_000;

/** The values that are visited for one row. */
export class Visits {
  #left = mostVisits;

  /** False when there are too many. */
  spend(count: number): boolean {
    this.#left -= count;
    return this.#left >= 0;
  }
}

const paths = new TextCache(reader, { longest: 1_024 });

/** Reads every value at the path, or none where that takes too long; undefined for an invalid path. */
export const readJsonPath = (path: string): ((object: unknown, visits?: Visits) => unknown[]) | undefined =>
  paths.get(path);

function reader(path: string): ((object: unknown, visits?: Visits) => unknown[]) | undefined {
  if (path.length > longestPath) return undefined;
  try {
    const steps = parse(path);
    return (object, visits = new Visits()) => evaluate(steps, object, visits);
  } catch {
    return undefined;
  }
}

function evaluate(steps: readonly Step[], object: unknown, visits: Visits): unknown[] {
  let values: unknown[] = [object];
  for (const step of steps) {
    const next: unknown[] = [];
    for (const value of values) {
      if (value === null || value === undefined) continue;
      const found = step(value, visits);
      if (!visits.spend(found.length + 1)) return [];
      for (const one of found) next.push(one);
    }
    values = next;
  }
  return values.filter((value) => value !== undefined);
}

const name =
  (field: string): Step =>
  (value) =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, field) ? [fieldsIn(value)[field]] : [];
const all: Step = (value) => Object.values(fieldsIn(value));

/** The value and everything below it, each before its parts. */
const below: Step = (value, visits) => {
  const found: unknown[] = [];
  const add = (one: unknown): void => {
    if (typeof one !== 'object' || one === null || !visits.spend(1)) return;
    found.push(one);
    for (const part of Object.values(one)) add(part);
  };
  add(value);
  return found;
};

function parse(path: string): Step[] {
  const steps: Step[] = [];
  let at = 0;
  while (at < path.length) {
    if (path[at] === '[') {
      const end = closing(path, at);
      steps.push(bracket(path.slice(at + 1, end).trim()));
      at = end + 1;
      continue;
    }
    if (path[at] !== '.' && at > 0) throw new Error(`unrecognized JSON path ${path}`);
    if (path.startsWith('..', at)) {
      steps.push(below);
      at += 1;
    }
    const match = /^\.?((?:\\.|[^.[\]\\\s])*)/.exec(path.slice(at));
    const field = match?.[1].replace(/\\(.)/g, '$1') ?? '';
    if (field === '*') steps.push(all);
    else if (field) steps.push(name(field));
    else if (path[at + 1] !== '[' && at + 1 < path.length) throw new Error(`unrecognized JSON path ${path}`);
    at += match?.[0].length || 1;
  }
  return steps;
}

/** Index of the bracket that closes the one at `from`. */
function closing(path: string, from: number): number {
  let quote = '';
  let depth = 0;
  for (let i = from; i < path.length; i++) {
    const sign = path[i];
    if (quote) {
      if (sign === '\\') i++;
      else if (sign === quote) quote = '';
    } else if (sign === '"' || sign === "'") quote = sign;
    else if (sign === '[') depth++;
    else if (sign === ']' && --depth === 0) return i;
  }
  throw new Error('unterminated array');
}

/** The content of brackets: names, indexes, a slice, or a filter. */
function bracket(text: string): Step {
  if (text === '*') return all;
  const filter = /^\?\((.*)\)$/s.exec(text);
  if (filter) return filterStep(filter[1]);
  const slice = /^(-?\d*):(-?\d*)(?::(\d*))?$/.exec(text);
  if (slice) return sliceStep(slice);
  const parts = text.match(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?\d+/g) ?? [];
  if (!parts.length || parts.join(',').length !== text.replace(/\s*,\s*/g, ',').length)
    throw new Error(`invalid array index ${text}`);
  const steps = parts.map((part): Step => {
    if (!/^-?\d+$/.test(part)) return name(part.slice(1, -1).replace(/\\(.)/g, '$1'));
    return (value) => (Array.isArray(value) ? [value.at(Number(part))] : []);
  });
  return (value, visits) => steps.flatMap((step) => step(value, visits));
}

function sliceStep([, from, to, by]: RegExpExecArray): Step {
  const step = by ? Number(by) : 1;
  if (!step) throw new Error('step must be > 0');
  return (value) =>
    Array.isArray(value)
      ? value.slice(from ? Number(from) : 0, to ? Number(to) : undefined).filter((_, index) => index % step === 0)
      : [];
}

const operators = ['==', '!=', '<=', '>=', '<', '>'] as const;

function filterStep(text: string): Step {
  const { left, operator, right } = comparisonIn(text);
  if (!left) throw new Error(`invalid filter ${text}`);
  const [a, b] = [operand(left), operator && operand(right)];
  return (value, visits) =>
    Object.values(fieldsIn(value)).filter((item) => {
      const [own] = a(item, visits);
      if (own === undefined || !operator || !b) return own !== undefined;
      const [other] = b(item, visits);
      return other !== undefined && compare(own, operator, other);
    });
}

/** The two sides of the first operator outside of quotes. */
function comparisonIn(text: string): { left: string; operator?: string; right: string } {
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quote) {
      if (sign === '\\') at++;
      else if (sign === quote) quote = '';
      continue;
    }
    if (sign === '"' || sign === "'") quote = sign;
    const operator = at > 0 ? operators.find((one) => text.startsWith(one, at)) : undefined;
    if (operator) return { left: text.slice(0, at).trim(), operator, right: text.slice(at + operator.length).trim() };
  }
  return { left: text.trim(), right: '' };
}

/** A path from the item (`@`), or a value. */
function operand(text: string): (item: unknown, visits: Visits) => unknown[] {
  if (text.startsWith('@')) {
    const steps = parse(text.slice(1));
    return (item, visits) => evaluate(steps, item, visits);
  }
  const quoted = /^(['"])(.*)\1$/s.exec(text);
  const value = quoted ? quoted[2].replace(/\\(.)/g, '$1') : JSON.parse(text);
  return () => [value];
}

type Ordered = string | number | bigint;

function compare(a: unknown, operator: string, b: unknown): boolean {
  if (operator === '==') return a === b;
  return operator === '!=' ? a !== b : compareOrdered(a as Ordered, operator, b as Ordered);
}

function compareOrdered(a: Ordered, operator: string, b: Ordered): boolean {
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    default:
      return a >= b;
  }
}
