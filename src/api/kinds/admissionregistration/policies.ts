// Admission policies written in CEL, and their bindings. Expressions are compiled, so that a wrong one is refused at once.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/

import { CelError, compileCel } from '../../cel/cel.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, notSupported, oneOf, required } from '../../fields.ts';
import type { KindBehaviour } from '../../kind.ts';
import { unset } from '../cells.ts';
import { validateRules } from './rules.ts';

function defaultMatch(match: any): void {
  if (!match) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= '*';
}

/** What expressions may read; variables of the policy's own only where it has some. */
const readable = ['object', 'oldObject', 'request', 'params', 'namespaceObject'];

function expressionFaults(expression: string, path: string, variables: readonly string[], type?: string): FieldError[] {
  if (!expression.trim()) return [];
  try {
    const program = compileCel(expression, variables);
    return !type || program.type === type || program.type === 'dyn'
      ? []
      : [invalidValue(path, expression, `must evaluate to ${type} but got ${program.type}`)];
  } catch (error) {
    if (error instanceof CelError) return [invalidValue(path, expression, error.message)];
    throw error;
  }
}

function validatePolicy(policy: any, parts: 'validations' | 'mutations'): FieldError[] {
  const { spec = {} } = policy;
  const errors: FieldError[] = oneOf('spec.failurePolicy', spec.failurePolicy, ['Fail', 'Ignore']);
  const constraints = spec.matchConstraints;
  if (!constraints) errors.push(required('spec.matchConstraints'));
  else {
    if (!constraints.resourceRules?.length) errors.push(required('spec.matchConstraints.resourceRules'));
    errors.push(...validateRules(constraints.resourceRules ?? [], 'spec.matchConstraints.resourceRules'));
    errors.push(...validateRules(constraints.excludeResourceRules ?? [], 'spec.matchConstraints.excludeResourceRules'));
  }
  if (spec.paramKind && !spec.paramKind.kind) errors.push(required('spec.paramKind.kind'));
  if (parts === 'validations' && !spec.validations?.length && !spec.auditAnnotations?.length) {
    const message = 'validations or auditAnnotations must contain at least one item';
    errors.push(required('spec.validations', message), required('spec.auditAnnotations', message));
  }
  const variables = [...readable, ...(spec.variables?.length ? ['variables'] : [])];
  for (const [index, { expression }] of (spec.matchConditions ?? []).entries())
    errors.push(...expressionFaults(expression ?? '', `spec.matchConditions[${index}].expression`, readable, 'bool'));
  for (const [index, { expression }] of (spec.variables ?? []).entries())
    errors.push(...expressionFaults(expression ?? '', `spec.variables[${index}].expression`, variables));
  for (const [index, { applyConfiguration, jsonPatch }] of (spec.mutations ?? []).entries())
    for (const [field, part] of Object.entries({ applyConfiguration, jsonPatch }))
      if (part)
        errors.push(
          ...expressionFaults(part.expression ?? '', `spec.mutations[${index}].${field}.expression`, variables),
        );
  const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];
  for (const [index, { expression, reason }] of (spec.validations ?? []).entries()) {
    const path = `spec.validations[${index}]`;
    if (!expression?.trim()) errors.push(required(`${path}.expression`, 'expression is not specified'));
    else errors.push(...expressionFaults(expression, `${path}.expression`, variables, 'bool'));
    if (reason !== undefined && !reasons.includes(reason))
      errors.push(notSupported(`${path}.reason`, reason, reasons.slice(0, 3)));
  }
  return errors;
}

const policyStrategy = (parts: 'validations' | 'mutations'): KindBehaviour['strategy'] => ({
  setDefaults(policy) {
    policy.spec ??= {};
    policy.spec.failurePolicy ??= 'Fail';
    defaultMatch(policy.spec.matchConstraints);
    if (parts === 'mutations') policy.spec.reinvocationPolicy ??= 'Never';
  },
  validate: (policy) => validatePolicy(policy, parts),
});

const paramKind = (policy: any) => {
  const kind = policy.spec?.paramKind;
  return kind ? `${kind.apiVersion}/${kind.kind}` : unset;
};

export const validatingAdmissionPolicy: KindBehaviour = {
  hasGeneration: true,
  cells: { Validations: (policy) => policy.spec?.validations?.length ?? 0, ParamKind: paramKind },
  strategy: policyStrategy('validations'),
};

export const mutatingAdmissionPolicy: KindBehaviour = {
  hasGeneration: true,
  cells: { Mutations: (policy) => policy.spec?.mutations?.length ?? 0, ParamKind: paramKind },
  strategy: policyStrategy('mutations'),
};

const actions = ['Audit', 'Deny', 'Warn'];

const binding = (validating: boolean): KindBehaviour => ({
  hasGeneration: true,
  cells: {
    PolicyName: (b) => b.spec?.policyName ?? '',
    ParamRef: (b) => {
      const ref = b.spec?.paramRef;
      if (!ref) return unset;
      return ref.namespace ? `${ref.namespace}/${ref.name || '*'}` : `*/${ref.name || '*'}`;
    },
  },
  strategy: {
    setDefaults: (b) => defaultMatch(b.spec?.matchResources),
    validate(b) {
      const { policyName, validationActions = [], paramRef } = b.spec ?? {};
      const errors: FieldError[] = policyName ? [] : [required('spec.policyName')];
      if (paramRef && !paramRef.parameterNotFoundAction) errors.push(required('spec.paramRef.parameterNotFoundAction'));
      if (!validating) return errors;
      if (!validationActions.length)
        errors.push(required('spec.validationActions', 'at least one validation action is required'));
      for (const [index, action] of validationActions.entries())
        if (!actions.includes(action)) errors.push(notSupported(`spec.validationActions[${index}]`, action, actions));
      return errors;
    },
  },
});

export const validatingAdmissionPolicyBinding = binding(true);
export const mutatingAdmissionPolicyBinding = binding(false);
