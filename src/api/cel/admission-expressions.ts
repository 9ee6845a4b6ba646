// Compiles the expressions of policies and match conditions, for their validation and for admission.

import { CelSyntaxError, checkExpression, type Expression, ProgramFault } from '../../machinery/cel/cel.ts';
import {
  boolType,
  listType,
  nullType,
  sameType,
  stringType,
  structType,
  type Type,
} from '../../machinery/cel/types.ts';
import { admissionEnvironment, type Readable, variableType } from './admission-types.ts';

export interface AdmissionExpression {
  readonly source: string;
  readonly program?: Expression;
  readonly type?: Type;
  /** Why it cannot run. */
  readonly fault?: string;
  /** The faults in its text, if any. */
  readonly issues?: string;
  /** The fault is not caused by the expression. */
  readonly internal?: boolean;
}

/** Accepted result types; undefined accepts any. */
type WantedTypes = readonly Type[] | undefined;

export const wantsBool: WantedTypes = [boolType];
export const wantsString: WantedTypes = [stringType];
export const wantsStringOrNull: WantedTypes = [stringType, nullType];
export const wantsObject: WantedTypes = [structType('Object')];
export const wantsPatches: WantedTypes = [listType(structType('JSONPatch'))];

export function compileAdmission(source: string, readable: Readable, wanted: WantedTypes): AdmissionExpression {
  try {
    const checked = checkExpression(source, admissionEnvironment(readable));
    const { type } = checked;
    if (wanted && !wanted.some((one) => sameType(one, type))) return { source, fault: wrongType(wanted, type) };
    return { source, type, program: checked.program() };
  } catch (error) {
    if (error instanceof CelSyntaxError)
      return { source, fault: `compilation failed: ${error.message}`, issues: error.message };
    if (error instanceof ProgramFault)
      return { source, fault: `program instantiation failed: ${error.message}`, internal: true };
    throw error;
  }
}

const nameOf = ({ name, params }: Type): string => (params.length ? `${name}(${params.map(nameOf).join(', ')})` : name);

function wrongType(wanted: readonly Type[], got: Type): string {
  const names = wanted.map(nameOf);
  return `must evaluate to ${names.length === 1 ? names[0] : `one of [${names.join(' ')}]`} but got ${nameOf(got)}`;
}

interface Part {
  readonly name: string;
  readonly expression: string;
}

/** The expressions of one policy: each variable can use earlier ones. */
export class PolicyCompiler {
  readonly variables = new Map<string, AdmissionExpression>();
  readonly #params: boolean;
  readonly #types: Map<string, Type> | undefined;
  readonly #schema: Pick<Readable, 'object' | 'paramsType' | 'structs'>;

  /** `composes` gives it `variables`, even when there are none. */
  constructor(
    { params, composes }: { readonly params: boolean; readonly composes: boolean },
    schema: Pick<Readable, 'object' | 'paramsType' | 'structs'> = {},
  ) {
    this.#params = params;
    this.#types = composes ? new Map() : undefined;
    this.#schema = schema;
  }

  variable({ name, expression }: Part): AdmissionExpression {
    const compiled = this.compile(expression, undefined);
    this.variables.set(name, compiled);
    this.#types?.set(name, variableType(compiled.type));
    return compiled;
  }

  compile(source: string, wanted: WantedTypes, { authorizer = true, patches = false } = {}): AdmissionExpression {
    const readable = { ...this.#schema, params: this.#params, authorizer, patches, variables: this.#types };
    return compileAdmission(source, readable, wanted);
  }
}
