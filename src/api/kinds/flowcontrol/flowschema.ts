import { dns1123LabelFaults, dns1123SubdomainFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, invalidValues, notSupported, required, sameValue } from '../../fields.ts';
import type {
  FlowDistinguisherMethod,
  FlowSchema,
  FlowSchemaSpec,
  PolicyRulesWithSubjects,
  PriorityLevelConfigurationReference,
  ResourcePolicyRule,
  Subject,
} from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { conditionOf } from '../../objects/conditions.ts';
import { flowConditions } from '../../validation/flow-status.ts';
import { each, need, needed, type Rule, struct, text } from '../../validation/rules.ts';
import { none } from '../cells.ts';
import { keepMetadata } from '../keep-metadata.ts';

export const flowSchema: KindBehaviour<FlowSchema> = {
  hasGeneration: true,
  cells: {
    PriorityLevel: (s) => s.spec?.priorityLevelConfiguration?.name ?? none,
    MatchingPrecedence: (s) => s.spec?.matchingPrecedence ?? 0,
    DistinguisherMethod: (s) => s.spec?.distinguisherMethod?.type ?? none,
    MissingPL: (s) => conditionOf(s, 'Dangling')?.status ?? '?',
  },
  strategy: {
    setDefaults(s) {
      s.spec ??= {} as NonNullable<FlowSchema['spec']>;
      s.spec.matchingPrecedence ||= 1000;
    },
    metadataOnUpdate: ['whole'],
    validate,
    subresources: {
      status: {
        resetFields: [['metadata']],
        prepareForUpdate: keepMetadata,
        validateUpdate: ({ status }) => flowConditions(status?.conditions, 'status.conditions'),
      },
    },
  },
};

const lowest = 10_000;
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

function validate({ metadata: { name }, spec = {} as FlowSchemaSpec, status }: FlowSchema): FieldError[] {
  const fixed = Object.hasOwn(mandatory, name) ? mandatory[name] : undefined;
  return [
    ...validatePrecedence(spec.matchingPrecedence ?? 0, name),
    ...specRules(spec, 'spec'),
    ...(fixed && !sameValue(fixed, spec)
      ? [
          invalidValue(
            'spec',
            internal('flowcontrol.FlowSchemaSpec', spec),
            `spec of '${name}' must equal the fixed value`,
          ),
        ]
      : []),
    ...flowConditions(status?.conditions, 'status.conditions'),
  ];
}

