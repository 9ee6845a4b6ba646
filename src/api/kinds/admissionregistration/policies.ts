// Admission policies written in CEL. Validation compiles the expressions, so that wrong ones are rejected at once.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/

import {
  byteLength,
  dns1035LabelFaults,
  dns1123SubdomainFaults,
  qualifiedNameFaults,
} from '../../../machinery/text/names.ts';
import {
  PolicyCompiler,
  wantsBool,
  wantsObject,
  wantsPatches,
  wantsString,
  wantsStringOrNull,
} from '../../cel/admission-expressions.ts';
import { readJsonPath } from '../../custom/json-path.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValue, invalidValues, notSupported, oneOf, required } from '../../fields.ts';
import type {
  AuditAnnotation,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicySpec,
  Mutation,
  ParamKind,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicySpec,
  Validation,
  Variable,
} from '../../generated/types.ts';
import type { KindBehaviour, Strategy } from '../../kind.ts';
import { validateConditions } from '../../validation/conditions.ts';
import { choice, each, need, type Rule, struct } from '../../validation/rules.ts';
import { unset } from '../cells.ts';
import { keepMetadata } from '../keep-metadata.ts';
import { defaultMatch, expressionFaults, validateMatch, validateMatchConditions } from './match.ts';
import { validateMutatingOperations } from './rules.ts';

/** Fields that both kinds of policies share. */
function validateCommon(spec: ValidatingAdmissionPolicySpec | MutatingAdmissionPolicySpec): FieldError[] {
  const { failurePolicy, paramKind, matchConstraints, matchConditions } = spec;
  const errors: FieldError[] = oneOf('spec.failurePolicy', failurePolicy, ['Fail', 'Ignore']);
  if (paramKind) errors.push(...paramKindFaults(paramKind, 'spec.paramKind'));
  if (!matchConstraints) errors.push(required('spec.matchConstraints'));
  else {
    errors.push(...validateMatch(matchConstraints, 'spec.matchConstraints'));
    if (!matchConstraints.resourceRules?.length) errors.push(required('spec.matchConstraints.resourceRules'));
  }
  errors.push(...validateMatchConditions(matchConditions, Boolean(paramKind), 'spec.matchConditions'));
  return errors;
}

function paramKindFaults({ apiVersion, kind }: ParamKind, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const at = `${path}.apiVersion`;
  const parts = (apiVersion ?? '').split('/');
  const [group, version] = parts.length > 1 ? parts : ['', parts[0]];
  if (!apiVersion) errors.push(required(at));
  else if (parts.length > 2) errors.push(invalidValue(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  else {
    const groupFaults = group ? dns1123SubdomainFaults(group) : [];
    if (groupFaults.length) errors.push(invalidValue(at, group, groupFaults.join(',')));
    const versionFaults = dns1035LabelFaults(version);
    if (!version) errors.push(invalidValue(at, apiVersion, 'version must be specified'));
    else if (versionFaults.length) errors.push(invalidValue(at, version, versionFaults.join(',')));
  }
  const kindFaults = dns1035LabelFaults((kind ?? '').toLowerCase());
  if (!kind) errors.push(required(`${path}.kind`));
  else if (kindFaults.length)
    errors.push(
      invalidValue(`${path}.kind`, kind, `may have mixed case, but should otherwise match: ${kindFaults.join(',')}`),
    );
  return errors;
}

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const isIdentifier = (name: string) => /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) && !reserved.has(name);

function variableFaults({ name, expression }: Variable, compiler: PolicyCompiler, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!name?.trim()) errors.push(required(`${path}.name`, 'name is not specified'));
  else if (!isIdentifier(name)) errors.push(invalidValue(`${path}.name`, name, 'must be a valid CEL identifier'));
  if (!expression?.trim()) errors.push(required(`${path}.expression`, 'expression is not specified'));
  else errors.push(...expressionFaults(compiler.variable({ name, expression }), `${path}.expression`));
  return errors;
}

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];
const notBlank = 'must be non-empty if specified';

