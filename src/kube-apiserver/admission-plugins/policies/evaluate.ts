// What both kinds of policies do before they decide: find the bindings and parameters, and set out the variables.

import {
  type ApiObject,
  CelError,
  compileCel,
  type Kind,
  type MatchCondition,
  type MatchResources,
  type ParamKind,
  toCel,
  type Variable,
} from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import { labelSelector } from '../../../machinery/label-selector.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { groupVersion } from '../../registry/codec.ts';
import { cacheOf } from '../../registry/target.ts';
import { matches, namespaceOf } from './match.ts';

/** What an expression may read. */
export const policyVariables = ['object', 'oldObject', 'request', 'params', 'namespaceObject', 'variables'] as const;

interface PolicySpec {
  readonly failurePolicy?: 'Fail' | 'Ignore';
  readonly matchConstraints?: MatchResources;
  readonly matchConditions?: readonly MatchCondition[];
  readonly paramKind?: ParamKind;
  readonly variables?: readonly Variable[];
}

interface ParamRef {
  readonly name?: string;
  readonly namespace?: string;
  readonly parameterNotFoundAction?: string;
  readonly selector?: object;
}

export interface Policy extends ApiObject {
  readonly spec: PolicySpec;
}

export interface Binding extends ApiObject {
  readonly spec: {
    readonly policyName: string;
    readonly matchResources?: MatchResources;
    readonly paramRef?: ParamRef;
  };
}

/** One policy with one of its bindings and one parameter, about to be asked. */
export interface Case<P extends Policy, B extends Binding> {
  readonly policy: P;
  readonly binding: B;
  /** Set when the case cannot be asked: the binding's parameter is not there, or a condition cannot be evaluated. */
  readonly fault?: string;
  /** Throws CelError. */
  run(expression: string): any;
}

/** Objects of a resource of admissionregistration.k8s.io, as cached. */
export async function cached(attributes: AdmissionAttributes, resource: string): Promise<ApiObject[]> {
  const { server } = attributes;
  const kind = server.kinds.byResource('admissionregistration.k8s.io', 'v1', resource);
  if (!kind) return [];
  const loaded = cacheOf(server, kind);
  const cache = loaded instanceof Promise ? await loaded : loaded;
  const objects: ApiObject[] = [];
  if (cache.size)
    cache.tree.forEach(cache.prefix, `${cache.prefix.slice(0, -1)}0`, ({ object }) => void objects.push(object));
  return objects;
}

/** True when there is nothing of a resource, which most clusters and most writes find. */
export function hasNone({ server }: AdmissionAttributes, resource: string): boolean {
  const kind = server.kinds.byResource('admissionregistration.k8s.io', 'v1', resource);
  if (!kind) return true;
  const cache = cacheOf(server, kind);
  return !(cache instanceof Promise) && cache.size === 0;
}

/** The cases that a request is about, in the order of their names. Policies do not judge policies. */
export async function casesOf<P extends Policy, B extends Binding>(
  attributes: AdmissionAttributes,
  client: () => Client,
  resources: { readonly policies: string; readonly bindings: string },
): Promise<Case<P, B>[]> {
  if (attributes.kind.group === 'admissionregistration.k8s.io') return [];
  const policies = (await cached(attributes, resources.policies)) as P[];
  if (!policies.length) return [];
  const bindings = (await cached(attributes, resources.bindings)) as B[];
  const namespace = await namespaceOf(attributes, client());
  const found: Case<P, B>[] = [];
  for (const policy of policies) {
    if (!matches(policy.spec.matchConstraints, attributes, namespace)) continue;
    for (const binding of bindings) {
      if (binding.spec.policyName !== policy.metadata.name) continue;
      if (!matches(binding.spec.matchResources, attributes, namespace)) continue;
      found.push(...(await withParams(policy, binding, attributes, namespace, client())));
    }
  }
  return found;
}

