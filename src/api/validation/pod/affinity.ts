// Node affinity, pod affinity and spreading.
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/

import {
  dns1123LabelFaults,
  dns1123SubdomainFaults,
  labelValueFaults,
  qualifiedNameFaults,
} from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, required } from '../../fields.ts';
import type {
  Affinity,
  LabelSelector,
  NodeSelector,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  TopologySpreadConstraint,
} from '../../generated/types.ts';
import { need, oneOfThese, positive, set, struct } from '../rules.ts';
import { validateLabelSelector } from '../selector.ts';

const required_ = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
const weightFault = 'must be in the range 1-100';

export function validateAffinity(affinity: Affinity | undefined, path: string): FieldError[] {
  if (!affinity) return [];
  const errors: FieldError[] = [];
  const node = affinity.nodeAffinity;
  const at = `${path}.nodeAffinity`;
  if (node?.[required_]) errors.push(...validateNodeSelector(node[required_], `${at}.${required_}`));
  for (const [index, term] of (node?.[preferred] ?? []).entries()) {
    if (term.weight <= 0 || term.weight > 100)
      errors.push(invalidValue(`${at}.${preferred}[${index}].weight`, term.weight, weightFault));
    errors.push(...validateTerm(term.preference, `${at}.${preferred}[${index}].preference`, false));
  }
  for (const field of ['podAffinity', 'podAntiAffinity'] as const)
    if (affinity[field]) errors.push(...validatePodAffinity(affinity[field], `${path}.${field}`));
  return errors;
}

export function validateNodeSelector(selector: NodeSelector, path: string): FieldError[] {
  const terms = selector.nodeSelectorTerms ?? [];
  if (!terms.length) return [required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term')];
  return terms.flatMap((term, index) => validateTerm(term, `${path}.nodeSelectorTerms[${index}]`));
}

/** Values of labels that are no labels' values make a preference never match, and a requirement invalid. */
function validateTerm(term: NodeSelectorTerm, path: string, strict = true): FieldError[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((r, i) =>
      validateRequirement(r, `${path}.matchExpressions[${i}]`, strict),
    ),
    ...(term.matchFields ?? []).flatMap((r, i) => validateField(r, `${path}.matchFields[${i}]`)),
  ];
}

/** As clients send it. */
interface Requirement {
  readonly key?: string;
  readonly operator?: string;
  readonly values?: readonly string[];
}

function validateRequirement(
  { key = '', operator = '', values = [] }: Requirement,
  path: string,
  strict: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  if (operator === 'In' || operator === 'NotIn') {
    if (!values.length) errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length)
      errors.push(
        forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
      );
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1)
      errors.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  } else errors.push(invalidValue(`${path}.operator`, operator, 'not a valid selector operator'));
  errors.push(...invalidValues(`${path}.key`, key, qualifiedNameFaults(key)));
  if (!strict) return errors;
  for (const [index, value] of values.entries())
    errors.push(...invalidValues(`${path}.values[${index}]`, value, labelValueFaults(value)));
  return errors;
}

