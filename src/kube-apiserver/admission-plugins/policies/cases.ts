// Which policies a request meets: with which of their bindings and with which parameters.

import {
  type ApiObject,
  isNotFound,
  type Kind,
  type MatchCondition,
  type MatchResources,
  type ParamKind,
  type Variable,
} from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import { type LabelSelectorSpec, labelSelector } from '../../../machinery/selectors/label-selector.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { groupVersion } from '../../registry/codec.ts';
import { cacheOf } from '../../registry/target.ts';
import { matchedKind, namespaceOf } from './match.ts';
import { Pace } from './round.ts';

export interface PolicySpec {
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

/** One policy with one of its bindings and one parameter, to evaluate. */
export interface Case<P extends Policy, B extends Binding> {
  readonly policy: P;
  /** Undefined for a fault of the policy itself. */
  readonly binding: B | undefined;
  readonly params: ApiObject | null;
  /** The version in which the policy sees the object. */
  readonly kind: Kind;
  /** Set if the case cannot be evaluated, for example without its parameter. */
  readonly fault?: string;
}

export interface Cases<P extends Policy, B extends Binding> {
  /** Made as they are evaluated: thousands of policies may have thousands of parameters each. */
  readonly cases: AsyncIterable<Case<P, B>>;
  /** That of the object; undefined for cluster-scoped objects. */
  readonly namespace: ApiObject | undefined;
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

/** True if the resource has no objects: the usual case. */
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
): Promise<Cases<P, B> | undefined> {
  if (attributes.kind.group === 'admissionregistration.k8s.io') return undefined;
  const policies = (await cached(attributes, resources.policies)) as P[];
  if (!policies.length) return undefined;
  const bindings = Map.groupBy((await cached(attributes, resources.bindings)) as B[], ({ spec }) => spec.policyName);
  const namespace = await namespaceOf(attributes, client());
  return { cases: casesIn({ policies, bindings, namespace, attributes, client: client() }), namespace };
}

interface Found<P extends Policy, B extends Binding> {
  readonly policies: readonly P[];
  readonly bindings: ReadonlyMap<string, readonly B[]>;
  readonly namespace: ApiObject | undefined;
  readonly attributes: AdmissionAttributes;
  readonly client: Client;
}

async function* casesIn<P extends Policy, B extends Binding>(found: Found<P, B>): AsyncGenerator<Case<P, B>> {
  const { policies, bindings, namespace, attributes, client } = found;
  const listed = new ListedParams(client);
  const pace = new Pace();
  for (const policy of policies) {
    await pace.spend(costOfMatch);
    const own = bindings.get(policy.metadata.name) ?? [];
    const kind = own.length ? matchedKind(policy.spec.matchConstraints, attributes, namespace) : undefined;
    if (!kind) continue;
    const params = paramsKind(policy, attributes);
    if (typeof params === 'string') {
      yield { policy, binding: undefined, params: null, kind, fault: `failed to configure policy: ${params}` };
      continue;
    }
    for (const binding of own) {
      await pace.spend(costOfMatch);
      if (matchedKind(binding.spec.matchResources, attributes, namespace))
        for (const one of await withParams(policy, binding, params, attributes, listed)) yield { ...one, kind };
    }
  }
}

/** The parameters of the policy: undefined for none, a text when something is wrong. */
function paramsKind({ spec: { paramKind } }: Policy, { server }: AdmissionAttributes): Kind | string | undefined {
  if (!paramKind) return undefined;
  const { apiVersion = '', kind = '' } = paramKind;
  return (
    server.kinds.byKind(...groupVersion(apiVersion), kind) ??
    `failed to find resource referenced by paramKind: '${apiVersion}, Kind=${kind}'`
  );
}

async function withParams<P extends Policy, B extends Binding>(
  policy: P,
  binding: B,
  kind: Kind | undefined,
  attributes: AdmissionAttributes,
  listed: ListedParams,
): Promise<Omit<Case<P, B>, 'kind'>[]> {
  const { paramRef } = binding.spec;
  if (!kind || !paramRef) return [{ policy, binding, params: null }];
  const fault = (why: string) => [{ policy, binding, params: null, fault: `failed to configure binding: ${why}` }];
  const namespace = kind.namespaced ? paramRef.namespace || attributes.namespace : '';
  if (kind.namespaced && !namespace)
    return fault('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
  if (!kind.namespaced && paramRef.namespace)
    return fault('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  const params = await listed.find(kind, paramRef, namespace);
  if (!params.length && paramRef.parameterNotFoundAction === 'Deny')
    return fault('no params found for policy binding with `Deny` parameterNotFoundAction');
  return params.map((one) => ({ policy, binding, params: one }));
}

/** Cost of matching a policy or a binding, and of comparing a selector with an object. */
const costOfMatch = 200;

/** Parameters of one request's policies: the objects of a namespace are listed once. */
class ListedParams {
  readonly #client: Client;
  readonly #lists = new Map<string, Promise<readonly ApiObject[]>>();
  readonly #pace = new Pace();

  constructor(client: Client) {
    this.#client = client;
  }

  async find(kind: Kind, ref: ParamRef, namespace: string): Promise<readonly ApiObject[]> {
    const where = namespace ? { namespace } : {};
    if (ref.name) {
      const found = this.#client.get(kind, { ...where, name: ref.name });
      return found.then((one) => [one]).catch((error) => (isNotFound(error) ? [] : Promise.reject(error)));
    }
    const key = `${kind.group}/${kind.version}/${kind.kind}/${namespace}`;
    const list = this.#lists.get(key) ?? this.#client.list(kind, where).then(({ items }) => items);
    this.#lists.set(key, list);
    const selector = labelSelector(ref.selector as LabelSelectorSpec | undefined);
    const found: ApiObject[] = [];
    for (const one of await list) {
      if (selector.matches(one.metadata.labels ?? {})) found.push(one);
      await this.#pace.spend(costOfMatch);
    }
    return found;
  }
}
