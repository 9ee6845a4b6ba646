// When the failure of a pod is the failure of its job.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy

import { qualifiedNameFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, invalidValue, notSupported, omitted, required, tooMany } from '../../fields.ts';
import type { JobSpec, PodFailurePolicyRule } from '../../generated/types.ts';
import { text } from '../rules.ts';

const maxRules = 20;
const maxExitCodes = 255;
const maxPatterns = 20;

/** The values in brackets, as Go's %q prints a list. */
const listed = (values: readonly string[]) => `valid values: [${values.map((v) => JSON.stringify(v)).join(' ')}]`;

function oneOf(value: string | undefined, path: string, supported: readonly string[]): FieldError[] {
  if (!value) return [required(path, listed(supported))];
  return supported.includes(value) ? [] : [notSupported(path, value, supported)];
}

export function validateFailurePolicy(spec: JobSpec, path: string): FieldError[] {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const pod = spec.template?.spec;
  const names = new Set([...(pod?.containers ?? []), ...(pod?.initContainers ?? [])].map(({ name }) => name));
  return [
    ...(rules.length > maxRules ? [tooMany(`${path}.rules`, rules.length, maxRules)] : []),
    ...rules.flatMap((rule, index) => validateRule(rule, `${path}.rules[${index}]`, spec, names)),
  ];
}

function validateRule(rule: PodFailurePolicyRule, path: string, spec: JobSpec, names: Set<string>): FieldError[] {
  const { action, onExitCodes, onPodConditions = [] } = rule;
  const errors: FieldError[] = [];
  const fault = (why: string) => errors.push(invalidValue(path, omitted, why));
  if (action === 'FailIndex') {
    if (spec.backoffLimitPerIndex === undefined)
      errors.push(invalidValue(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set'));
  } else errors.push(...oneOf(action, `${path}.action`, ['Count', 'FailIndex', 'FailJob', 'Ignore']));
  if (onExitCodes) errors.push(...validateExitCodes(onExitCodes, `${path}.onExitCodes`, names));
  errors.push(...validatePatterns(onPodConditions, `${path}.onPodConditions`));
  if (onExitCodes && onPodConditions.length) fault('specifying both OnExitCodes and OnPodConditions is not supported');
  if (!onExitCodes && !onPodConditions.length) fault('specifying one of OnExitCodes and OnPodConditions is required');
  return errors;
}

const qualified = text(qualifiedNameFaults);

function validatePatterns(patterns: NonNullable<PodFailurePolicyRule['onPodConditions']>, path: string): FieldError[] {
  const errors = patterns.length > maxPatterns ? [tooMany(path, patterns.length, maxPatterns)] : [];
  for (const [index, { type, status }] of patterns.entries())
    errors.push(
      ...qualified(type, `${path}[${index}].type`),
      ...oneOf(status, `${path}[${index}].status`, ['False', 'True', 'Unknown']),
    );
  return errors;
}

function validateExitCodes(
  codes: NonNullable<PodFailurePolicyRule['onExitCodes']>,
  path: string,
  names: Set<string>,
): FieldError[] {
  const { operator, containerName } = codes;
  const values = codes.values ?? [];
  const errors = oneOf(operator, `${path}.operator`, ['In', 'NotIn']);
  const at = `${path}.values`;
  if (containerName !== undefined && !names.has(containerName))
    errors.push(
      invalidValue(
        `${path}.containerName`,
        containerName,
        'must be one of the container or initContainer names in the pod template',
      ),
    );
  if (!values.length) errors.push(invalidValue(at, codes.values ?? null, 'at least one value is required'));
  else if (values.length > maxExitCodes) errors.push(tooMany(at, values.length, maxExitCodes));
  const seen = new Set<number>();
  for (const [index, code] of values.entries()) {
    if (operator === 'In' && code === 0)
      errors.push(invalidValue(`${at}[${index}]`, code, 'must not be 0 for the In operator'));
    if (seen.has(code)) errors.push(duplicate(`${at}[${index}]`, code));
    seen.add(code);
  }
  if (values.some((code, index) => index > 0 && values[index - 1] > code))
    errors.push(invalidValue(at, values, 'must be ordered'));
  return errors;
}
