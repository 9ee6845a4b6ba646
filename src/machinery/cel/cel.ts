// The Common Expression Language as Kubernetes has it: parse, check, estimate, run.
// https://github.com/google/cel-spec https://kubernetes.io/docs/reference/using-api/cel/

import { spendEffort } from '../time/effort.ts';
import { check } from './checker.ts';
import { estimateCost } from './cost/cost.ts';
import type { SizedType } from './cost/sizes.ts';
import { type Environment, environmentOf, LibrarySet, type Structs, type Variable } from './declarations.ts';
import { addresses } from './libraries/addresses.ts';
import { authorization } from './libraries/authorization.ts';
import { standard } from './libraries/conversions.ts';
import { formatFunctions, kubernetesEquality } from './libraries/formats.ts';
import { jsonPatch, regex, semver, urls } from './libraries/kubernetes.ts';
import { listExtensions, lists, sets } from './libraries/lists.ts';
import { operators } from './libraries/operators.ts';
import { optionals } from './libraries/optionals.ts';
import { quantities } from './libraries/quantities.ts';
import { stringFunctions } from './libraries/strings.ts';
import type { Node } from './parse/ast.ts';
import { walk } from './parse/ast.ts';
import { parse } from './parse/parser.ts';
import { type Program, planProgram } from './program.ts';
import type { Type } from './types.ts';

const base = [
  operators,
  standard,
  urls,
  regex,
  lists,
  authorization,
  optionals,
  quantities,
  stringFunctions,
  sets,
  addresses,
  formatFunctions,
  semver,
  listExtensions,
  kubernetesEquality,
];

/** The libraries of every expression in 1.36. */
const libraries = new LibrarySet(base);
/** Mutating admission policies have functions for JSON patches too. */
const mutationLibraries = new LibrarySet([...base, jsonPatch]);

interface EnvironmentOptions {
  readonly variables: readonly Variable[];
  readonly structs?: Structs | undefined;
  readonly mutation?: boolean;
  readonly bindings?: boolean;
}

export const celEnvironment = ({ mutation, structs, ...parts }: EnvironmentOptions): Environment =>
  environmentOf(mutation ? mutationLibraries : libraries, { ...parts, ...(structs && { structs }) });

export interface Expression extends Program {
  readonly source: string;
  readonly type: Type;
  /** Whether it reads this variable. */
  uses(variable: string): boolean;
  /** Whether it reads this field of this variable, as `variable.field` or `variable.?field`. */
  selects(variable: string, field: string): boolean;
  /** The estimated maximum cost. `root` gives the largest sizes of the values below its variables. */
  maxCost(root: SizedType | undefined): number;
}

/** Throws CelSyntaxError for a faulty expression, ProgramFault for one that always fails. */
export function compileExpression(source: string, environment: Environment): Expression {
  spendEffort(source.length);
  const node = parse(source, environment.bindings);
  const type = check(source, node, environment);
  return expressionOf(source, node, type, environment);
}

/** Parsed and checked, not made to run: for looking at its type first. */
export function checkExpression(source: string, environment: Environment): { type: Type; program(): Expression } {
  const node = parse(source, environment.bindings);
  const type = check(source, node, environment);
  return { type, program: () => expressionOf(source, node, type, environment) };
}

function expressionOf(source: string, node: Node, type: Type, environment: Environment): Expression {
  const program = planProgram(node, environment);
  return {
    source,
    type,
    run: program.run,
    uses: (variable) =>
      [...walk(node)].some(
        (part) =>
          (part.kind === 'ident' && part.name.replace(/^\./, '') === variable) ||
          (part.kind === 'select' && part.qualified === variable),
      ),
    selects: (variable, field) => [...walk(node)].some((part) => isSelection(part, variable, field)),
    maxCost: (root) => estimateCost(node, (name) => environment.function(name), root).max,
  };
}

function isSelection(part: Node, variable: string, field: string): boolean {
  const isVariable = (operand: Node | undefined) => operand?.kind === 'ident' && operand.name === variable;
  if (part.kind === 'select') return part.field === field && isVariable(part.operand);
  if (part.kind !== 'call' || part.name !== '_?._') return false;
  const [operand, name] = part.args;
  return isVariable(operand) && name?.kind === 'literal' && name.value === field;
}

export { fromJson, fromUntyped, toJson } from './json.ts';
export {
  type AccessQuestion,
  AuthorizerValue,
  type Decision,
  ResourceCheckValue,
} from './libraries/authorization.ts';
export { versionOf } from './libraries/kubernetes.ts';
export { quantityOf } from './libraries/quantities.ts';
export { CelSyntaxError } from './parse/source.ts';
export { ProgramFault } from './program.ts';
export {
  CelList,
  CelMap,
  CostExceeded,
  EntryMap,
  EvaluationFault,
  NoOverload,
  none,
  Optional,
  StructValue,
  typeNameOf,
  type Value,
} from './values.ts';