function validationFaults(validation: Validation, compiler: PolicyCompiler, path: string): FieldError[] {
  const { expression, message, messageExpression, reason } = validation;
  const errors: FieldError[] = [];
  if (!expression?.trim()) errors.push(required(`${path}.expression`, 'expression is not specified'));
  else errors.push(...expressionFaults(compiler.compile(expression, wantsBool), `${path}.expression`));
  if (messageExpression && !messageExpression.trim())
    errors.push(invalidValue(`${path}.messageExpression`, messageExpression, notBlank));
  else if (messageExpression) {
    const compiled = compiler.compile(messageExpression, wantsString, { authorizer: false });
    errors.push(...expressionFaults(compiled, `${path}.messageExpression`));
  }
  if (message && !message.trim()) errors.push(invalidValue(`${path}.message`, message, notBlank));
  else if (/[\n\r]/.test((message ?? '').trim()))
    errors.push(invalidValue(`${path}.message`, message, 'must not contain line breaks'));
  return [...errors, ...oneOf(`${path}.reason`, reason, reasons)];
}

const mostAnnotations = 20;
const longestAnnotation = 5 * 1024;

function annotationFaults(
  annotations: readonly AuditAnnotation[],
  name: string,
  compiler: PolicyCompiler,
): FieldError[] {
  const path = 'spec.auditAnnotations';
  const errors: FieldError[] = [];
  if (annotations.length > mostAnnotations)
    errors.push(invalidValue(path, annotations, `must not have more than ${mostAnnotations} auditAnnotations`));
  const keys = new Set<string>();
  for (const [index, { key, valueExpression }] of annotations.entries()) {
    const at = `${path}[${index}]`;
    errors.push(...annotationKeyFaults(key, name, `${at}.key`));
    const trimmed = (valueExpression ?? '').trim();
    if (!trimmed) errors.push(required(`${at}.valueExpression`, 'valueExpression is not specified'));
    else if (byteLength(trimmed) > longestAnnotation)
      errors.push(required(`${at}.valueExpression`, `must not exceed ${longestAnnotation} bytes in length`));
    else {
      const compiled = compiler.compile(trimmed, wantsStringOrNull);
      errors.push(...expressionFaults(compiled, `${at}.valueExpression`, valueExpression));
    }
    if (keys.has(key)) errors.push(duplicate(`${at}.key`, key));
    keys.add(key);
  }
  return errors;
}

/** In the event, the policy's name precedes the key. */
function annotationKeyFaults(key: string, name: string, path: string): FieldError[] {
  if (!name) return [invalidValue(path, key, 'requires metadata.name be non-empty')];
  const full = `${name}/${key}`;
  return invalidValues(path, full, qualifiedNameFaults(full));
}

function validateValidating({ metadata, spec = {} }: ValidatingAdmissionPolicy): FieldError[] {
  const { variables = [], validations = [], auditAnnotations = [], paramKind } = spec;
  const compiler = new PolicyCompiler({ params: Boolean(paramKind), composes: variables.length > 0 });
  const errors = validateCommon(spec);
  for (const [index, variable] of variables.entries())
    errors.push(...variableFaults(variable, compiler, `spec.variables[${index}]`));
  if (!validations.length && !auditAnnotations.length) {
    const message = 'validations or auditAnnotations must contain at least one item';
    errors.push(required('spec.validations', message), required('spec.auditAnnotations', message));
  }
  for (const [index, validation] of validations.entries())
    errors.push(...validationFaults(validation, compiler, `spec.validations[${index}]`));
  return [...errors, ...annotationFaults(auditAnnotations, metadata?.name ?? '', compiler)];
}

const patches = [
  { type: 'ApplyConfiguration', field: 'applyConfiguration', wanted: wantsObject },
  { type: 'JSONPatch', field: 'jsonPatch', wanted: wantsPatches },
] as const;

