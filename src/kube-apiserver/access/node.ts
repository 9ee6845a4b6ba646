// The node authorizer: a kubelet may use its own node, its pods, and the objects that those pods refer to.
// https://kubernetes.io/docs/reference/access-authn-authz/node/

import {
  claimsOf,
  configMapsOf,
  ignoreNotFound,
  nodeOfUser,
  type PersistentVolume,
  type Pod,
  type PolicyRule,
  resourceClaimsOf,
  secretsOf,
  secretsOfVolume,
} from '../../api/api.ts';
import type { Client, Informer } from '../../client/client.ts';
import type { UserInfo } from '../request/user.ts';
import type { Attributes, Authorizer, Decision } from './authorization.ts';
import { allows } from './rbac.ts';

const mirrorAnnotation = 'kubernetes.io/config.mirror';

/** The user's node ('': an unnamed node), undefined for other users. */
export function nodeOf({ name, groups }: UserInfo): string | undefined {
  return groups.includes('system:nodes') ? nodeOfUser(name) : undefined;
}

const rule = (groups: string[], resources: string[], verbs: string[]): PolicyRule => ({
  apiGroups: groups,
  resources,
  verbs,
});

const reads = ['get', 'list', 'watch'];

/** Rights of every node that do not depend on the object. */
const rules: readonly PolicyRule[] = [
  rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
  rule(['authorization.k8s.io'], ['subjectaccessreviews', 'localsubjectaccessreviews'], ['create']),
  rule([''], ['services'], reads),
  rule(['', 'events.k8s.io'], ['events'], ['create', 'update', 'patch']),
  rule([''], ['endpoints'], ['get']),
  rule(['certificates.k8s.io'], ['certificatesigningrequests'], ['create', ...reads]),
  rule(['storage.k8s.io'], ['csidrivers'], reads),
  rule(['node.k8s.io'], ['runtimeclasses'], reads),
];

const podsOfNode = 'node';
const no = (reason = ''): Decision => ({ decision: 'no-opinion', ...(reason && { reason }) });
const yes: Decision = { decision: 'allow' };

/** The attributes of a node's request, with the node's name. */
interface Question extends Attributes {
  readonly node: string;
}

type Answer = Decision | Promise<Decision>;

