// The variables of admission expressions, and their types.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#validation-expression

import { celEnvironment } from '../../machinery/cel/cel.ts';
import type { Environment, StructDeclaration, Variable } from '../../machinery/cel/declarations.ts';
import { authorizerType, resourceCheckType } from '../../machinery/cel/libraries/authorization.ts';
import { declareStruct } from '../../machinery/cel/structs.ts';
import {
  boolType,
  dynType,
  intType,
  isDyn,
  listType,
  mapType,
  stringType,
  structType,
  type Type,
  timestampType,
} from '../../machinery/cel/types.ts';

const kubernetesTypes = new Map<string, StructDeclaration>();
const declare = (name: string, fields: Readonly<Record<string, Type>>) => declareStruct(kubernetesTypes, name, fields);

const strings = listType(stringType);
const stringMap = mapType(stringType, stringType);

const kind = declare('GroupVersionKind', { group: stringType, version: stringType, kind: stringType });
const resource = declare('GroupVersionResource', { group: stringType, version: stringType, resource: stringType });

const requestType = declare('AdmissionRequest', {
  kind,
  resource,
  subResource: stringType,
  requestKind: kind,
  requestResource: resource,
  requestSubResource: stringType,
  name: stringType,
  namespace: stringType,
  operation: stringType,
  userInfo: declare('UserInfo', {
    username: stringType,
    uid: stringType,
    groups: strings,
    extra: mapType(stringType, strings),
  }),
  dryRun: boolType,
  options: dynType,
});

const namespaceType = declare('Namespace', {
  metadata: declare('NamespaceMetadata', {
    name: stringType,
    generateName: stringType,
    namespace: stringType,
    labels: stringMap,
    annotations: stringMap,
    UID: stringType,
    creationTimestamp: timestampType,
    deletionGracePeriodSeconds: intType,
    deletionTimestamp: timestampType,
    generation: intType,
    resourceVersion: stringType,
    finalizers: strings,
  }),
  spec: declare('NamespaceSpec', { finalizers: strings }),
  status: declare('NamespaceStatus', {
    conditions: listType(
      declare('NamespaceCondition', {
        status: stringType,
        type: stringType,
        lastTransitionTime: timestampType,
        message: stringType,
        reason: stringType,
      }),
    ),
    phase: stringType,
  }),
});

/** Object, Object.spec and so on: their fields are not declared. */
const anyObject: StructDeclaration = { field: () => dynType };
const patchFields: Readonly<Record<string, Type>> = {
  op: stringType,
  path: stringType,
  from: stringType,
  value: dynType,
};
const jsonPatch: StructDeclaration = {
  field: (name) => (Object.hasOwn(patchFields, name) ? patchFields[name] : undefined),
};
const patchType = (name: string): StructDeclaration | undefined => {
  if (name === 'JSONPatch') return jsonPatch;
  return name === 'Object' || name.startsWith('Object.') ? anyObject : undefined;
};

export interface Readable {
  readonly params: boolean;
  readonly authorizer: boolean;
  /** The types that a mutation makes. */
  readonly patches?: boolean;
  /** Types of `variables`; undefined if the expression has none. */
  readonly variables?: ReadonlyMap<string, Type> | undefined;
  /** Types of the object and the parameters, if declared; otherwise `dyn`. */
  readonly object?: Type;
  readonly paramsType?: Type;
  readonly structs?: ReadonlyMap<string, StructDeclaration>;
}

const variablesName = 'kubernetes.variables';

export function admissionEnvironment(readable: Readable): Environment {
  const { params, authorizer, patches = false, variables, object = dynType, paramsType = dynType, structs } = readable;
  const declared: Variable[] = [
    { name: 'object', type: object },
    { name: 'oldObject', type: object },
    { name: 'namespaceObject', type: namespaceType },
    { name: 'request', type: requestType },
  ];
  if (params) declared.push({ name: 'params', type: paramsType });
  if (authorizer)
    declared.push(
      { name: 'authorizer', type: authorizerType },
      { name: 'authorizer.requestResource', type: resourceCheckType },
    );
  if (variables) declared.push({ name: 'variables', type: structType(variablesName) });
  const ownVariables: StructDeclaration = { field: (name) => variables?.get(name) };
  return celEnvironment({
    variables: declared,
    mutation: patches,
    structs: {
      get: (name) =>
        name === variablesName && variables
          ? ownVariables
          : (kubernetesTypes.get(name) ?? (patches ? patchType(name) : undefined) ?? structs?.get(name)),
    },
  });
}

/** A variable's type for its users: message types become dyn. */
export function variableType(type: Type | undefined): Type {
  if (!type || isDyn(type) || type.kind === 'struct' || type.kind === 'opaque' || type.kind === 'type') return dynType;
  return type.params.length ? { ...type, params: type.params.map(variableType) } : type;
}
