// Match conditions of an authorization webhook: CEL over the SubjectAccessReview.
// https://kubernetes.io/docs/reference/access-authn-authz/authorization/#using-configuration-file-for-authorization

import { type FieldError, invalidValue } from '../../../api/api.ts';
import {
  CelSyntaxError,
  celEnvironment,
  checkExpression,
  type Expression,
  fromUntyped,
  ProgramFault,
  StructValue,
  type Value,
} from '../../../machinery/cel/cel.ts';
import type { StructDeclaration } from '../../../machinery/cel/declarations.ts';
import { declareStruct } from '../../../machinery/cel/structs.ts';
import {
  boolType,
  formatType,
  listType,
  mapType,
  sameType,
  stringType,
  type Type,
} from '../../../machinery/cel/types.ts';
import type { ReviewSpec } from './review-spec.ts';

const structs = new Map<string, StructDeclaration>();
const declare = (name: string, fields: Readonly<Record<string, Type>>) => declareStruct(structs, name, fields);

const strings = listType(stringType);
const requirement = declare('SelectorRequirement', { key: stringType, operator: stringType, values: strings });
const selector = { rawSelector: stringType, requirements: listType(requirement) };
const resourceAttributes = declare('ResourceAttributes', {
  namespace: stringType,
  verb: stringType,
  group: stringType,
  version: stringType,
  resource: stringType,
  subresource: stringType,
  name: stringType,
  fieldSelector: declare('FieldSelectorAttributes', selector),
  labelSelector: declare('LabelSelectorAttributes', selector),
});
const request = declare('SubjectAccessReviewSpec', {
  resourceAttributes,
  nonResourceAttributes: declare('NonResourceAttributes', { path: stringType, verb: stringType }),
  user: stringType,
  groups: strings,
  extra: mapType(stringType, strings),
  uid: stringType,
});
const environment = celEnvironment({ variables: [{ name: 'request', type: request }], structs });

interface MatchCondition {
  readonly faults: readonly FieldError[];
  readonly program?: Expression;
}

export function compileMatchCondition(source: string, path: string): MatchCondition {
  const fault = (detail: string): MatchCondition => ({ faults: [invalidValue(path, source, detail)] });
  try {
    const checked = checkExpression(source, environment);
    if (!sameType(checked.type, boolType)) return fault(`must evaluate to bool but got ${formatType(checked.type)}`);
    return { faults: [], program: checked.program() };
  } catch (error) {
    if (error instanceof CelSyntaxError) return fault(`compilation failed: ${error.message}`);
    if (error instanceof ProgramFault) return fault(`program instantiation failed: ${error.message}`);
    throw error;
  }
}

const callLimit = 1_000_000;

/** False as soon as one condition is false. Otherwise throws an Error with the failed ones, if any. */
export function matchesAll(programs: readonly Expression[], spec: ReviewSpec): boolean {
  const variables = { request: requestOf(spec) };
  const failures: string[] = [];
  for (const program of programs)
    try {
      if (program.run(variables, callLimit) === false) return false;
    } catch (error) {
      failures.push(
        `cel evaluation error: expression '${program.source}' resulted in error: ${(error as Error).message}`,
      );
    }
  if (failures.length > 0) throw new Error(failures.join(', '));
  return true;
}

const struct = (name: string, fields: Readonly<Record<string, Value>>): StructValue =>
  new StructValue(`kubernetes.${name}`, new Map(Object.entries(fields)));

/** Texts that are absent are empty; the attributes of the other kind of request are absent. */
function requestOf({ user = '', groups = [], uid = '', extra = {}, ...spec }: ReviewSpec): Value {
  const { resourceAttributes: resource, nonResourceAttributes: other } = spec;
  return struct('SubjectAccessReviewSpec', {
    user,
    uid,
    groups: fromUntyped(groups),
    extra: fromUntyped(extra),
    ...(resource && { resourceAttributes: resourceOf(resource) }),
    ...(other && { nonResourceAttributes: struct('NonResourceAttributes', { ...other }) }),
  });
}

function resourceOf(resource: NonNullable<ReviewSpec['resourceAttributes']>): Value {
  const { fieldSelector, labelSelector, ...texts } = resource;
  const of = (name: string, given: typeof fieldSelector): Value =>
    struct(name, { requirements: fromUntyped(given?.requirements ?? []) });
  return struct('ResourceAttributes', {
    ...texts,
    ...(fieldSelector && { fieldSelector: of('FieldSelectorAttributes', fieldSelector) }),
    ...(labelSelector && { labelSelector: of('LabelSelectorAttributes', labelSelector) }),
  });
}
