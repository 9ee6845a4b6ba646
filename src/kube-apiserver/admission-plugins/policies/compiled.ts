// Compiled expressions of policies and webhooks, cached with their object.

import {
  type AdmissionExpression,
  type ApiObject,
  type AuditAnnotation,
  compileAdmission,
  type MatchCondition,
  type Mutation,
  PolicyCompiler,
  type Validation,
  type Variable,
  wantsBool,
  wantsObject,
  wantsPatches,
  wantsString,
  wantsStringOrNull,
} from '../../../api/api.ts';
import type { PolicySpec } from './cases.ts';
import type { Variables } from './round.ts';

interface Compiled {
  readonly variables: Variables;
  readonly conditions: readonly AdmissionExpression[];
}

interface CompiledValidation {
  readonly validation: Validation;
  readonly expression: AdmissionExpression;
  readonly message: AdmissionExpression | undefined;
}

export interface CompiledValidating extends Compiled {
  readonly validations: readonly CompiledValidation[];
  readonly annotations: readonly { readonly key: string; readonly expression: AdmissionExpression }[];
}

export interface CompiledMutation {
  readonly patchType: string;
  readonly expression: AdmissionExpression;
}

interface CompiledMutating extends Compiled {
  readonly mutations: readonly CompiledMutation[];
}

/** Stored objects do not change: a policy that was written again is another one. */
function remembered<K extends object, V>(compile: (key: K) => V): (key: K) => V {
  const compiled = new WeakMap<K, V>();
  return (key) => {
    let made = compiled.get(key);
    if (made === undefined) {
      made = compile(key);
      compiled.set(key, made);
    }
    return made;
  };
}

function start({ variables = [], matchConditions = [], paramKind }: PolicySpec) {
  const compiler = new PolicyCompiler({ params: Boolean(paramKind), composes: true });
  for (const variable of variables as readonly Variable[]) compiler.variable(variable);
  const conditions = matchConditions.map(({ expression }) => compiler.compile(expression, wantsBool));
  return { compiler, compiled: { variables: compiler.variables, conditions } };
}

interface ValidatingSpec extends PolicySpec {
  readonly validations?: readonly Validation[];
  readonly auditAnnotations?: readonly AuditAnnotation[];
}

export const compiledValidating = remembered(({ spec }: ApiObject & { spec: ValidatingSpec }): CompiledValidating => {
  const { compiler, compiled } = start(spec);
  const message = (source: string | undefined) =>
    source ? compiler.compile(source, wantsString, { authorizer: false }) : undefined;
  return {
    ...compiled,
    validations: (spec.validations ?? []).map((validation) => ({
      validation,
      expression: compiler.compile(validation.expression, wantsBool),
      message: message(validation.messageExpression),
    })),
    annotations: (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      expression: compiler.compile(valueExpression, wantsStringOrNull),
    })),
  };
});

interface MutatingSpec extends PolicySpec {
  readonly mutations?: readonly Mutation[];
}

export const compiledMutating = remembered(({ spec }: ApiObject & { spec: MutatingSpec }): CompiledMutating => {
  const { compiler, compiled } = start(spec);
  const mutations = (spec.mutations ?? []).map(({ patchType, applyConfiguration, jsonPatch }) => {
    const isPatch = patchType === 'JSONPatch';
    const source = (isPatch ? jsonPatch : applyConfiguration)?.expression ?? '';
    return { patchType, expression: compiler.compile(source, isPatch ? wantsPatches : wantsObject, { patches: true }) };
  });
  return { ...compiled, mutations };
});

/** The conditions of a webhook. */
export const compiledConditions = remembered((conditions: readonly MatchCondition[]): readonly AdmissionExpression[] =>
  conditions.map(({ expression }) => compileAdmission(expression, { params: false, authorizer: true }, wantsBool)),
);
