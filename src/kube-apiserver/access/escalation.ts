// Prevents privilege escalation: writes of roles need the rules in them or the verb `escalate`, writes of bindings need
// the rules of the role or the verb `bind`.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping

import {
  ApiError,
  type ApiObject,
  type ClusterRole,
  type ClusterRoleBinding,
  forbidden,
  notFound,
  type PolicyRule,
  type Role,
  type RoleBinding,
  type RoleRef,
} from '../../api/api.ts';
import { type Client, settleEach } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { fieldsIn } from '../../machinery/parsed.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import type { UserInfo } from '../request/user.ts';
import { plainError } from '../status.ts';
import { decide } from './authorization.ts';
import { appliesTo } from './rbac.ts';
import { describeRules, quotedList, TooManyCombinations, uncovered } from './rule-covering.ts';

const group = 'rbac.authorization.k8s.io';
const roles = new Set(['roles', 'clusterroles']);
const bindings = new Set(['rolebindings', 'clusterrolebindings']);

const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/** Kubernetes checks this in the storage of the four kinds, after mutating admission and before validation. */
export const rbacEscalation = (client: () => Client): AdmissionPlugin => ({
  name: 'RBACEscalation',
  admit(attributes) {
    const { kind, operation, object, oldObject, user } = attributes;
    if (kind.group !== group || !object || (operation !== 'CREATE' && operation !== 'UPDATE')) return;
    // The server itself enters as a member of this group.
    if (user.groups.includes('system:masters')) return;
    if (oldObject && onlyForCollector(object, oldObject)) return;
    if (roles.has(kind.resource)) return checkRole(attributes, object, client());
    if (bindings.has(kind.resource))
      return checkBinding(attributes, object as RoleBinding | ClusterRoleBinding, client());
  },
});

async function checkRole(attributes: AdmissionAttributes, object: ApiObject, client: Client): Promise<void> {
  const { kind, namespace, requestName, oldObject } = attributes;
  if (await mayDo(attributes, 'escalate', kind.resource, requestName)) return;
  await confirm(attributes, (object as Role | ClusterRole).rules ?? [], client);
  if (kind.resource !== 'clusterroles') return;
  if (!aggregates(object as ClusterRole) && !aggregates(oldObject as ClusterRole | undefined)) return;
  // An aggregation rule can gather any role.
  const own = await rulesOf(client, attributes.user, namespace);
  if (uncovered(own, everything).length)
    throw forbidden(kind, object.metadata.name, 'must have cluster-admin privileges to use the aggregationRule');
}

const aggregates = (role: ClusterRole | undefined): boolean => !!role?.aggregationRule?.clusterRoleSelectors?.length;

const roleResource: Readonly<Record<string, string>> = { ClusterRole: 'clusterroles', Role: 'roles' };

async function checkBinding(
  attributes: AdmissionAttributes,
  { roleRef }: RoleBinding | ClusterRoleBinding,
  client: Client,
): Promise<void> {
  const resource = roleResource[roleRef.kind];
  if (!resource) throw plainError(`unsupported role reference kind: ${JSON.stringify(roleRef.kind)}`);
  const kind = { ...attributes.kind, group: roleRef.apiGroup };
  if (await mayDo({ ...attributes, kind }, 'bind', resource, roleRef.name)) return;
  await confirm(attributes, await boundRules(attributes, roleRef, client), client);
}

/** Kubernetes names the binding's resource when there is no such role. */
async function boundRules({ kind, namespace }: AdmissionAttributes, roleRef: RoleRef, client: Client) {
  try {
    return await rulesOfRole(client, roleRef, namespace);
  } catch (error) {
    throw error instanceof ApiError && error.code === 404 ? notFound(kind, roleRef.name) : error;
  }
}

