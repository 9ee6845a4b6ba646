// Faults beyond types: literals that a function cannot parse, and mixed literals.

import { patternFault } from '../text/pattern.ts';
import { checkFormat } from './format.ts';
import { type Call, children, type Node } from './parse/ast.ts';
import type { Fault } from './parse/source.ts';
import { durationFromText, inRange, timestampFromText } from './time.ts';
import {
  boolType,
  bytesType,
  doubleType,
  dynType,
  formatType,
  intType,
  nullType,
  sameType,
  stringType,
  type Type,
  uintType,
  unwrapOptional,
} from './types.ts';
import { Uint } from './values.ts';

export function literalType(value: unknown): Type {
  switch (typeof value) {
    case 'boolean':
      return boolType;
    case 'bigint':
      return intType;
    case 'number':
      return doubleType;
    case 'string':
      return stringType;
  }
  if (value === null) return nullType;
  return value instanceof Uint ? uintType : bytesType;
}

const literalChecks: Readonly<Record<string, (text: unknown) => boolean>> = {
  duration: (text) => typeof text !== 'string' || durationFromText(text) !== undefined,
  timestamp: (value) =>
    typeof value === 'bigint'
      ? inRange(value * 1_000_000_000n)
      : typeof value !== 'string' || timestampFromText(value) !== undefined,
  matches: (text) => typeof text !== 'string' || patternFault(text) === undefined,
};

export function validate(root: Node): Fault[] {
  const faults: Fault[] = [];
  visit(root, false, faults);
  return faults;
}

function visit(node: Node, inFormat: boolean, faults: Fault[]): void {
  let exempt = inFormat;
  if (node.kind === 'call') {
    faults.push(...checkLiteral(node), ...checkFormat(node));
    exempt ||= node.name === 'format';
  }
  if (!inFormat && node.kind === 'list') faults.push(...checkItems(node));
  if (!inFormat && node.kind === 'map') faults.push(...checkEntries(node));
  for (const child of children(node)) visit(child, exempt, faults);
}

function checkLiteral({ name, args }: Call): Fault[] {
  const valid = Object.hasOwn(literalChecks, name) ? literalChecks[name] : undefined;
  const literal = args[0];
  if (!valid || literal?.kind !== 'literal' || valid(literal.value)) return [];
  return [{ at: literal.at, message: `invalid ${name} argument` }];
}

const mismatch = (node: Node, expected: Type, actual: Type): Fault => ({
  at: node.at,
  message: `expected type '${formatType(expected)}' but found '${formatType(actual)}'`,
});

function checkItems({ items, optional }: Extract<Node, { kind: 'list' }>): Fault[] {
  let expected: Type | undefined;
  for (const [index, item] of items.entries()) {
    const type = optional.has(index) ? unwrapOptional(item.type ?? dynType) : (item.type ?? dynType);
    expected ??= type;
    if (!sameType(expected, type)) return [mismatch(item, expected, type)];
  }
  return [];
}

function checkEntries({ entries }: Extract<Node, { kind: 'map' }>): Fault[] {
  const faults: Fault[] = [];
  let expected: { key: Type; value: Type } | undefined;
  for (const entry of entries) {
    const key = entry.key.type ?? dynType;
    const value = entry.optional ? unwrapOptional(entry.value.type ?? dynType) : (entry.value.type ?? dynType);
    expected ??= { key, value };
    if (!sameType(expected.key, key)) faults.push(mismatch(entry.key, expected.key, key));
    if (!sameType(expected.value, value)) faults.push(mismatch(entry.value, expected.value, value));
  }
  return faults;
}
