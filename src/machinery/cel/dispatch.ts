// Which of a function's overloads takes the values at hand.

import type { FunctionDeclaration, Implementation, Overload } from './declarations.ts';
import type { Type } from './types.ts';
import {
  CelList,
  CelMap,
  Duration,
  noOverload,
  Optional,
  Timestamp,
  TypeValue,
  typeNameOf,
  Uint,
  type Value,
} from './values.ts';

type Test = (value: Value) => boolean;

function testOf(type: Type): Test {
  switch (type.kind) {
    case 'string':
      return (value) => typeof value === 'string';
    case 'int':
      return (value) => typeof value === 'bigint';
    case 'double':
      return (value) => typeof value === 'number';
    case 'bool':
      return (value) => typeof value === 'boolean';
    case 'uint':
      return (value) => value instanceof Uint;
    case 'bytes':
      return (value) => value instanceof Uint8Array;
    case 'duration':
      return (value) => value instanceof Duration;
    case 'timestamp':
      return (value) => value instanceof Timestamp;
    case 'type':
      return (value) => value instanceof TypeValue;
    case 'list':
      return listTest(testOf(type.params[0] as Type));
    case 'map':
      return mapTest(testOf(type.params[0] as Type), testOf(type.params[1] as Type));
    case 'opaque':
    case 'struct':
      if (type.name === 'optional_type') return (value) => value instanceof Optional;
      return (value) => typeof value === 'object' && value !== null && typeNameOf(value) === type.name;
    default:
      return () => true;
  }
}

/** One element gives the type of all. */
const listTest =
  (element: Test): Test =>
  (value) =>
    value instanceof CelList && (value.size === 0 || element(value.at(0)));

const mapTest =
  (key: Test, entry: Test): Test =>
  (value) => {
    if (!(value instanceof CelMap)) return false;
    for (const first of value.keys()) {
      const found = value.find(first);
      return key(first) && (found === undefined || entry(found));
    }
    return true;
  };

/** `ids` are the overloads that the checker left. */
export function dispatcher({ name, overloads, call }: FunctionDeclaration, ids: readonly string[]): Implementation {
  if (call) return call;
  // A single overload has checked arguments, except for dyn; several overloads are tried in order.
  const candidates = overloads
    .filter(({ id, call: own }) => own && ids.includes(id))
    .map((overload) => ({ tests: overload.params.map(testOf), call: (overload as Overload).call as Implementation }));
  const refuse = (args: readonly Value[]) => noOverload(`${name}(${args.map(typeNameOf).join(', ')})`);
  const fits = (tests: readonly Test[], args: readonly Value[]) =>
    tests.length === args.length && tests.every((test, index) => test(args[index] as Value));
  return (...args: Value[]) => {
    const found = candidates.find(({ tests }) => fits(tests, args));
    return found ? found.call(...args) : refuse(args);
  };
}