function mutationFaults(mutation: Mutation, compiler: PolicyCompiler, path: string): FieldError[] {
  const { patchType } = mutation;
  if (!patchType) return [required(`${path}.patchType`)];
  const chosen = patches.find(({ type }) => type === patchType);
  if (!chosen) return [notSupported(`${path}.patchType`, patchType, patches.map(({ type }) => type).sort())];
  const errors: FieldError[] = [];
  const at = `${path}.${chosen.field}`;
  const expression = mutation[chosen.field]?.expression?.trim();
  if (!mutation[chosen.field]) errors.push(required(at, `must be specified when patchType is ${patchType}`));
  else if (!expression) errors.push(required(`${at}.expression`));
  else {
    const compiled = compiler.compile(expression, chosen.wanted, { patches: true });
    errors.push(...expressionFaults(compiled, `${at}.expression`));
  }
  for (const { field } of patches)
    if (field !== chosen.field && mutation[field])
      errors.push(
        invalidValue(`${path}.${field}`, `{${field}}`, `must not be specified when patchType is ${patchType}`),
      );
  return errors;
}

function validateMutating({ spec = {} }: MutatingAdmissionPolicy): FieldError[] {
  const { variables = [], mutations = [], paramKind, matchConstraints, reinvocationPolicy } = spec;
  const compiler = new PolicyCompiler({ params: Boolean(paramKind), composes: true });
  const errors = validateCommon(spec);
  errors.push(...validateMutatingOperations(matchConstraints?.resourceRules, 'spec.matchConstraints.resourceRules'));
  for (const [index, variable] of variables.entries())
    errors.push(...variableFaults(variable, compiler, `spec.variables[${index}]`));
  if (!mutations.length) errors.push(required('spec.mutations', 'mutations must contain at least one item'));
  for (const [index, mutation] of mutations.entries())
    errors.push(...mutationFaults(mutation, compiler, `spec.mutations[${index}]`));
  return [...errors, ...choice('IfNeeded', 'Never')(reinvocationPolicy, 'spec.reinvocationPolicy')];
}

type Policy = ValidatingAdmissionPolicy | MutatingAdmissionPolicy;

const policyStrategy = <T extends Policy>(validate: (policy: T) => FieldError[]): Strategy<T> => ({
  setDefaults(policy) {
    policy.spec ??= {};
    policy.spec.failurePolicy ??= 'Fail';
    defaultMatch(policy.spec.matchConstraints);
  },
  allowUnconditionalUpdate: false,
  plainFinalizers: true,
  metadataOnUpdate: ['whole'],
  validate,
});

const paramKindCell = (policy: Policy) => {
  const kind = policy.spec?.paramKind;
  return kind ? `${kind.apiVersion}/${kind.kind}` : unset;
};

const fieldReference: Rule = (reference: string | undefined, path) => {
  const trimmed = reference?.trim();
  if (!trimmed) return [required(path)];
  return readJsonPath(trimmed) ? [] : [invalidValue(path, trimmed, 'invalid JSONPath')];
};

const validatingStatus = struct({
  typeChecking: struct({ expressionWarnings: each(struct({ warning: need(), fieldRef: fieldReference })) }),
  conditions: validateConditions,
});

export const validatingAdmissionPolicy: KindBehaviour<ValidatingAdmissionPolicy> = {
  hasGeneration: true,
  cells: { Validations: (policy) => policy.spec?.validations?.length ?? 0, ParamKind: paramKindCell },
  strategy: {
    ...policyStrategy(validateValidating),
    subresources: {
      status: {
        resetFields: [['metadata']],
        prepareForUpdate: keepMetadata,
        validateUpdate: ({ status }) => validatingStatus(status, 'status'),
      },
    },
  },
};

export const mutatingAdmissionPolicy: KindBehaviour<MutatingAdmissionPolicy> = {
  storedAs: 'admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy',
  hasGeneration: true,
  cells: { Mutations: (policy) => policy.spec?.mutations?.length ?? 0, ParamKind: paramKindCell },
  strategy: policyStrategy(validateMutating),
};
