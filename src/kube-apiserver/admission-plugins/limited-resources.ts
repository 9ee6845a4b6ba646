// Consumption that is refused without a quota that covers it.
// https://kubernetes.io/docs/concepts/policy/resource-quotas/#limit-priority-class-consumption-by-default

import { forbidden, isInScope, type Kind, type Pod, type ResourceQuota, type Usage } from '../../api/api.ts';
import { compareQuantities } from '../../machinery/quantity.ts';
import type { AdmissionAttributes } from '../admission.ts';
import { plainError } from '../status.ts';

export interface LimitedResource {
  readonly apiGroup?: string;
  readonly resource: string;
  /** Substrings of resource names. */
  readonly matchContains?: readonly string[] | null;
  readonly matchScopes?: readonly Scope[] | null;
}

interface Scope {
  readonly scopeName: string;
  readonly operator?: string;
  readonly values?: readonly string[];
}

export const isOf = ({ apiGroup = '', resource }: LimitedResource, kind: Kind): boolean =>
  apiGroup === kind.group && resource === kind.resource;

interface Consumption {
  readonly attributes: AdmissionAttributes;
  readonly limited: readonly LimitedResource[];
  readonly delta: Usage;
  /** The resources of the object that quotas limit. */
  readonly covered: ReadonlySet<string>;
  /** All quotas of the namespace. */
  readonly quotas: readonly ResourceQuota[];
}

/** Throws unless quotas cover all that is limited. */
export function checkCovered({ attributes, limited, delta, covered, quotas }: Consumption): void {
  const { kind, name, object } = attributes;
  const isLimited = (resource: string) =>
    limited.some(({ matchContains }) => matchContains?.some((part) => resource.includes(part)));
  const uncovered = Object.keys(delta).filter(
    (resource) => compareQuantities(delta[resource], 0) > 0 && isLimited(resource) && !covered.has(resource),
  );
  if (uncovered.length) throw forbidden(kind, name, `insufficient quota to consume: ${uncovered.sort().join(',')}`);
  if (kind.resource !== 'pods') return;
  const pod = object as Pod;
  const matched = new Set(
    quotas
      .flatMap(scopesOf)
      .filter((scope) => holds(scope, pod))
      .map(({ scopeName }) => scopeName),
  );
  const missing = limited
    .flatMap(({ matchScopes }) => matchScopes ?? [])
    .filter((scope) => holds(scope, pod) && !matched.has(scope.scopeName));
  if (missing.length) throw plainError(`insufficient quota to match these scopes: [${missing.map(shown).join(' ')}]`);
}

const scopesOf = ({ spec }: ResourceQuota): Scope[] => [
  ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
  ...(spec?.scopeSelector?.matchExpressions ?? []),
];

const holds = (scope: Scope, pod: Pod): boolean =>
  isInScope({ spec: { scopeSelector: { matchExpressions: [scope] } } } as ResourceQuota, pod);

const shown = ({ scopeName, operator = '', values = [] }: Scope) => `{${scopeName} ${operator} [${values.join(' ')}]}`;