function validateField({ key = '', operator = '', values = [] }: Requirement, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (operator !== 'In' && operator !== 'NotIn')
    errors.push(invalidValue(`${path}.operator`, operator, 'not a valid selector operator'));
  else if (values.length !== 1)
    errors.push(
      required(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"),
    );
  if (key !== 'metadata.name') errors.push(invalidValue(`${path}.key`, key, 'not a valid field selector key'));
  else
    for (const [index, value] of values.entries())
      errors.push(...invalidValues(`${path}.values[${index}]`, value, dns1123SubdomainFaults(value)));
  return errors;
}

function validatePodAffinity(affinity: PodAffinity, path: string): FieldError[] {
  return [
    ...(affinity[required_] ?? []).flatMap((term, i) => validatePodTerm(term, `${path}.${required_}[${i}]`)),
    ...(affinity[preferred] ?? []).flatMap(({ weight, podAffinityTerm }, i) => [
      ...(weight <= 0 || weight > 100 ? [invalidValue(`${path}.${preferred}[${i}].weight`, weight, weightFault)] : []),
      ...validatePodTerm(podAffinityTerm, `${path}.${preferred}[${i}].podAffinityTerm`),
    ]),
  ];
}

function validatePodTerm(term: PodAffinityTerm, path: string): FieldError[] {
  const { topologyKey = '', matchLabelKeys = [], mismatchLabelKeys = [] } = term;
  const errors = [
    ...validateLabelSelector(term.labelSelector, `${path}.labelSelector`),
    ...validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`),
  ];
  for (const name of term.namespaces ?? [])
    errors.push(...invalidValues(`${path}.namespace`, name, dns1123LabelFaults(name)));
  errors.push(...validateLabelKeys(path, matchLabelKeys, mismatchLabelKeys, term.labelSelector));
  if (!topologyKey) errors.push(required(`${path}.topologyKey`, 'can not be empty'));
  return [...errors, ...invalidValues(`${path}.topologyKey`, topologyKey, qualifiedNameFaults(topologyKey))];
}

/** Keys whose values come from the pod's labels on create. */
function validateLabelKeys(
  path: string,
  match: readonly string[],
  mismatch: readonly string[],
  selector: LabelSelector | undefined,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const [field, keys] of Object.entries({ matchLabelKeys: match, mismatchLabelKeys: mismatch })) {
    if (!keys.length) continue;
    if (!selector)
      errors.push(forbiddenField(`${path}.${field}`, 'must not be specified when labelSelector is not set'));
    else
      for (const [index, key] of keys.entries())
        errors.push(...invalidValues(`${path}.${field}[${index}]`, key, qualifiedNameFaults(key)));
  }
  const indexes = new Map(match.map((key, index) => [key, index]));
  const selected = new Set(Object.keys(selector?.matchLabels ?? {}));
  for (const { key } of selector?.matchExpressions ?? []) {
    // The keys were merged into the selector: only duplicates are a fault.
    if (indexes.has(key) && selected.has(key))
      errors.push(invalidValue(`${path}[${indexes.get(key)}]`, key, 'exists in both matchLabelKeys and labelSelector'));
    selected.add(key);
  }
  const excluded = new Set(mismatch);
  for (const [index, key] of match.entries())
    if (excluded.has(key))
      errors.push(
        invalidValue(`${path}.matchLabelKeys[${index}]`, key, 'exists in both matchLabelKeys and mismatchLabelKeys'),
      );
  return errors;
}

const spreadRules = struct({
  maxSkew: positive,
  topologyKey: need('can not be empty'),
  whenUnsatisfiable: oneOfThese('DoNotSchedule', 'ScheduleAnyway'),
});
const nodePolicies = struct({
  nodeAffinityPolicy: set(oneOfThese('Honor', 'Ignore')),
  nodeTaintsPolicy: set(oneOfThese('Honor', 'Ignore')),
});

export function validateSpread(constraints: readonly TopologySpreadConstraint[], path: string): FieldError[] {
  const keyOf = (c: TopologySpreadConstraint) => `{${c.topologyKey ?? ''}, ${c.whenUnsatisfiable ?? ''}}`;
  const times = new Map<string, number>();
  for (const c of constraints) times.set(keyOf(c), (times.get(keyOf(c)) ?? 0) + 1);
  return constraints.flatMap((c, index) => {
    const at = `${path}[${index}]`;
    const errors = [...spreadRules(c, at)];
    // Each but the last of a kind is a fault.
    const left = (times.get(keyOf(c)) ?? 1) - 1;
    times.set(keyOf(c), left);
    if (left) errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, keyOf(c)));
    return [
      ...errors,
      ...validateMinDomains(c, `${at}.minDomains`),
      ...nodePolicies(c, at),
      ...validateLabelKeys(at, c.matchLabelKeys ?? [], [], c.labelSelector),
      ...validateLabelSelector(c.labelSelector, `${at}.labelSelector`),
    ];
  });
}

function validateMinDomains({ minDomains, whenUnsatisfiable }: TopologySpreadConstraint, path: string): FieldError[] {
  if (minDomains === undefined) return [];
  const errors: FieldError[] = [];
  if (minDomains <= 0) errors.push(invalidValue(path, minDomains, 'must be greater than zero'));
  if (whenUnsatisfiable !== 'DoNotSchedule')
    errors.push(
      invalidValue(
        path,
        minDomains,
        `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
      ),
    );
  return errors;
}