function validatePrecedence(precedence: number, name: string): FieldError[] {
  const path = 'spec.matchingPrecedence';
  if (precedence <= 0) return [invalidValue(path, precedence, 'must be a positive value')];
  if (precedence > lowest) return [invalidValue(path, precedence, `must not be greater than ${lowest}`)];
  return precedence === 1 && name !== 'exempt'
    ? [invalidValue(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1")]
    : [];
}

/** A non-empty list, in which `*` must be the only item. `item` checks the other items. */
const wildcards =
  (missing: string, others: string, items: Rule = () => []): Rule =>
  (list: readonly string[] | undefined, path) => {
    if (!list?.length) return missing ? [required(path, missing)] : [];
    if (!list.includes('*')) return items(list, path);
    return list.length > 1 ? [invalidValue(path, list, `if '*' is present, must not specify other ${others}`)] : [];
  };

const verbRule = wildcards('verbs must contain at least one value', 'verbs', (given: readonly string[], path) =>
  given.every((verb) => verbs.includes(verb)) ? [] : [notSupported(path, given, verbs)],
);

const namespaceRule = wildcards(
  '',
  'namespaces',
  each((name: string, path) =>
    invalidValues(
      path,
      name,
      dns1123LabelFaults(name).map((why) => `each member of this list must be '*' or a DNS-1123 label; ${why}`),
    ),
  ),
);

const resourceRule = struct({
  verbs: verbRule,
  apiGroups: wildcards('resource rules must supply at least one api group', 'api groups'),
  resources: wildcards('resource rules must supply at least one resource', 'resources'),
  namespaces: (list: readonly string[] | undefined, path, { clusterScope }: ResourcePolicyRule) =>
    !list?.length && !clusterScope
      ? [required(path, 'resource rules that are not cluster scoped must supply at least one namespace')]
      : namespaceRule(list, path),
});

function urlFault(url: string): string | undefined {
  if (url === '') return 'must not be empty';
  if (url === '/') return undefined;
  if (!url.startsWith('/')) return 'must start with slash';
  if (url.includes(' ')) return 'must not contain white-space';
  if (url.includes('//')) return 'must not contain double slash';
  const count = url.split('*').length - 1;
  return count > 1 || (count === 1 && !url.endsWith('/*')) ? 'wildcard can only do suffix matching' : undefined;
}

const nonResourceRule = struct({
  verbs: verbRule,
  nonResourceURLs: wildcards(
    'nonResourceURLs must contain at least one value',
    'non-resource URLs',
    each((url: string, path) => [urlFault(url)].flatMap((why) => (why ? [invalidValue(path, url, why)] : []))),
  ),
});

const account = struct({
  name: needed((name, path) => (name === '*' ? [] : text(dns1123SubdomainFaults)(name, path))),
  namespace: (name, path) =>
    name ? text(dns1123LabelFaults)(name, path) : [required(path, 'must specify namespace for service account')],
});
const named = struct({ name: need() });

type SubjectField = 'group' | 'serviceAccount' | 'user';

const subjectKinds: Readonly<Record<string, { readonly field: SubjectField; readonly rule: Rule }>> = {
  ServiceAccount: { field: 'serviceAccount', rule: account },
  User: { field: 'user', rule: named },
  Group: { field: 'group', rule: named },
};

const subject: Rule = (value: Subject, path) => {
  const kind: string = value.kind ?? '';
  if (!Object.hasOwn(subjectKinds, kind))
    return [notSupported(`${path}.kind`, kind, ['Group', 'ServiceAccount', 'User'])];
  const { field, rule } = subjectKinds[kind];
  const own = value[field]
    ? rule(value[field], `${path}.${field}`)
    : [required(`${path}.${field}`, `${field} is required when subject kind is '${kind}'`)];
  const others = Object.entries(subjectKinds).filter(([other, { field: name }]) => other !== kind && value[name]);
  return [
    ...own,
    ...others.map(([other, { field: name }]) =>
      forbiddenField(`${path}.${name}`, `${name} is forbidden when subject kind is not '${other}'`),
    ),
  ];
};

const policyRule: Rule = (rule: PolicyRulesWithSubjects, path) => [
  ...(rule.subjects?.length
    ? each(subject)(rule.subjects, `${path}.subjects`)
    : [required(`${path}.subjects`, 'subjects must contain at least one value')]),
  ...(rule.resourceRules?.length || rule.nonResourceRules?.length
    ? []
    : [required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty')]),
  ...each(resourceRule)(rule.resourceRules, `${path}.resourceRules`),
  ...each(nonResourceRule)(rule.nonResourceRules, `${path}.nonResourceRules`),
];

const specRules = struct({
  distinguisherMethod: (method: FlowDistinguisherMethod | undefined, path) =>
    !method || method.type === 'ByUser' || method.type === 'ByNamespace'
      ? []
      : [notSupported(`${path}.type`, { Type: method.type ?? '' }, ['ByNamespace', 'ByUser'])],
  priorityLevelConfiguration: (level: PriorityLevelConfigurationReference | undefined, path) =>
    level?.name
      ? text(dns1123SubdomainFaults)(level.name, `${path}.name`)
      : [required(`${path}.name`, 'must reference a priority level')],
  rules: each(policyRule),
});

const everything = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};
const groups = (...names: readonly string[]) => names.map((name) => ({ kind: 'Group', group: { name } }));

/** The two schemas that must exist for any request to be answered. */
const mandatory: Readonly<Record<string, object>> = {
  exempt: {
    priorityLevelConfiguration: { name: 'exempt' },
    matchingPrecedence: 1,
    rules: [{ subjects: groups('system:masters'), ...everything }],
  },
  'catch-all': {
    priorityLevelConfiguration: { name: 'catch-all' },
    matchingPrecedence: lowest,
    distinguisherMethod: { type: 'ByUser' },
    rules: [{ subjects: groups('system:unauthenticated', 'system:authenticated'), ...everything }],
  },
};
