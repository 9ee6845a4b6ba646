// Node affinity, pod affinity and spreading.
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/

import { labelValueFaults, qualifiedNameFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, forbiddenField, invalidValue, invalidValues, notSupported, oneOf, required } from '../../fields.ts';
import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  TopologySpreadConstraint,
} from '../../generated/types.ts';
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
    errors.push(...validateTerm(term.preference, `${at}.${preferred}[${index}].preference`));
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

function validateTerm(term: NodeSelectorTerm, path: string): FieldError[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((r, i) => validateRequirement(r, `${path}.matchExpressions[${i}]`)),
    ...(term.matchFields ?? []).flatMap((r, i) => validateField(r, `${path}.matchFields[${i}]`)),
  ];
}

function validateRequirement({ key, operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
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
  errors.push(...invalidValues(`${path}.key`, key, qualifiedNameFaults(key ?? '')));
  for (const [index, value] of values.entries())
    errors.push(...invalidValues(`${path}.values[${index}]`, value, labelValueFaults(value)));
  return errors;
}

function validateField({ key, operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (operator !== 'In' && operator !== 'NotIn')
    errors.push(invalidValue(`${path}.operator`, operator, 'not a valid selector operator'));
  else if (values.length !== 1)
    errors.push(
      required(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"),
    );
  if (key !== 'metadata.name') errors.push(invalidValue(`${path}.key`, key, 'not a valid field selector key'));
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
  const errors = [
    ...validateLabelSelector(term.labelSelector, `${path}.labelSelector`),
    ...validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`),
  ];
  if (!term.topologyKey) errors.push(required(`${path}.topologyKey`, 'can not be empty'));
  errors.push(
    ...invalidValues(`${path}.topologyKey`, term.topologyKey ?? '', qualifiedNameFaults(term.topologyKey ?? '')),
  );
  for (const field of ['matchLabelKeys', 'mismatchLabelKeys'] as const) {
    if (!term[field]?.length) continue;
    if (!term.labelSelector)
      errors.push(forbiddenField(`${path}.${field}`, 'must not be specified when labelSelector is not set'));
    for (const [index, key] of term[field].entries())
      errors.push(...invalidValues(`${path}.${field}[${index}]`, key, qualifiedNameFaults(key)));
  }
  return errors;
}

export function validateSpread(constraints: readonly TopologySpreadConstraint[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Map<string, number>();
  for (const [index, c] of constraints.entries()) {
    const at = `${path}[${index}]`;
    if (c.maxSkew <= 0) errors.push(invalidValue(`${at}.maxSkew`, c.maxSkew, 'must be greater than zero'));
    if (!c.topologyKey) errors.push(required(`${at}.topologyKey`, 'can not be empty'));
    else errors.push(...invalidValues(`${at}.topologyKey`, c.topologyKey, qualifiedNameFaults(c.topologyKey)));
    const actions = ['DoNotSchedule', 'ScheduleAnyway'];
    if (!actions.includes(c.whenUnsatisfiable))
      errors.push(notSupported(`${at}.whenUnsatisfiable`, c.whenUnsatisfiable, actions));
    const key = `{${c.topologyKey}, ${c.whenUnsatisfiable}}`;
    if (seen.has(key)) errors.push(duplicate(`${path}[${seen.get(key)}].{topologyKey, whenUnsatisfiable}`, key));
    else seen.set(key, index);
    errors.push(...validateMinDomains(c, `${at}.minDomains`));
    errors.push(...oneOf(`${at}.nodeAffinityPolicy`, c.nodeAffinityPolicy, ['Honor', 'Ignore']));
    errors.push(...oneOf(`${at}.nodeTaintsPolicy`, c.nodeTaintsPolicy, ['Honor', 'Ignore']));
    if (c.matchLabelKeys?.length && !c.labelSelector)
      errors.push(forbiddenField(`${at}.matchLabelKeys`, 'must not be specified when labelSelector is not set'));
    errors.push(...validateLabelSelector(c.labelSelector, `${at}.labelSelector`));
  }
  return errors;
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