async function mayDo(
  { server, user, kind, namespace }: AdmissionAttributes,
  verb: string,
  resource: string,
  name: string,
): Promise<boolean> {
  const { decision } = await decide(server.authorizers, {
    user,
    verb,
    group: kind.group,
    version: '*',
    resource,
    subresource: '',
    name,
    namespace,
    isResource: true,
    path: '',
    rest: '',
  });
  return decision === 'allow';
}

async function confirm(
  { kind, object, user, namespace }: AdmissionAttributes,
  rules: readonly PolicyRule[],
  client: Client,
): Promise<void> {
  const missing = uncoveredOf({ kind, object }, await rulesOf(client, user, namespace), rules);
  if (!missing.length) return;
  const who = `user ${JSON.stringify(user.name)} (groups=${quotedList(user.groups)})`;
  throw forbidden(
    kind,
    object?.metadata.name ?? '',
    `${who} is attempting to grant RBAC permissions not currently held:\n${describeRules(missing)}`,
  );
}

function uncoveredOf(
  { kind, object }: Pick<AdmissionAttributes, 'kind' | 'object'>,
  own: readonly PolicyRule[],
  rules: readonly PolicyRule[],
): PolicyRule[] {
  try {
    return uncovered(own, rules);
  } catch (error) {
    if (!(error instanceof TooManyCombinations)) throw error;
    const why = 'the rules have too many combinations of groups, resources, names and verbs to be compared';
    throw forbidden(kind, object?.metadata.name ?? '', `${why}: split them, or get the verb "escalate" or "bind"`);
  }
}

/** All rules of the user in a namespace, or cluster-wide for ''. Missing roles grant nothing. */
async function rulesOf(client: Client, user: UserInfo, namespace: string): Promise<PolicyRule[]> {
  const lists = await Promise.all([
    client.list('clusterrolebindings'),
    namespace ? client.list('rolebindings', { namespace }) : undefined,
  ]);
  const bound = lists.flatMap((list): (RoleBinding | ClusterRoleBinding)[] => [...(list?.items ?? [])]);
  const roles = new Map<string, readonly [role: RoleRef, namespace: string]>();
  for (const { roleRef, subjects = [], metadata } of bound) {
    const inNamespace = metadata.namespace ?? '';
    if (subjects.some((s) => appliesTo(user, s, inNamespace)))
      roles.set(`${inNamespace}/${roleRef.kind}/${roleRef.name}`, [roleRef, inNamespace]);
  }
  // Thousands of bindings may name one role, or a role each.
  const found = await settleEach([...roles.values()], ([role, inNamespace]) => rulesOfRole(client, role, inNamespace));
  return found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
}

async function rulesOfRole(client: Client, { kind, name }: RoleRef, namespace: string): Promise<PolicyRule[]> {
  if (!name || (kind === 'Role' && !namespace)) return []; // refused by validation
  const role = await (kind === 'Role'
    ? client.get('roles', { namespace, name })
    : client.get('clusterroles', { name }));
  return role.rules ?? [];
}

/** The garbage collector may write owners and finalizers of objects that it has no right to create. */
function onlyForCollector(next: ApiObject, old: ApiObject): boolean {
  const comparable = ({ apiVersion: _, kind: __, metadata, ...rest }: ApiObject) => {
    const { ownerReferences: ___, finalizers: ____, managedFields: _____, ...kept } = metadata;
    return pruned({ ...rest, metadata: { ...kept, resourceVersion: undefined } });
  };
  return deepEqual(comparable(next), comparable(old));
}

/** Without fields that have no value: an empty list and none mean the same. */
function pruned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pruned);
  if (value === null || typeof value !== 'object') return value;
  const kept = Object.entries(value).map(([field, inner]) => [field, pruned(inner)] as const);
  return Object.fromEntries(kept.filter(([, inner]) => inner !== undefined && inner !== null && !isEmpty(inner)));
}

const isEmpty = (value: unknown): boolean => typeof value === 'object' && Object.keys(fieldsIn(value)).length === 0;
