// Consumption that is refused without a quota that covers it.
// https://kubernetes.io/docs/concepts/policy/resource-quotas/#limit-priority-class-consumption-by-default

import { forbidden, type Kind, type ResourceQuota, type Scope, scopesOf, type Usage } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
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
  const scoped = must(object, 'object');
  const matched = new Set(
    quotas
      .flatMap(scopesOf)
      .filter((scope) => kind.quota?.holdsScope?.(scope, scoped))
      .map(({ scopeName }) => scopeName),
  );
  const missing = limited
    .flatMap(({ matchScopes }) => matchScopes ?? [])
    .filter((scope) => kind.quota?.holdsScope?.(scope, scoped) && !matched.has(scope.scopeName));
  if (missing.length) throw plainError(`insufficient quota to match these scopes: [${missing.map(shown).join(' ')}]`);
}

const shown = ({ scopeName, operator = '', values = [] }: Scope) => `{${scopeName} ${operator} [${values.join(' ')}]}`;
