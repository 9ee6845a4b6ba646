// The four kinds of role-based access control: what roles and bindings share is most of them.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/

import { dns1123SubdomainFaults, pathSegmentFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, notSupported, required, sameValue } from '../../fields.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { nameRule } from '../../validation/metadata.ts';
import { validateLabelSelector } from '../../validation/selector.ts';

const group = 'rbac.authorization.k8s.io';
const names = nameRule(pathSegmentFaults);

type Binding = RoleBinding | ClusterRoleBinding;

const subjects = (binding: Binding, kind: string) =>
  (binding.subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map((subject) => (kind === 'ServiceAccount' ? `${subject.namespace ?? ''}/${subject.name}` : subject.name))
    .join(', ');

const bindingCells: KindBehaviour<Binding>['cells'] = {
  Role: (b) => `${b.roleRef.kind}/${b.roleRef.name}`,
  Users: (b) => subjects(b, 'User'),
  Groups: (b) => subjects(b, 'Group'),
  ServiceAccounts: (b) => subjects(b, 'ServiceAccount'),
};

function defaultBinding(b: Binding): void {
  b.roleRef ??= { apiGroup: '', kind: '', name: '' };
  b.roleRef.apiGroup ||= group;
  for (const subject of b.subjects ?? [])
    if (!subject.apiGroup && (subject.kind === 'User' || subject.kind === 'Group')) subject.apiGroup = group;
}

function validateBinding(b: Binding, roles: readonly string[], namespaced: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const { apiGroup, kind, name } = b.roleRef;
  if (apiGroup !== group) errors.push(notSupported('roleRef.apiGroup', apiGroup, [group]));
  if (!roles.includes(kind)) errors.push(notSupported('roleRef.kind', kind, roles));
  if (!name) errors.push(required('roleRef.name'));
  else errors.push(...invalidValues('roleRef.name', name, pathSegmentFaults(name)));
  for (const [index, subject] of (b.subjects ?? []).entries()) {
    const path = `subjects[${index}]`;
    if (!subject.name) errors.push(required(`${path}.name`));
    if (subject.kind === 'ServiceAccount') {
      if (subject.name)
        errors.push(...invalidValues(`${path}.name`, subject.name, dns1123SubdomainFaults(subject.name)));
      if (subject.apiGroup) errors.push(notSupported(`${path}.apiGroup`, subject.apiGroup, ['']));
      if (!namespaced && !subject.namespace) errors.push(required(`${path}.namespace`));
    } else if (subject.kind === 'User' || subject.kind === 'Group') {
      if (subject.apiGroup !== group) errors.push(notSupported(`${path}.apiGroup`, subject.apiGroup, [group]));
    } else errors.push(notSupported(`${path}.kind`, subject.kind, ['ServiceAccount', 'User', 'Group']));
  }
  return errors;
}

function validateBindingUpdate(next: Binding, old: Binding): FieldError[] {
  if (sameValue(next.roleRef, old.roleRef)) return [];
  const { apiGroup, kind, name } = next.roleRef;
  return [invalidValue('roleRef', { APIGroup: apiGroup, Kind: kind, Name: name }, 'cannot change roleRef')];
}

function validateRules(rules: readonly PolicyRule[] | undefined | null, namespaced: boolean): FieldError[] {
  return (rules ?? []).flatMap((rule, index) => {
    const path = `rules[${index}]`;
    const errors: FieldError[] = [];
    if (!rule.verbs?.length) errors.push(required(`${path}.verbs`, 'verbs must contain at least one value'));
    if (rule.nonResourceURLs?.length) {
      if (namespaced)
        errors.push(
          invalidValue(
            `${path}.nonResourceURLs`,
            rule.nonResourceURLs,
            'namespaced rules cannot apply to non-resource URLs',
          ),
        );
      if (rule.apiGroups?.length || rule.resources?.length || rule.resourceNames?.length)
        errors.push(
          invalidValue(
            `${path}.nonResourceURLs`,
            rule.nonResourceURLs,
            'rules cannot apply to both regular resources and non-resource URLs',
          ),
        );
      return errors;
    }
    if (!rule.apiGroups?.length)
      errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
    if (!rule.resources?.length)
      errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
    return errors;
  });
}

export const role: KindBehaviour<Role> = {
  strategy: { nameRule: names, allowCreateOnUpdate: true, validate: (r) => validateRules(r.rules, true) },
};

export const clusterRole: KindBehaviour<ClusterRole> = {
  strategy: {
    nameRule: names,
    allowCreateOnUpdate: true,
    validate(r) {
      const selectors = r.aggregationRule?.clusterRoleSelectors;
      const path = 'aggregationRule.clusterRoleSelectors';
      const errors = validateRules(r.rules, false);
      if (r.aggregationRule && !selectors?.length)
        errors.push(required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil'));
      return [...errors, ...(selectors ?? []).flatMap((s, i) => validateLabelSelector(s, `${path}[${i}]`))];
    },
  },
};

export const roleBinding: KindBehaviour<RoleBinding> = {
  cells: bindingCells,
  strategy: {
    nameRule: names,
    allowCreateOnUpdate: true,
    setDefaults: defaultBinding,
    validate: (b) => validateBinding(b, ['Role', 'ClusterRole'], true),
    validateUpdate: validateBindingUpdate,
  },
};

export const clusterRoleBinding: KindBehaviour<ClusterRoleBinding> = {
  cells: bindingCells,
  strategy: {
    nameRule: names,
    allowCreateOnUpdate: true,
    setDefaults: defaultBinding,
    validate: (b) => validateBinding(b, ['ClusterRole'], false),
    validateUpdate: validateBindingUpdate,
  },
};
