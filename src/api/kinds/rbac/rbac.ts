// The four kinds of role-based access control, which share most of their rules.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/

import { dns1123SubdomainFaults, pathSegmentFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, notSupported, required, sameValue } from '../../fields.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RbacV1Subject as Subject,
} from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { nameRule } from '../../validation/metadata.ts';
import { isSound, validateLabelSelector } from '../../validation/selector.ts';

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

const accountKinds = ['ServiceAccount', 'User', 'Group'];

const validateBinding =
  (namespaced: boolean) =>
  (b: Binding): FieldError[] => {
    const { apiGroup = '', kind = '', name = '' } = b.roleRef ?? {};
    const roles = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
    return [
      ...(apiGroup === group ? [] : [notSupported('roleRef.apiGroup', apiGroup, [group])]),
      ...(roles.includes(kind) ? [] : [notSupported('roleRef.kind', kind, roles)]),
      ...(name ? invalidValues('roleRef.name', name, pathSegmentFaults(name)) : [required('roleRef.name')]),
      ...(b.subjects ?? []).flatMap((subject, index) => validateSubject(subject, `subjects[${index}]`, namespaced)),
    ];
  };

function validateSubject(subject: Subject, path: string, namespaced: boolean): FieldError[] {
  const { kind = '', name = '', apiGroup = '', namespace } = subject;
  const errors = name ? [] : [required(`${path}.name`)];
  if (!accountKinds.includes(kind)) return [...errors, notSupported(`${path}.kind`, kind, accountKinds)];
  if (kind !== 'ServiceAccount')
    return apiGroup === group ? errors : [...errors, notSupported(`${path}.apiGroup`, apiGroup, [group])];
  if (name) errors.push(...invalidValues(`${path}.name`, name, dns1123SubdomainFaults(name)));
  if (apiGroup) errors.push(notSupported(`${path}.apiGroup`, apiGroup, ['']));
  if (!namespaced && !namespace) errors.push(required(`${path}.namespace`));
  return errors;
}

const validateBindingUpdate =
  (namespaced: boolean) =>
  (next: Binding, old: Binding): FieldError[] => {
    const errors = validateBinding(namespaced)(next);
    if (sameValue(next.roleRef, old.roleRef)) return errors;
    const { apiGroup = '', kind = '', name = '' } = next.roleRef ?? {};
    const shown = { APIGroup: apiGroup, Kind: kind, Name: name };
    return [...errors, invalidValue('roleRef', shown, 'cannot change roleRef')];
  };

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

/** Creating by update is how roles are reconciled. */
const shared = { nameRule: names, allowCreateOnUpdate: true, metadataOnUpdate: ['whole', 'change'] } as const;

export const role: KindBehaviour<Role> = {
  strategy: { ...shared, validate: (r) => validateRules(r.rules, true) },
};

export const clusterRole: KindBehaviour<ClusterRole> = {
  strategy: {
    ...shared,
    validate: (r) => [...validateRules(r.rules, false), ...validateAggregation(r.aggregationRule)],
  },
};

function validateAggregation(aggregation: ClusterRole['aggregationRule']): FieldError[] {
  if (!aggregation) return [];
  const path = 'aggregationRule.clusterRoleSelectors';
  const selectors = aggregation.clusterRoleSelectors ?? [];
  if (!selectors.length)
    return [required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')];
  return selectors.flatMap((selector, index) => {
    const at = `${path}[${index}]`;
    return [
      ...validateLabelSelector(selector, at),
      ...(isSound(selector) ? [] : [invalidValue(at, null, 'invalid label selector.')]),
    ];
  });
}

const bindingStrategy = (namespaced: boolean) => ({
  ...shared,
  setDefaults: defaultBinding,
  validate: validateBinding(namespaced),
  validateUpdate: validateBindingUpdate(namespaced),
});

export const roleBinding: KindBehaviour<RoleBinding> = { cells: bindingCells, strategy: bindingStrategy(true) };

export const clusterRoleBinding: KindBehaviour<ClusterRoleBinding> = {
  cells: bindingCells,
  strategy: bindingStrategy(false),
};
