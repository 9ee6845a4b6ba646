// Role-based access control. https://kubernetes.io/docs/reference/access-authn-authz/rbac/

import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  RbacV1Subject,
  Role,
  RoleBinding,
  RoleRef,
} from '../../api/api.ts';
import type { Informer } from '../../client/client.ts';
import type { UserInfo } from '../request/user.ts';
import type { Attributes, Authorizer, Decision } from './authorization.ts';

/** The objects that the authorizer reads; all are in memory. */
interface RbacSources {
  readonly roles: Informer<Role>;
  readonly clusterRoles: Informer<ClusterRole>;
  readonly roleBindings: Informer<RoleBinding>;
  readonly clusterRoleBindings: Informer<ClusterRoleBinding>;
}

/** Members of this group may do everything, regardless of roles, so that an administrator is never locked out. */
export const superusers: Authorizer = {
  name: 'superusers',
  authorize: ({ user }) =>
    user.groups.includes('system:masters') ? { decision: 'allow' } : { decision: 'no-opinion' },
  rulesFor: ({ groups }) =>
    groups.includes('system:masters')
      ? {
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        }
      : { resourceRules: [], nonResourceRules: [] },
};

const userSubject = 'subject';

export function rbac(sources: RbacSources): Authorizer {
  // Bindings by subject name: a decision reads only those of the user and the user's groups.
  const byName = ({ subjects = [] }: RoleBinding | ClusterRoleBinding) => subjects.map((s) => subjectKey(s, ''));
  sources.clusterRoleBindings.addIndex(userSubject, byName);
  sources.roleBindings.addIndex(userSubject, (binding) =>
    (binding.subjects ?? []).map(
      (s) => `${binding.metadata.namespace}/${subjectKey(s, binding.metadata.namespace ?? '')}`,
    ),
  );
  return {
    name: 'RBAC',
    authorize(attributes): Decision {
      const missing: string[] = [];
      for (const grant of grants(sources, attributes.user, attributes.namespace, missing))
        if (grant.rules.some((rule) => allows(rule, attributes)))
          return { decision: 'allow', reason: `RBAC: allowed by ${grant.text}` };
      if (!missing.length) return { decision: 'no-opinion' };
      const texts = [...new Set(missing)];
      return { decision: 'no-opinion', reason: `RBAC: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}` };
    },
    rulesFor(user, namespace) {
      const rules = [...grants(sources, user, namespace)].flatMap((grant) => grant.rules);
      return {
        resourceRules: rules
          .filter((r) => r.resources?.length)
          .map(({ verbs, apiGroups, resources, resourceNames }) => ({
            verbs,
            apiGroups,
            resources,
            ...(resourceNames?.length && { resourceNames }),
          })),
        nonResourceRules: rules
          .filter((r) => r.nonResourceURLs?.length)
          .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
      };
    },
  };
}

interface Grant {
  readonly rules: readonly PolicyRule[];
  readonly text: string;
}

/** All roles of the user: cluster-wide, and of the namespace if given. Roles that do not exist are in `missing`. */
function* grants(
  { clusterRoleBindings, roleBindings, clusterRoles, roles }: RbacSources,
  user: UserInfo,
  namespace: string,
  missing?: string[],
): Generator<Grant> {
  const keys = keysOf(user);
  for (const key of keys)
    for (const binding of clusterRoleBindings.by(userSubject, key)) {
      const role = clusterRoles.get(binding.roleRef.name);
      if (role) yield grantOf('ClusterRoleBinding', binding.metadata.name, binding.roleRef, role.rules, key);
      else missing?.push(notFoundText(binding.roleRef));
    }
  if (!namespace) return;
  for (const key of keys)
    for (const binding of roleBindings.by(userSubject, `${namespace}/${key}`)) {
      const { name, kind } = binding.roleRef;
      const role = kind === 'ClusterRole' ? clusterRoles.get(name) : roles.get(`${namespace}/${name}`);
      if (role) yield grantOf('RoleBinding', `${binding.metadata.name}/${namespace}`, binding.roleRef, role.rules, key);
      else missing?.push(notFoundText(binding.roleRef));
    }
}

const notFoundText = ({ kind, name }: RoleRef): string =>
  `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`;

function grantOf(
  kind: string,
  binding: string,
  role: RoleRef,
  rules: readonly PolicyRule[] | null | undefined,
  key: string,
): Grant {
  const [subject, ...name] = key.split(' ');
  return {
    rules: rules ?? [],
    text: `${kind} "${binding}" of ${role.kind} "${role.name}" to ${subject} "${name.join(' ')}"`,
  };
}

/** "User jane", "Group dev", "ServiceAccount name/namespace". */
function subjectKey({ kind, name, namespace }: RbacV1Subject, bindingNamespace: string): string {
  return kind === 'ServiceAccount' ? `ServiceAccount ${name}/${namespace || bindingNamespace}` : `${kind} ${name}`;
}

/** `namespace` is the binding's, the default for subjects without one. */
export function appliesTo(user: UserInfo, subject: RbacV1Subject, namespace: string): boolean {
  if (subject.kind === 'User') return subject.name === user.name;
  if (subject.kind === 'Group') return user.groups.includes(subject.name);
  const home = subject.namespace || namespace;
  return subject.kind === 'ServiceAccount' && !!home && user.name === `system:serviceaccount:${home}:${subject.name}`;
}

function keysOf({ name, groups }: UserInfo): string[] {
  const keys = [`User ${name}`, ...groups.map((group) => `Group ${group}`)];
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  return account ? [...keys, `ServiceAccount ${account[2]}/${account[1]}`] : keys;
}

const has = (list: readonly string[] | undefined, wanted: string) =>
  list?.some((value) => value === '*' || value === wanted) ?? false;

export function allows(rule: PolicyRule, attributes: Attributes): boolean {
  const { isResource, verb, group, resource, subresource, name, path } = attributes;
  if (!has(rule.verbs, verb)) return false;
  if (!isResource)
    return (
      rule.nonResourceURLs?.some(
        (url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))),
      ) ?? false
    );
  if (!has(rule.apiGroups, group)) return false;
  const fullResource = subresource ? `${resource}/${subresource}` : resource;
  const named =
    rule.resources?.some((r) => r === '*' || r === fullResource || (subresource !== '' && r === `*/${subresource}`)) ??
    false;
  return named && (!rule.resourceNames?.length || rule.resourceNames.includes(name));
}
