// Subjects that may do something, by RBAC: bindings and the roles that they name.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

export interface Question {
  readonly verb: string;
  /** '' for the core group. */
  readonly group: string;
  /** With its subresource: pods/log. */
  readonly resource: string;
  /** '': in all namespaces, or for a cluster-scoped resource. */
  readonly namespace: string;
  /** Of one object; '': of any. */
  readonly name: string;
}

export interface Grant {
  readonly subject: { readonly kind: string; readonly namespace: string; readonly name: string };
  readonly binding: { readonly kind: string; readonly namespace: string; readonly name: string };
  readonly role: { readonly kind: string; readonly namespace: string; readonly name: string };
  /** The rule holds for these objects alone; empty: for all. */
  readonly names: readonly string[];
}

export interface RbacObjects {
  readonly roles: readonly unknown[];
  readonly clusterRoles: readonly unknown[];
  readonly roleBindings: readonly unknown[];
  readonly clusterRoleBindings: readonly unknown[];
}

export function whoCan(question: Question, objects: RbacObjects): Grant[] {
  const roles = new Map<string, unknown>();
  for (const role of objects.roles) roles.set(`Role ${placeOf(role)}/${nameOf(role)}`, role);
  for (const role of objects.clusterRoles) roles.set(`ClusterRole /${nameOf(role)}`, role);
  const grants: Grant[] = [];
  const add = (binding: unknown, kind: string) => {
    const namespace = kind === 'RoleBinding' ? placeOf(binding) : '';
    const { kind: roleKind, name } = fieldsIn(fieldsIn(binding)['roleRef']);
    const role = { kind: textIn(roleKind), name: textIn(name), namespace: roleKind === 'Role' ? namespace : '' };
    const found = roles.get(`${role.kind} ${role.namespace}/${role.name}`);
    const names = found === undefined ? undefined : namesOf(question, found);
    if (!names) return;
    for (const subject of listIn(fieldsIn(binding)['subjects']))
      grants.push({ subject: subjectOf(subject), binding: { kind, namespace, name: nameOf(binding) }, role, names });
  };
  for (const binding of objects.clusterRoleBindings) add(binding, 'ClusterRoleBinding');
  // A RoleBinding grants nothing in all namespaces.
  if (question.namespace)
    for (const binding of objects.roleBindings)
      if (placeOf(binding) === question.namespace) add(binding, 'RoleBinding');
  return grants.sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
}

const textOf = ({ subject, binding }: Grant): string =>
  `${subject.kind} ${subject.namespace}/${subject.name} ${binding.kind} ${binding.name}`;

function subjectOf(subject: unknown): Grant['subject'] {
  const { kind, namespace, name } = fieldsIn(subject);
  return { kind: textIn(kind), namespace: kind === 'ServiceAccount' ? textIn(namespace) : '', name: textIn(name) };
}

/** Undefined: no rule of the role allows it. Otherwise the names to which it is limited. */
function namesOf(question: Question, role: unknown): readonly string[] | undefined {
  let found: string[] | undefined;
  for (const rule of listIn(fieldsIn(role)['rules'])) {
    const names = namesOfRule(question, rule);
    if (names?.length === 0) return [];
    if (names) found = [...(found ?? []), ...names];
  }
  return found && [...new Set(found)].sort();
}

function namesOfRule({ verb, group, resource, name }: Question, rule: unknown): readonly string[] | undefined {
  const texts = (field: string) => listIn(fieldsIn(rule)[field]).map(textIn);
  const has = (field: string, value: string) => texts(field).some((one) => one === '*' || one === value);
  if (!has('verbs', verb) || !has('apiGroups', group) || !hasResource(texts('resources'), resource)) return undefined;
  const names = texts('resourceNames');
  if (names.length === 0 || !name) return names;
  return names.includes(name) ? [name] : undefined;
}

// A rule for `*/log` covers that subresource of every resource.
function hasResource(allowed: readonly string[], resource: string): boolean {
  const [, subresource] = resource.split('/');
  return allowed.some((one) => one === '*' || one === resource || (subresource && one === `*/${subresource}`));
}

const metadataOf = (object: unknown) => fieldsIn(fieldsIn(object)['metadata']);
const nameOf = (object: unknown): string => textIn(metadataOf(object)['name']);
const placeOf = (object: unknown): string => textIn(metadataOf(object)['namespace']);
