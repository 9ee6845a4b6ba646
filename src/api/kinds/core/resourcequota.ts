import type { FieldError } from '../../errors.ts';
import { immutableField, invalidValue, invalidValues, required, sameValue } from '../../fields.ts';
import type { ResourceQuota } from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { countedByName } from '../../objects/resource-usage.ts';
import { isQuotaResource, resourceNameFaults, validateAmount } from '../../validation/resource-names.ts';

const text = (quota: ResourceQuota, limits: boolean) =>
  Object.entries((quota.status?.hard ?? {}) as Record<string, string>)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .filter(([name]) => name.startsWith('limits.') === limits)
    .map(([name, hard]) => `${name}: ${quota.status?.used?.[name] ?? '0'}/${hard}`)
    .join(', ');

const podScopes = ['Terminating', 'NotTerminating', 'NotBestEffort', 'PriorityClass', 'CrossNamespacePodAffinity'];
const scopes = [...podScopes, 'BestEffort', 'VolumeAttributesClass'];
const podCompute = ['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'];

export const resourceQuota: KindBehaviour<ResourceQuota> = {
  answersDeleted: true,
  emptyFields: 'validated',
  quota: countedByName('resourcequotas'),
  cells: { Request: (q) => text(q, false), Limit: (q) => text(q, true) },
  strategy: {
    validate: (q) => validateSpec(q.spec ?? {}),
    validateUpdate(next, old) {
      const scopesOf = (q: ResourceQuota) => [...new Set(q.spec?.scopes ?? [])].sort();
      const errors = validateSpec(next.spec ?? {});
      if (!sameValue(scopesOf(next), scopesOf(old))) errors.push(immutableField('spec.scopes', next.spec?.scopes));
      return errors;
    },
    subresources: {
      status: {
        validateUpdate: ({ status }) => [
          ...validateList(status?.hard, 'status.hard'),
          ...validateList(status?.used, 'status.used'),
        ],
      },
    },
  },
};

type Spec = NonNullable<ResourceQuota['spec']>;

const validateSpec = (spec: Spec): FieldError[] => [
  ...validateList(spec.hard, 'spec.hard'),
  ...validateScopes(spec),
  ...validateSelector(spec),
];

const validateList = (list: unknown, path: string): FieldError[] =>
  Object.entries((list ?? {}) as Record<string, string>).flatMap(([name, quantity]) => {
    const at = `${path}[${name}]`;
    const errors = invalidValues(at, name, resourceNameFaults(name));
    if (!name.includes('/') && !isQuotaResource(name))
      errors.push(invalidValue(at, name, 'must be a standard resource for quota'));
    return [...errors, ...validateAmount(name, quantity, at)];
  });

/** Whether a scope applies to a resource. */
function fits(scope: string, resource: string): boolean {
  if (scope === 'BestEffort') return resource === 'pods';
  if (scope === 'VolumeAttributesClass')
    return resource === 'persistentvolumeclaims' || resource === 'requests.storage';
  return podScopes.includes(scope) ? resource === 'pods' || podCompute.includes(resource) : true;
}

const unfit = ({ hard }: Spec, scope: string): string[] =>
  Object.keys(hard ?? {}).filter((name) => isQuotaResource(name) && !fits(scope, name));

const conflicts = (chosen: readonly string[]) =>
  [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ].filter((pair) => pair.every((scope) => chosen.includes(scope)));

function validateScopes(spec: Spec): FieldError[] {
  const own = spec.scopes ?? [];
  const fault = (why: string) => invalidValue('spec.scopes', own, why);
  return [
    ...own.flatMap((scope) => [
      ...(scopes.includes(scope) ? [] : [fault('unsupported scope')]),
      ...unfit(spec, scope).map(() => fault('unsupported scope applied to resource')),
    ]),
    ...conflicts(own).map(() => fault('conflicting scopes')),
  ];
}

const path = 'spec.scopeSelector.matchExpressions';
const onlyExists =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";

interface Expression {
  readonly scopeName: string;
  readonly operator: string;
  readonly values: string[];
}

function validateSelector(spec: Spec): FieldError[] {
  const expressions = spec.scopeSelector?.matchExpressions ?? [];
  const shown = () => internal('core.ScopeSelector', spec.scopeSelector);
  const errors = expressions.flatMap(({ scopeName = '', operator = '', values = [] }: Partial<Expression>) => [
    ...(scopes.includes(scopeName) ? [] : [invalidValue(`${path}.scopeName`, scopeName, 'unsupported scope')]),
    ...unfit(spec, scopeName).map(() => invalidValue(path, shown(), 'unsupported scope applied to resource')),
    ...(['PriorityClass', 'VolumeAttributesClass'].includes(scopeName) ||
    !scopes.includes(scopeName) ||
    operator === 'Exists'
      ? []
      : [invalidValue(`${path}.operator`, operator, onlyExists)]),
    ...validateValues(operator, values),
  ]);
  const chosen = expressions.map(({ scopeName }) => scopeName as string);
  return [...errors, ...conflicts(chosen).map(() => invalidValue('spec.scopes', spec.scopes, 'conflicting scopes'))];
}

function validateValues(operator: string, values: readonly string[]): FieldError[] {
  if (operator === 'In' || operator === 'NotIn')
    return values.length
      ? []
      : [
          required(
            `${path}.values`,
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
          ),
        ];
  if (operator !== 'Exists' && operator !== 'DoesNotExist')
    return [invalidValue(`${path}.operator`, operator, 'not a valid selector operator')];
  return values.length
    ? [
        invalidValue(
          `${path}.values`,
          values,
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
      ]
    : [];
}
