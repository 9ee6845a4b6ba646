// Sets of indexes of a job, such as "1,3-5,7", and the policies that count them.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#success-policy

import type { FieldError } from '../../errors.ts';
import { invalidValue, nonNegative, required, tooLong, tooMany } from '../../fields.ts';
import type { JobSpec, SuccessPolicyRule } from '../../generated/types.ts';

/** The number of indexes in a text, or its fault. */
export function countIndexes(text: string, completions: number): { total: number } | { fault: string } {
  if (!text) return { total: 0 };
  let last: number | undefined;
  let total = 0;
  for (const part of text.split(',')) {
    const interval = parseInterval(part, completions);
    if ('fault' in interval) return interval;
    if (last !== undefined && last >= interval.first)
      return { fault: `non-increasing order, previous: ${last}, current: ${interval.first}` };
    total += interval.last - interval.first + 1;
    last = interval.last;
  }
  return { total };
}

function parseInterval(text: string, completions: number): { first: number; last: number } | { fault: string } {
  const parts = text.split('-');
  if (parts.length > 2)
    return {
      fault: `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`,
    };
  for (const part of parts) {
    const quoted = JSON.stringify(part);
    if (!/^\+?\d{1,18}$/.test(part)) return { fault: `cannot convert string to integer for index: ${quoted}` };
    if (Number(part) >= completions) return { fault: `too large index: ${quoted}` };
  }
  const [first, last = first] = parts.map(Number);
  return parts.length === 2 && first >= last
    ? { fault: `non-increasing order, previous: ${first}, current: ${last}` }
    : { first, last };
}

/** The first index that two sets have in common. */
export function firstShared(one: string, other: string, completions: number): number | undefined {
  const intervals = (text: string) =>
    (text ? text.split(',') : []).flatMap((part) => {
      const interval = parseInterval(part, completions);
      return 'fault' in interval ? [] : [interval];
    });
  const [a, b] = [intervals(one), intervals(other)];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i].last < b[j].first) i++;
    else if (b[j].last < a[i].first) j++;
    else return Math.max(a[i].first, b[j].first);
  }
  return undefined;
}

const maxRules = 20;
const maxIndexesLength = 64 * 1024;

export function validateSuccessPolicy(spec: JobSpec, path: string): FieldError[] {
  const rules = spec.successPolicy?.rules ?? [];
  const at = `${path}.rules`;
  const errors: FieldError[] = [];
  if (!rules.length)
    errors.push(required(at, 'at least one rules must be specified when the successPolicy is specified'));
  if (rules.length > maxRules) errors.push(tooMany(at, rules.length, maxRules));
  return [...errors, ...rules.flatMap((rule, index) => validateRule(rule, `${at}[${index}]`, spec.completions ?? 0))];
}

function validateRule({ succeededCount, succeededIndexes }: SuccessPolicyRule, path: string, completions: number) {
  const errors: FieldError[] = [];
  if (succeededCount === undefined && succeededIndexes === undefined)
    errors.push(required(path, 'at least one of succeededCount or succeededIndexes must be specified'));
  let total = 0;
  if (succeededIndexes !== undefined) {
    const at = `${path}.succeededIndexes`;
    if (succeededIndexes.length > maxIndexesLength) errors.push(tooLong(at, maxIndexesLength));
    const counted = countIndexes(succeededIndexes, completions);
    if ('fault' in counted)
      errors.push(invalidValue(at, succeededIndexes, `error parsing succeededIndexes: ${counted.fault}`));
    else total = counted.total;
  }
  if (succeededCount === undefined) return errors;
  const at = `${path}.succeededCount`;
  errors.push(...nonNegative(at, succeededCount));
  const limit = (max: number, unit: string) =>
    errors.push(invalidValue(at, succeededCount, `must be less than or equal to ${max} (the number of ${unit})`));
  if (succeededCount > completions) limit(completions, 'specified completions');
  if (succeededIndexes !== undefined && succeededCount > total)
    limit(total, 'indexes in the specified succeededIndexes field');
  return errors;
}
