// Whether the rules that a user has cover the rules that the user grants.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping

import type { PolicyRule } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';

/** A short rule may mean a huge number of combinations: the limit on enumerated and compared ones. */
const mostCombinations = 10_000;
const mostComparisons = 500_000;
/** Values of rules that are looked for in whole other rules. */
const mostLookups = 500_000;

export class TooManyCombinations extends Error {
  override readonly name = 'TooManyCombinations';
}

/**
 * Rules with one verb, one resource and one name each that `owned` does not cover; empty if it covers all. Throws
 * TooManyCombinations.
 */
export function uncovered(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  const index = indexed(owned);
  const missing: PolicyRule[] = [];
  const lookups = { left: mostLookups };
  let combinations = 0;
  for (const given of wanted) {
    const rule = given ?? {}; // rules are compared before they are validated
    if (index.some((owner) => containsAll(owner, rule, lookups))) continue;
    for (const atom of atoms(rule)) {
      combinations++;
      if (combinations > mostCombinations || combinations * index.length > mostComparisons)
        throw new TooManyCombinations();
      if (!index.some((owner) => covers(owner, atom))) missing.push(atom);
    }
  }
  return missing;
}

/** Whether this rule alone contains all of a resource rule; false when that is not plain to see. */
function containsAll({ verbs, groups, resources, names }: Owner, rule: PolicyRule, lookups: { left: number }): boolean {
  const has = (set: Values, value: string) => {
    if (--lookups.left < 0) throw new TooManyCombinations();
    return set.has(value);
  };
  const all = (set: Values, list: readonly string[] | undefined) =>
    has(set, '*') || !!list?.every((value) => has(set, value));
  return (
    !rule.nonResourceURLs?.length &&
    names.size === 0 &&
    all(verbs, rule.verbs) &&
    all(groups, rule.apiGroups) &&
    all(resources, rule.resources)
  );
}

/** One text a rule, sorted; rules that differ only in their verbs are shown as one. */
export function describeRules(rules: readonly PolicyRule[]): string {
  const merged = new Map<string, PolicyRule & { readonly verbs: string[] }>();
  for (const rule of rules) {
    const { verbs, ...rest } = rule;
    const key = rule.nonResourceURLs ? JSON.stringify(rule) : JSON.stringify(rest);
    const earlier = merged.get(key);
    if (earlier && !rule.nonResourceURLs) earlier.verbs.push(...verbs);
    else merged.set(key, { ...rule, verbs: [...verbs] });
  }
  return [...new Set([...merged.values()].map(describe))].sort().join('\n');
}

/** A list as Go's %q prints it. */
export const quotedList = (list: readonly string[]): string =>
  `[${list.map((text) => JSON.stringify(text)).join(' ')}]`;

const shown = [
  ['APIGroups', 'apiGroups'],
  ['Resources', 'resources'],
  ['NonResourceURLs', 'nonResourceURLs'],
  ['ResourceNames', 'resourceNames'],
  ['Verbs', 'verbs'],
] as const;

function describe(rule: PolicyRule): string {
  const parts = shown.flatMap(([title, field]) => {
    const list = rule[field];
    return list?.length ? [`${title}:${quotedList(list)}`] : [];
  });
  return `{${parts.join(', ')}}`;
}

/** The rule as rules of one group, one resource, at most one name and one verb. */
function* atoms(rule: PolicyRule): Generator<PolicyRule> {
  const names = rule.resourceNames?.length ? rule.resourceNames.map((name) => [name]) : [undefined];
  for (const group of rule.apiGroups ?? [])
    for (const resource of rule.resources ?? [])
      for (const verb of rule.verbs ?? [])
        for (const resourceNames of names)
          yield { apiGroups: [group], resources: [resource], ...(resourceNames && { resourceNames }), verbs: [verb] };
  for (const url of rule.nonResourceURLs ?? [])
    for (const verb of rule.verbs ?? []) yield { nonResourceURLs: [url], verbs: [verb] };
}

/** Values of a rule. Roles may have thousands of rules, and a rule thousands of values. */
type Values = Pick<ReadonlySet<string>, 'has' | 'size'>;

/** A set takes longer to make than a few values to compare. */
const fewValues = 8;

class ShortList implements Values {
  readonly #values: readonly string[];

  constructor(values: readonly string[]) {
    this.#values = values;
  }

  has(value: string): boolean {
    return this.#values.includes(value);
  }

  get size(): number {
    return this.#values.length;
  }
}

const valuesOf = (list: readonly string[] = []): Values =>
  list.length > fewValues ? new Set(list) : new ShortList(list);

interface Owner {
  readonly verbs: Values;
  readonly groups: Values;
  readonly resources: Values;
  readonly names: Values;
  readonly urls: readonly string[];
}

const indexed = (rules: readonly PolicyRule[]): Owner[] =>
  rules.map((rule) => ({
    verbs: valuesOf(rule.verbs),
    groups: valuesOf(rule.apiGroups),
    resources: valuesOf(rule.resources),
    names: valuesOf(rule.resourceNames),
    urls: rule.nonResourceURLs ?? [],
  }));

const hasOrAll = (set: Values, wanted: string) => set.has('*') || set.has(wanted);

function covers(owner: Owner, { verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule): boolean {
  if (!hasOrAll(owner.verbs, verbs[0])) return false;
  if (nonResourceURLs) return owner.urls.some((url) => coversUrl(url, nonResourceURLs[0]));
  if (
    !hasOrAll(owner.groups, must(apiGroups, 'apiGroups')[0]) ||
    !coversResource(owner.resources, must(resources, 'resources')[0])
  )
    return false;
  // A rule without names is for all names: only another such rule contains it.
  return owner.names.size === 0 || (!!resourceNames && owner.names.has(resourceNames[0]));
}

function coversResource(owned: Values, resource: string): boolean {
  if (hasOrAll(owned, resource)) return true;
  const slash = resource.indexOf('/');
  return slash >= 0 && owned.has(`*${resource.slice(slash)}`);
}

const coversUrl = (owned: string, url: string): boolean =>
  owned === url || (owned.endsWith('*') && url.startsWith(owned.replace(/\*+$/, '')));
