// The names that an expression may use: variables, types, and functions with their overloads.

import type { AstSize, CallEstimate, Estimator } from './cost/cost-range.ts';
import type { SizedType } from './cost/sizes.ts';
import { paramType, type Type } from './types.ts';
import type { Value } from './values.ts';

/**
 * Takes all arguments, a member's target first; throws EvaluationFault. Functions declare the types of their overload:
 * a method's type accepts them, and the dispatcher checks the arguments. Shorter overloads leave the last ones out.
 */
export type Implementation = { call(...args: (Value | undefined)[]): Value }['call'];

export interface Overload {
  readonly id: string;
  /** Called on its first parameter: x.f(y). */
  readonly member: boolean;
  readonly params: readonly Type[];
  readonly result: Type;
  /** Type parameters in it. */
  readonly typeParams: readonly string[];
  /** Called when the arguments are of the types in `params`. Undefined where the function has one for all overloads. */
  readonly call: Implementation | undefined;
}

/** The cost of a call at run time; undefined: the standard rule applies. */
export type CallCost = (args: readonly Value[], result: Value, overload: string | undefined) => number | undefined;

export type CallEstimator = (
  call: { readonly target: AstSize | undefined; readonly args: readonly AstSize[]; readonly overload: string },
  estimator: Estimator,
) => CallEstimate | undefined;

export interface FunctionDeclaration {
  readonly name: string;
  readonly overloads: readonly Overload[];
  /** For all overloads; it checks the types of its arguments itself. */
  readonly call?: Implementation;
  readonly cost?: CallCost;
  /** The cost does not depend on the result, and is charged before the call, which could take long. */
  readonly paidFirst?: boolean;
  readonly estimate?: CallEstimator;
}

/** Functions and types that belong together. */
export interface Library {
  readonly functions: readonly FunctionDeclaration[];
  /** Names of types that an expression may write. */
  readonly types?: readonly (readonly [name: string, type: Type])[];
}

/** Fields of a message; undefined when there is no such field. */
export interface StructDeclaration {
  field(name: string): Type | undefined;
}

export interface Variable {
  readonly name: string;
  readonly type: Type;
  /** For costs: how large its values can be. */
  readonly sized?: SizedType;
}

export interface Environment {
  /** Whether expressions have cel.bind. */
  readonly bindings: boolean;
  variable(name: string): Variable | undefined;
  /** A type that an expression may write. */
  typeNamed(name: string): Type | undefined;
  struct(name: string): StructDeclaration | undefined;
  function(name: string): FunctionDeclaration | undefined;
}

const paramsOf = (type: Type): string[] => (type.kind === 'param' ? [type.name] : type.params.flatMap(paramsOf));

const overload = (
  member: boolean,
  id: string,
  params: readonly Type[],
  result: Type,
  call: Implementation | undefined,
): Overload => ({ id, member, params, result, typeParams: [...new Set([...params, result].flatMap(paramsOf))], call });

export const global = (id: string, params: readonly Type[], result: Type, call?: Implementation): Overload =>
  overload(false, id, params, result, call);
export const member = (id: string, params: readonly Type[], result: Type, call?: Implementation): Overload =>
  overload(true, id, params, result, call);

export const typeA = paramType('A');
export const typeB = paramType('B');

/** Messages by name: a Map or another lookup. */
export interface Structs {
  get(name: string): StructDeclaration | undefined;
}

interface EnvironmentParts {
  readonly libraries: readonly Library[];
  readonly variables: readonly Variable[];
  readonly structs?: Structs;
  readonly bindings?: boolean;
}

/** Functions and types of libraries, merged once. */
export class LibrarySet {
  readonly functions = new Map<string, FunctionDeclaration>();
  readonly types = new Map<string, Type>();

  constructor(libraries: readonly Library[]) {
    for (const { functions, types = [] } of libraries) {
      for (const [name, type] of types) this.types.set(name, type);
      for (const declaration of functions) this.#add(declaration);
    }
  }

  /** Libraries add overloads to functions of others. */
  #add(added: FunctionDeclaration): void {
    const existing = this.functions.get(added.name);
    this.functions.set(added.name, existing ? merged(existing, added) : added);
  }
}

function merged(first: FunctionDeclaration, second: FunctionDeclaration): FunctionDeclaration {
  const both = <A extends unknown[], R>(a: ((...args: A) => R | undefined) | undefined, b: typeof a) =>
    a && b ? (...args: A) => a(...args) ?? b(...args) : (a ?? b);
  const cost = both(first.cost, second.cost);
  const estimate = both(first.estimate, second.estimate);
  return {
    ...first,
    overloads: [...first.overloads, ...second.overloads],
    ...(cost && { cost }),
    ...(estimate && { estimate }),
  };
}

export function environmentOf(libraries: LibrarySet, parts: Omit<EnvironmentParts, 'libraries'>): Environment {
  const variables = new Map(parts.variables.map((variable) => [variable.name, variable]));
  return {
    bindings: parts.bindings ?? false,
    variable: (name) => variables.get(name),
    typeNamed: (name) => libraries.types.get(name),
    struct: (name) => parts.structs?.get(name),
    function: (name) => libraries.functions.get(name),
  };
}
