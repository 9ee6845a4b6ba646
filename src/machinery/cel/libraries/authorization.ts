// authorizer: checks whether the user of a request may do another action.
// https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-authorizer-library

import { dns1123LabelFaults, dns1123SubdomainFaults } from '../../text/names.ts';
import {
  add,
  type CostRange,
  fixed,
  listCost,
  scale,
  sizeEstimate,
  stringFactor,
  structCost,
} from '../cost/cost-range.ts';
import {
  type CallCost,
  type CallEstimator,
  type FunctionDeclaration,
  type Implementation,
  type Library,
  member,
  type Overload,
} from '../declarations.ts';
import { boolType, stringType, structType, type Type } from '../types.ts';
import { CelObject, fail, sizeOf, type Value } from '../values.ts';
import { nominal } from './kubernetes.ts';

const typeNamed = (name: string): Type => structType(`kubernetes.authorization.${name}`);
export const authorizerType = typeNamed('Authorizer');
const pathCheckType = typeNamed('PathCheck');
const groupCheckType = typeNamed('GroupCheck');
export const resourceCheckType = typeNamed('ResourceCheck');
const decisionType = typeNamed('Decision');

export interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
  readonly error?: string | undefined;
}

/** The subject of a check: a resource, or a path without one. */
export interface AccessQuestion {
  /** Undefined: the request's user. */
  readonly serviceAccount: { readonly namespace: string; readonly name: string } | undefined;
  readonly verb: string;
  readonly path?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

type Ask = (question: AccessQuestion) => Decision;

abstract class Check extends CelObject {
  equals(other: Value): boolean | undefined {
    return other instanceof Check ? other === this : undefined;
  }
}

export class AuthorizerValue extends Check {
  readonly typeName = authorizerType.name;
  readonly ask: Ask;
  readonly serviceAccount: AccessQuestion['serviceAccount'];
  /** `authorizer.requestResource`. */
  readonly #requestResource: ResourceCheckValue | undefined;
  constructor(ask: Ask, requestResource?: Partial<AccessQuestion>, serviceAccount?: AccessQuestion['serviceAccount']) {
    super();
    this.ask = ask;
    this.serviceAccount = serviceAccount;
    this.#requestResource = requestResource && new ResourceCheckValue(this, requestResource);
  }
  override field(name: string): Value | undefined {
    return name === 'requestResource' ? this.#requestResource : undefined;
  }
}

class PathCheckValue extends Check {
  readonly typeName = pathCheckType.name;
  readonly authorizer: AuthorizerValue;
  readonly path: string;
  constructor(authorizer: AuthorizerValue, path: string) {
    super();
    this.authorizer = authorizer;
    this.path = path;
  }
}

class GroupCheckValue extends Check {
  readonly typeName = groupCheckType.name;
  readonly authorizer: AuthorizerValue;
  readonly group: string;
  constructor(authorizer: AuthorizerValue, group: string) {
    super();
    this.authorizer = authorizer;
    this.group = group;
  }
}

export class ResourceCheckValue extends Check {
  readonly typeName = resourceCheckType.name;
  readonly authorizer: AuthorizerValue;
  readonly question: Partial<AccessQuestion>;
  constructor(authorizer: AuthorizerValue, question: Partial<AccessQuestion>) {
    super();
    this.authorizer = authorizer;
    this.question = question;
  }
}

class DecisionValue extends Check {
  readonly typeName = decisionType.name;
  readonly decision: Decision;
  constructor(decision: Decision) {
    super();
    this.decision = decision;
  }
}

function serviceAccountOf(authorizer: AuthorizerValue, namespace: string, name: string): AuthorizerValue {
  if (dns1123SubdomainFaults(name).length) return fail('Invalid service account name');
  if (dns1123LabelFaults(namespace).length) return fail('Invalid service account namespace');
  return new AuthorizerValue(authorizer.ask, undefined, { namespace, name });
}

const notEmpty = (text: string, label: string): string => (text.trim() ? text : fail(`${label} must not be empty`));

/** A check is so dear that an expression can have two. */
const checkCost = 350_000;

const oneOf = (name: string, overloads: readonly Overload[]): FunctionDeclaration => ({ name, overloads, ...nominal });
const builder = (name: string, id: string, on: Type, result: Type, call: Implementation): FunctionDeclaration =>
  oneOf(name, [member(id, [on, stringType], result, call)]);
const read = (name: string, result: Type, call: (decision: Decision) => Value): FunctionDeclaration =>
  oneOf(name, [member(`decision_${name}`, [decisionType], result, ({ decision }: DecisionValue) => call(decision))]);

const refine = (name: 'subresource' | 'namespace' | 'name', id: string): FunctionDeclaration =>
  builder(
    name,
    id,
    resourceCheckType,
    resourceCheckType,
    (check: ResourceCheckValue, text: string) =>
      new ResourceCheckValue(check.authorizer, { ...check.question, [name]: text }),
  );

/** Parsing a selector, and a list entry for each two characters. */
function selectorEstimate(length: CostRange): CostRange {
  const requirements = scale(scale(length, 0.5), listCost + structCost);
  return add(add(fixed(listCost), scale(length, stringFactor)), requirements);
}

const selecting: { cost: CallCost; estimate: CallEstimator } = {
  cost: (args) => selectorEstimate(fixed(sizeOf(args[1] as Value) ?? 1)).max,
  estimate: ({ args }, estimator) => args[0] && { cost: selectorEstimate(sizeEstimate(args[0], estimator)) },
};

const selector = (name: 'fieldSelector' | 'labelSelector'): FunctionDeclaration => ({
  ...builder(
    name,
    `authorizer_${name.toLowerCase()}`,
    resourceCheckType,
    resourceCheckType,
    (check: ResourceCheckValue, text: string) =>
      new ResourceCheckValue(check.authorizer, { ...check.question, [name]: text }),
  ),
  ...selecting,
});

const check: FunctionDeclaration = {
  name: 'check',
  overloads: [
    member(
      'pathcheck_check',
      [pathCheckType, stringType],
      decisionType,
      ({ authorizer, path }: PathCheckValue, verb: string) =>
        new DecisionValue(authorizer.ask({ serviceAccount: authorizer.serviceAccount, verb, path })),
    ),
    member(
      'resourcecheck_check',
      [resourceCheckType, stringType],
      decisionType,
      ({ authorizer, question }: ResourceCheckValue, verb: string) =>
        new DecisionValue(authorizer.ask({ serviceAccount: authorizer.serviceAccount, ...question, verb })),
    ),
  ],
  cost: () => checkCost,
  estimate: () => ({ cost: fixed(checkCost) }),
};

export const authorization: Library = {
  functions: [
    builder(
      'path',
      'authorizer_path',
      authorizerType,
      pathCheckType,
      (authorizer: AuthorizerValue, path: string) => new PathCheckValue(authorizer, notEmpty(path, 'path')),
    ),
    builder(
      'group',
      'authorizer_group',
      authorizerType,
      groupCheckType,
      (authorizer: AuthorizerValue, group: string) => new GroupCheckValue(authorizer, group),
    ),
    oneOf('serviceAccount', [
      member('authorizer_serviceaccount', [authorizerType, stringType, stringType], authorizerType, serviceAccountOf),
    ]),
    builder(
      'resource',
      'groupcheck_resource',
      groupCheckType,
      resourceCheckType,
      ({ authorizer, group }: GroupCheckValue, resource: string) =>
        new ResourceCheckValue(authorizer, { group, resource: notEmpty(resource, 'resource') }),
    ),
    refine('subresource', 'resourcecheck_subresource'),
    refine('namespace', 'resourcecheck_namespace'),
    refine('name', 'resourcecheck_name'),
    selector('fieldSelector'),
    selector('labelSelector'),
    check,
    read('errored', boolType, ({ error }) => error !== undefined),
    read('error', stringType, ({ error }) => error ?? ''),
    read('allowed', boolType, ({ allowed }) => allowed),
    read('reason', stringType, ({ reason }) => reason),
  ],
};
