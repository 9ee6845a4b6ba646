// The requirements of a long selector, grouped by key: the time of a match depends on the labels of the object, and not
// on the number of requirements.

import type { Steps } from '../time/steps.ts';
import { integerOf, type Requirement } from './requirement.ts';

/** All requirements of one key. */
interface Group {
  /** Values that each `In` has; undefined without one. */
  allowed?: ReadonlySet<string>;
  readonly refused: Set<string>;
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
  const groups = new Map<string, Group>();
  for (const [index, requirement] of requirements.entries()) {
    if (index % stepRequirements === stepRequirements - 1) yield;
    let group = groups.get(requirement.key);
    if (!group) groups.set(requirement.key, (group = { refused: new Set(), isNeeded: false, isRefused: false }));
    add(group, requirement);
  }
  const needed = [...groups].filter(([, { isNeeded }]) => isNeeded);
  return (labels = {}) => {
    for (const [key, group] of needed) {
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
      if (value === undefined || !accepts(group, value)) return false;
    }
    for (const key of Object.keys(labels)) {
      const group = groups.get(key);
      if (group && !accepts(group, labels[key])) return false;
    }
    return true;
  };
}

function add(group: Group, { operator, values }: Requirement): void {
  switch (operator) {
    case 'In':
      group.isNeeded = true;
      group.allowed = new Set(group.allowed ? values.filter((value) => group.allowed?.has(value)) : values);
      return;
    case 'NotIn':
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

function accepts({ allowed, refused, above, below, isRefused }: Group, value: string): boolean {
  if (isRefused || refused.has(value) || allowed?.has(value) === false) return false;
  if (above === undefined && below === undefined) return true;
  const number = integerOf(value);
  return number !== undefined && (above === undefined || number > above) && (below === undefined || number < below);
}
