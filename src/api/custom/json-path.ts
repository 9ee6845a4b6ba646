// JSON paths of printer columns and selectable fields, as client-go's jsonpath package reads them.
// https://kubernetes.io/docs/reference/kubectl/jsonpath/

import { TextCache } from '../../machinery/collections/text-cache.ts';
import { fieldsIn } from '../../machinery/parsed.ts';

type Step = (value: unknown) => unknown[];

const paths = new TextCache(reader, { longest: 1_024 });

/** Reads every value at the path; undefined for an invalid path. */
export const readJsonPath = (path: string): ((object: unknown) => unknown[]) | undefined => paths.get(path);

function reader(path: string): ((object: unknown) => unknown[]) | undefined {
  try {
    const steps = parse(path);
    return (object) => evaluate(steps, object);
  } catch {
    return undefined;
  }
}

function evaluate(steps: readonly Step[], object: unknown): unknown[] {
  let values: unknown[] = [object];
  for (const step of steps)
    values = values.flatMap((value) => (value === null || value === undefined ? [] : step(value)));
  return values.filter((value) => value !== undefined);
}

const name =
  (field: string): Step =>
  (value) =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, field) ? [fieldsIn(value)[field]] : [];
const all: Step = (value) => Object.values(fieldsIn(value));
const below: Step = (value) =>
  typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(below)] : [];

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
  return (value) => steps.flatMap((step) => step(value));
}

function sliceStep([, from, to, by]: RegExpExecArray): Step {
  const step = by ? Number(by) : 1;
  if (!step) throw new Error('step must be > 0');
  return (value) =>
    Array.isArray(value)
      ? value.slice(from ? Number(from) : 0, to ? Number(to) : undefined).filter((_, index) => index % step === 0)
      : [];
}

function filterStep(text: string): Step {
  const match = /^\s*(.+?)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?)\s*)?$/s.exec(text);
  if (!match) throw new Error(`invalid filter ${text}`);
  const left = operand(match[1]);
  const right = match[3] === undefined ? undefined : operand(match[3]);
  return (value) => {
    return Object.values(fieldsIn(value)).filter((item) => {
      const a = left(item);
      if (!right) return a.length > 0;
      const b = right(item);
      return a.length > 0 && b.length > 0 && compare(a[0], match[2], b[0]);
    });
  };
}

/** A path from the item (`@`), or a value. */
function operand(text: string): (item: unknown) => unknown[] {
  if (text.startsWith('@')) {
    const steps = parse(text.slice(1));
    return (item) => evaluate(steps, item);
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