/** Pods are followed by an informer; volumes and other objects are read from the API server's caches when needed. */
export function nodeAuthorizer(pods: Informer<Pod>, client: () => Client): Authorizer {
  pods.addIndex(podsOfNode, (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  const resources = subdivided(pods, client);
  return {
    name: 'Node',
    authorize(attributes): Answer {
      const node = nodeOf(attributes.user);
      if (node === undefined) return no();
      if (!node) return no(`unknown node for user ${JSON.stringify(attributes.user.name)}`);
      const { isResource, group, resource } = attributes;
      const own = isResource ? resources[group ? `${resource}.${group}` : resource] : undefined;
      if (own) return own({ ...attributes, node });
      return rules.some((r) => allows(r, attributes)) ? yes : no();
    },
    // A node's rights depend on its pods, and are not listed.
    rulesFor: (user) => ({
      resourceRules: [],
      nonResourceRules: [],
      ...(nodeOf(user) !== undefined && {
        incomplete: true,
        evaluationError: 'node authorizer does not support user rule resolution',
      }),
    }),
  };
}

/** Relations of objects to a node: through the pods that run there and the names in them. */
function relations(pods: Informer<Pod>) {
  /**
   * Pods of the node in a namespace. Mirror pods are skipped: the kubelet makes them, so their references prove
   * nothing.
   */
  const podsOn = (node: string, namespace: string) =>
    pods
      .by(podsOfNode, node)
      .filter(
        ({ metadata }) => metadata.namespace === namespace && !(mirrorAnnotation in (metadata.annotations ?? {})),
      );
  const refer = (node: string, namespace: string, name: string, namesOf: NamesOf) =>
    podsOn(node, namespace).some((pod) => refersTo(pod, namesOf, name));
  return {
    byPod:
      (namesOf: NamesOf) =>
      (q: Question): Decision =>
        related(q, refer(q.node, q.namespace, q.name, namesOf)),
    isPod: (q: Question): Decision =>
      related(
        q,
        pods.by(podsOfNode, q.node).some((p) => p.metadata.name === q.name && p.metadata.namespace === q.namespace),
      ),
    boundTo: (node: string, { spec }: PersistentVolume): boolean =>
      !!spec.claimRef && refer(node, spec.claimRef.namespace ?? '', spec.claimRef.name ?? '', claimsOf),
  };
}

type NamesOf = (pod: Pod) => Iterable<string>;

/** Names of pods with more than a few: the kubelet asks for each of them, and a pod may have a hundred thousand. */
const longLists = new WeakMap<Pod, Map<NamesOf, ReadonlySet<string>>>();
const mostCompared = 32;

function refersTo(pod: Pod, namesOf: NamesOf, name: string): boolean {
  const kept = longLists.get(pod)?.get(namesOf);
  if (kept) return kept.has(name);
  let compared = 0;
  for (const candidate of namesOf(pod)) {
    if (candidate === name) return true;
    if (++compared > mostCompared) break;
  }
  if (compared <= mostCompared) return false;
  const names = new Set(namesOf(pod));
  const lists = longLists.get(pod) ?? new Map<NamesOf, ReadonlySet<string>>();
  longLists.set(pod, lists.set(namesOf, names));
  return names.has(name);
}

function has(names: Iterable<string>, name: string): boolean {
  for (const candidate of names) if (candidate === name) return true;
  return false;
}

/** Resources with rights per node. */
function subdivided(pods: Informer<Pod>, client: () => Client): Readonly<Record<string, (q: Question) => Answer>> {
  const { byPod, isPod, boundTo } = relations(pods);
  async function secret(q: Question): Promise<Decision> {
    const direct = byPod(secretsOf)(q);
    if (direct.decision === 'allow') return direct;
    const volumes = await client().list('persistentvolumes');
    const key = `${q.namespace}/${q.name}`;
    return related(
      q,
      volumes.items.some((volume) => has(secretsOfVolume(volume), key) && boundTo(q.node, volume)),
    );
  }
  const found = <T>(read: Promise<T>) => read.catch(ignoreNotFound);
  const volume = async (q: Question): Promise<Decision> => {
    const object = await found(client().get('persistentvolumes', { name: q.name }));
    return related(q, !!object && boundTo(q.node, object));
  };
  const attachment = async (q: Question): Promise<Decision> => {
    const object = await found(client().get('volumeattachments', { name: q.name }));
    return related(q, object?.spec.nodeName === q.node);
  };
  const slice = async (q: Question): Promise<Decision> => {
    const object = await found(client().get('resourceslices', { name: q.name }));
    return related(q, object?.spec.nodeName === q.node);
  };
  const accounts = byPod((pod) => [pod.spec.serviceAccountName ?? '']);
  return {
    secrets: (q) => readNamespaced(q, secret),
    configmaps: (q) => readNamespaced(q, byPod(configMapsOf)),
    persistentvolumeclaims: (q) =>
      q.subresource === 'status' ? updateStatus(q, byPod(claimsOf)) : readOne(q, byPod(claimsOf)),
    persistentvolumes: (q) => readOne(q, volume),
    'resourceclaims.resource.k8s.io': (q) => readOne(q, byPod(resourceClaimsOf)),
    'volumeattachments.storage.k8s.io': (q) => readOne(q, attachment),
    serviceaccounts: (q) =>
      q.verb === 'get' && !q.subresource ? readNamespaced(q, accounts) : createToken(q, accounts),
    'leases.coordination.k8s.io': lease,
    'csinodes.storage.k8s.io': csiNode,
    'resourceslices.resource.k8s.io': (q) => resourceSlice(q, slice),
    nodes: ownNode,
    pods: (q) => podRequest(q, isPod),
    'podcertificaterequests.certificates.k8s.io': () => no(),
  };
}

const related = ({ node }: Question, is: boolean): Decision =>
  is ? yes : no(`no relationship found between node '${node}' and this object`);

type Check = (q: Question) => Answer;

const named = (q: Question, check: Check): Answer => (q.name ? check(q) : no('No Object name found'));

function readNamespaced(q: Question, check: Check): Answer {
  if (!reads.includes(q.verb)) return no('can only read resources of this type');
  if (q.subresource) return no('cannot read subresource');
  if (!q.namespace) return no('can only read namespaced object of this type');
  return named(q, check);
}

function readOne(q: Question, check: Check): Answer {
  if (q.verb !== 'get') return no('can only get individual resources of this type');
  if (q.subresource) return no('cannot get subresource');
  return named(q, check);
}

const updateStatus = (q: Question, check: Check): Answer =>
  q.verb === 'update' || q.verb === 'patch' ? named(q, check) : no('can only get/update/patch this type');

function createToken(q: Question, check: Check): Answer {
  if (q.verb !== 'create' || !q.name) return no('can only create tokens for individual service accounts');
  if (q.subresource !== 'token') return no('can only create token subresource of serviceaccount');
  return check(q);
}

const keeps = ['get', 'create', 'update', 'patch', 'delete'];

/** A new object has no name yet: NodeRestriction checks it. */
function lease({ verb, namespace, name, node }: Question): Decision {
  if (!keeps.includes(verb)) return no('can only get, create, update, patch, or delete a node lease');
  if (namespace !== 'kube-node-lease') return no('can only access leases in the "kube-node-lease" system namespace');
  if (verb !== 'create' && name !== node)
    return no('can only access node lease with the same name as the requesting node');
  return yes;
}

function csiNode({ verb, subresource, name, node }: Question): Decision {
  if (!keeps.includes(verb)) return no('can only get, create, update, patch, or delete a CSINode');
  if (subresource) return no('cannot authorize CSINode subresources');
  if (verb !== 'create' && name !== node)
    return no('can only access CSINode with the same name as the requesting node');
  return yes;
}

const selectsNode = ({ fieldSelector = [], node }: Question): boolean =>
  fieldSelector.some(({ field, operator, value }) => field === 'spec.nodeName' && operator === '=' && value === node);

function resourceSlice(q: Question, check: Check): Answer {
  if (q.subresource) return no('cannot authorize ResourceSlice subresources');
  if (q.verb === 'create') return yes; // NodeRestriction checks the object
  if (['get', 'update', 'patch', 'delete'].includes(q.verb)) return named(q, check);
  if (!['watch', 'list', 'deletecollection'].includes(q.verb))
    return no(
      'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
    );
  return selectsNode(q) ? yes : no('can only list/watch/deletecollection resourceslices with nodeName field selector');
}

function ownNode({ verb, subresource, name, node }: Question): Decision {
  if (subresource === 'status') return verb === 'update' || verb === 'patch' ? yes : no();
  if (subresource) return no();
  if (['create', 'update', 'patch'].includes(verb)) return yes; // NodeRestriction checks the name
  if (!reads.includes(verb)) return no();
  if (name === node) return yes;
  return no(`node '${node}' cannot read ${name ? `'${name}'` : 'all nodes'}, only its own Node object`);
}

function podRequest(q: Question, check: Check): Answer {
  const { verb, subresource } = q;
  if (subresource === 'status') return verb === 'update' || verb === 'patch' ? yes : no();
  if (subresource === 'eviction') return verb === 'create' ? yes : no();
  if (subresource) return no();
  if (verb === 'create' || verb === 'delete') return yes; // NodeRestriction checks the name
  if (verb === 'get') return readOne(q, check);
  if (!reads.includes(verb)) return no();
  if (selectsNode(q)) return yes;
  return q.name ? check(q) : no('can only list/watch pods with spec.nodeName field selector');
}