async function withParams<P extends Policy, B extends Binding>(
  policy: P,
  binding: B,
  attributes: AdmissionAttributes,
  namespace: ApiObject | undefined,
  client: Client,
): Promise<Case<P, B>[]> {
  const { paramKind } = policy.spec;
  const { paramRef } = binding.spec;
  const make = (params: unknown) => caseOf(policy, binding, attributes, namespace, params);
  if (!paramKind || !paramRef) return [make(null)].flatMap((one) => one ?? []);
  const kind = attributes.server.kinds.byKind(...groupVersion(paramKind.apiVersion ?? ''), paramKind.kind ?? '');
  if (!kind)
    return [
      { policy, binding, fault: `failed to find resource referenced by paramKind: '${paramKind.kind}'`, run: never },
    ];
  const params = await paramsOf(kind, paramRef, attributes.namespace, client);
  if (params.length) return params.flatMap((one) => make(toCel(kind.schema, one)) ?? []);
  if (paramRef.parameterNotFoundAction !== 'Deny') return [make(null)].flatMap((one) => one ?? []);
  const fault = 'no params found for policy binding with `Deny` parameterNotFoundAction';
  return [{ policy, binding, fault, run: never }];
}

const never = () => {
  throw new CelError('this case cannot be asked');
};

async function paramsOf(kind: Kind, ref: ParamRef, ownNamespace: string, client: Client): Promise<ApiObject[]> {
  const namespace = kind.namespaced ? ref.namespace || ownNamespace : undefined;
  const { items } = await client.list(kind, { ...(namespace && { namespace }) });
  if (ref.name) return items.filter(({ metadata }) => metadata.name === ref.name);
  const selector = labelSelector(ref.selector as never);
  return items.filter(({ metadata }) => selector.matches(metadata.labels ?? {}));
}

/** Undefined when a condition says that the policy is not about this. */
function caseOf<P extends Policy, B extends Binding>(
  policy: P,
  binding: B,
  attributes: AdmissionAttributes,
  namespace: ApiObject | undefined,
  params: unknown,
): Case<P, B> | undefined {
  const { run } = variablesOf(attributes, namespace, params, policy.spec.variables);
  let fault: string | undefined;
  for (const { expression } of policy.spec.matchConditions ?? [])
    try {
      if (run(expression) !== true) return undefined;
    } catch (error) {
      fault ??= `expression '${expression}' resulted in error: ${messageOf(error)}`;
    }
  return { policy, binding, run, ...(fault && { fault }) };
}

/** What an expression about this request reads. */
export function variablesOf(
  attributes: AdmissionAttributes,
  namespace: ApiObject | undefined,
  params: unknown = null,
  variables: readonly Variable[] = [],
) {
  const { kind, object, oldObject, server } = attributes;
  const values: Record<string, unknown> = {
    object: toCel(kind.schema, object ?? null),
    oldObject: toCel(kind.schema, oldObject ?? null),
    request: requestOf(attributes),
    params,
    namespaceObject: namespace ? toCel(server.kinds.byResource('', 'v1', 'namespaces')?.schema, namespace) : null,
  };
  const run = (expression: string) => compileCel(expression, policyVariables).run(values);
  values.variables = lazily(variables, run);
  return { run };
}

/** Variables are evaluated when they are first read. */
function lazily(variables: readonly Variable[], run: (expression: string) => unknown): object {
  const out = {};
  for (const { name, expression } of variables) {
    let known: { value: unknown } | undefined;
    Object.defineProperty(out, name, { enumerable: true, get: () => (known ??= { value: run(expression) }).value });
  }
  return out;
}

export const messageOf = (error: unknown): string => {
  if (error instanceof CelError) return error.message;
  throw error;
};

/** The AdmissionRequest, as far as it is known here. */
export function requestOf({
  kind,
  operation,
  subresource,
  namespace,
  name,
  object,
  user,
  dryRun,
}: AdmissionAttributes): object {
  const { group, version, resource } = kind;
  const kindOf = { group, version, kind: kind.kind };
  const resourceOf = { group, version, resource };
  return {
    kind: kindOf,
    requestKind: kindOf,
    resource: resourceOf,
    requestResource: resourceOf,
    subResource: subresource,
    requestSubResource: subresource,
    // A name that is still to be generated is not known to anybody.
    name: operation === 'CREATE' && object ? (object.metadata?.name ?? '') : name,
    namespace,
    operation,
    userInfo: { username: user.name, uid: user.uid ?? '', groups: user.groups, extra: user.extra ?? {} },
    dryRun,
    options: {},
  };
}
