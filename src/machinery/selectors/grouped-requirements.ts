// The requirements of a long selector, grouped by key: the time of a match depends on the labels of the object, and not
// on the number of requirements.

import type { Steps } from '../time/steps.ts';
import { integerOf, meetsRequirement, type Requirement } from './requirement.ts';

/** All requirements of one key. */
interface Group {
  /** Values that each `In` has; undefined without one. */
  allowed?: ReadonlySet<string>;
  refused?: Set<string>;
  /** The largest bound of `Gt`, and the smallest one of `Lt`. */
  above?: bigint;
  below?: bigint;
  /** An object without the key does not match. */
  isNeeded: boolean;
  /** No object with the key matches. */
  isRefused: boolean;
}

/** Requirements that are grouped in one step: about a millisecond. */
const stepRequirements = 4_096;

/** Whether labels meet all requirements. */
export function* groupedMatchSteps(
  requirements: readonly Requirement[],
): Steps<(labels: Readonly<Record<string, string>> | undefined) => boolean> {
  // Most keys have one requirement, which takes less memory than a group.
  const groups = new Map<string, Requirement | Group>();
  for (const [index, requirement] of requirements.entries()) {
    if (index % stepRequirements === stepRequirements - 1) yield;
    const { key } = requirement;
    const earlier = groups.get(key);
    if (!earlier) groups.set(key, requirement);
    else if ('key' in earlier) {
      if (isSame(earlier, requirement)) continue;
      const group: Group = { isNeeded: false, isRefused: false };
      add(group, earlier);
      add(group, requirement);
      groups.set(key, group);
    } else add(earlier, requirement);
  }
  const needed: string[] = [];
  let seen = 0;
  for (const [key, group] of groups) {
    if (++seen % stepRequirements === 0) yield;
    if (needs(group) && needed.push(key) > mostLabels) return () => false;
  }
  return (labels = {}) => {
    for (const key of needed) {
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
      if (value === undefined || !accepts(groups.get(key), value)) return false;
    }
    for (const key of Object.keys(labels)) if (!accepts(groups.get(key), labels[key])) return false;
    return true;
  };
}

/** More labels than an object can have. */
const mostLabels = 1 << 16;

const isSame = (a: Requirement, b: Requirement): boolean =>
  a.operator === b.operator &&
  a.values.length === b.values.length &&
  a.values.every((value, index) => value === b.values[index]);

/** Whether an object must have the key. */
function needs(group: Requirement | Group): boolean {
  if ('isNeeded' in group) return group.isNeeded;
  return group.operator !== 'NotIn' && group.operator !== 'DoesNotExist';
}

function add(group: Group, { operator, values }: Requirement): void {
  switch (operator) {
    case 'In':
      group.isNeeded = true;
      group.allowed = new Set(group.allowed ? values.filter((value) => group.allowed?.has(value)) : values);
      return;
    case 'NotIn':
      group.refused ??= new Set();
      for (const value of values) group.refused.add(value);
      return;
    case 'Exists':
      group.isNeeded = true;
      return;
    case 'DoesNotExist':
      group.isRefused = true;
      return;
    default:
      addBound(group, operator, integerOf(values[0]));
  }
}

function addBound(group: Group, operator: string, bound: bigint | undefined): void {
  group.isNeeded = true;
  if (bound === undefined) group.isRefused = true;
  else if (operator === 'Gt') group.above = group.above === undefined || bound > group.above ? bound : group.above;
  else if (operator === 'Lt') group.below = group.below === undefined || bound < group.below ? bound : group.below;
  else group.isRefused = true;
}

function accepts(group: Requirement | Group | undefined, value: string): boolean {
  if (!group) return true;
  if ('key' in group) return meetsRequirement(group, value);
  const { allowed, refused, above, below, isRefused } = group;
  if (isRefused || refused?.has(value) || allowed?.has(value) === false) return false;
  if (above === undefined && below === undefined) return true;
  const number = integerOf(value);
  return number !== undefined && (above === undefined || number > above) && (below === undefined || number < below);
}
