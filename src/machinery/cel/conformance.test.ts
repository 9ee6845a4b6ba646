// The conformance cases of CEL, and cel-go's cases for its parser. https://github.com/google/cel-spec/tree/master/tests

import { tests as conformance } from '@bufbuild/cel-spec/testdata/conformance.js';
import { tests as parsing } from '@bufbuild/cel-spec/testdata/parsing.js';
import { describe, expect, test } from 'vitest';
import {
  CelSyntaxError,
  CostExceeded,
  celEnvironment,
  compileExpression,
  EvaluationFault,
  ProgramFault,
} from './cel.ts';
import { parse } from './parse/parser.ts';
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  stringType,
  type Type,
  timestampType,
  uintType,
} from './types.ts';
import { ArrayList, EntryMap, equal, TypeValue, typeNameOf, Uint, type Value } from './values.ts';

interface Case {
  readonly section: string;
  readonly original: any;
  readonly error?: string;
}

function* casesOf(suite: any, section = ''): Generator<Case> {
  for (const one of suite.tests ?? []) yield { section, original: one.original, error: one.error };
  for (const part of suite.suites ?? []) yield* casesOf(part, section || part.name);
}

/** Sections about protocol buffers, and libraries that Kubernetes does not enable. */
const otherSections = /^(proto|enums|math_ext|encoders_ext|block_ext|bindings_ext|network_ext|unknowns|type_deduction)/;
const otherNames =
  /TestAllTypes|google\.protobuf\.(?!Timestamp|Duration)|NestedEnum|GlobalEnum|Value\{|cel\.|math\.|base64\.|proto\.|\.reverse\(/;

/** Cases where Kubernetes deviates, or cel-go fails too. */
const deviations: readonly (readonly [why: string, expression: RegExp])[] = [
  ['strings are formatted as in version 2 of the library', /"?%|\.format\(/],
  ['version 2 of the library searches beyond the end', /ndexOf\('a', 30\)/],
  ['cel-go takes such keys', /null:false|true:1,false:2,true:3/],
  ['a field of a value without fields is absent', /null_key\.invalid|\[\?true\]\.absent/],
  ['names in backticks are not enabled', /`/],
];

function fromProto(json: any): Value {
  const [kind, value] = Object.entries<any>(json)[0] as [string, any];
  switch (kind) {
    case 'nullValue':
      return null;
    case 'boolValue':
    case 'stringValue':
      return value;
    case 'int64Value':
      return BigInt(value);
    case 'uint64Value':
      return new Uint(BigInt(value));
    case 'doubleValue':
      return Number(value);
    case 'bytesValue':
      return Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
    case 'typeValue':
      return new TypeValue(value);
    case 'listValue':
      return new ArrayList((value.values ?? []).map(fromProto));
    case 'mapValue':
      return new EntryMap((value.entries ?? []).map((entry: any) => [fromProto(entry.key), fromProto(entry.value)]));
    default:
      throw new Error(`a protocol buffer: ${kind}`);
  }
}

const primitives: Readonly<Record<string, Type>> = {
  BOOL: boolType,
  BYTES: bytesType,
  DOUBLE: doubleType,
  INT64: intType,
  STRING: stringType,
  UINT64: uintType,
};

function typeOf({ primitive, mapType: map, listType: list, wellKnown, dyn }: any): Type {
  if (primitive) return primitives[primitive] as Type;
  if (map) return mapType(typeOf(map.keyType), typeOf(map.valueType));
  if (list) return listType(typeOf(list.elemType));
  if (wellKnown === 'TIMESTAMP') return timestampType;
  if (wellKnown === 'DURATION') return durationType;
  if (dyn || wellKnown === 'ANY') return dynType;
  throw new Error('a message');
}

interface Prepared {
  readonly name: string;
  readonly expression: string;
  readonly variables: Readonly<Record<string, Value>>;
  readonly types: readonly { readonly name: string; readonly type: Type }[];
  /** Undefined when evaluating must fail. */
  readonly wanted: Value | undefined;
}

/** Undefined for a case about protocol buffers. */
function prepare({ section, original }: Case): Prepared | undefined {
  const { name, expr, bindings = {}, typeEnv = [], value, evalError, typedResult, disableCheck } = original;
  if (
    otherSections.test(section) ||
    otherNames.test(expr) ||
    typedResult ||
    disableCheck ||
    name === 'self_eval_container_lookup'
  )
    return undefined;
  if (deviations.some(([, expression]) => expression.test(expr))) return undefined;
  try {
    return {
      name: `${section} ${name}`,
      expression: expr,
      variables: Object.fromEntries(
        Object.entries<any>(bindings).map(([key, binding]) => [key, fromProto(binding.value)]),
      ),
      types: typeEnv.flatMap((one: any) => (one.ident ? [{ name: one.name, type: typeOf(one.ident.type) }] : [])),
      wanted: evalError ? undefined : value ? fromProto(value) : true,
    };
  } catch {
    return undefined;
  }
}

const isFault = (error: unknown) =>
  [EvaluationFault, CostExceeded, CelSyntaxError, ProgramFault].some((kind) => error instanceof kind);

/** Kubernetes requires list and map literals of one type. */
const isMixed = (error: unknown) =>
  error instanceof CelSyntaxError && /expected type '.*' but found/.test(error.message);

function evaluate({ expression, variables, types }: Prepared): { value: Value } | { error: unknown } {
  try {
    return { value: compileExpression(expression, celEnvironment({ variables: types })).run(variables, 1_000_000) };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { error };
  }
}

const prepared = [...casesOf(conformance)].flatMap((one) => prepare(one) ?? []);

test('most cases are not about protocol buffers', () => expect(prepared.length).toBeGreaterThan(1_100));

describe('conformance', () => {
  const sections = new Set(prepared.map(({ name }) => name.split(' ')[0] as string));
  test.each([...sections])('%s', (section) => {
    const wrong = prepared.flatMap((one) => {
      if (!one.name.startsWith(`${section} `)) return [];
      const found = evaluate(one);
      if ('error' in found)
        return one.wanted === undefined || isMixed(found.error)
          ? []
          : [`${one.name}: ${one.expression} fails: ${(found.error as Error).message}`];
      const { wanted } = one;
      const same =
        wanted !== undefined &&
        typeNameOf(found.value) === typeNameOf(wanted) &&
        (equal(found.value, wanted) || (Number.isNaN(wanted) && Number.isNaN(found.value)));
      return same ? [] : [`${one.name}: ${one.expression}`];
    });
    expect(wrong).toEqual([]);
  });
});

/** Cases with limits, or syntax, that Kubernetes sets otherwise. */
const otherSettings = /unsupported syntax|\.\?|recursion (limit|depth)|recovery|lookahead/;

describe('syntax errors are those of cel-go', () => {
  const cases = [...casesOf(parsing)].flatMap(({ original, error }) =>
    error &&
    !otherSettings.test(error) &&
    !/undeclared|no matching|undefined field/.test(error) &&
    // Kubernetes has this macro with two variables alone.
    !/existsOne\([^,]*,[^,]*\)/.test(original.expr)
      ? [{ expression: original.expr as string, error }]
      : [],
  );
  test('there are some', () => expect(cases.length).toBeGreaterThan(40));
  test.each(cases)('$expression', ({ expression, error }) => {
    const wanted = error.replace(/\n\s*\|/g, '\n |').replace(/^ERROR: (?:<input>)?:/gm, 'ERROR: <input>:');
    expect(faultsOf(expression)).toBe(wanted.trim());
  });
});

function faultsOf(expression: string): string {
  try {
    parse(expression);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}
