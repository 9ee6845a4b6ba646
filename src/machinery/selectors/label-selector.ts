// Label selectors, in both forms: the text of a query (`a=b,c in (d,e),!f`) and the object of a spec.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors

import { finish, type Steps } from '../time/steps.ts';
import { groupedMatchSteps } from './grouped-requirements.ts';
import { requirementSteps } from './label-text.ts';
import { meetsRequirement, type Operator, type Requirement } from './requirement.ts';

type Labels = Readonly<Record<string, string>> | undefined;

/** Compiled once, matched often. */
export interface LabelSelector {
  matches(labels: Labels): boolean;
  /** True if it selects every object. */
  readonly everything: boolean;
  readonly requirements: readonly Requirement[];
  /** The canonical text. */
  toString(): string;
}

/** The object form, as in spec.selector. */
export interface LabelSelectorSpec {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** More requirements are grouped. */
const fewRequirements = 8;

function compile(requirements: readonly Requirement[]): LabelSelector {
  if (requirements.length > fewRequirements) return compiled(requirements, groupedMatch(requirements));
  return compiled(requirements, (labels) =>
    requirements.every((requirement) => meetsRequirement(requirement, labelOf(labels, requirement.key))),
  );
}

/** Grouped when it matches first: many selectors are only read. */
function groupedMatch(requirements: readonly Requirement[]): LabelSelector['matches'] {
  let matches: LabelSelector['matches'] | undefined;
  return (labels) => (matches ??= finish(groupedMatchSteps(requirements)))(labels);
}

const compiled = (requirements: readonly Requirement[], matches: LabelSelector['matches']): LabelSelector => ({
  requirements,
  everything: requirements.length === 0,
  matches,
  toString: () => requirements.map(textOf).join(','),
});

/** Every object inherits some names, such as `constructor`, which are no labels. */
function labelOf(labels: Labels, key: string): string | undefined {
  const value = labels?.[key];
  return typeof value === 'string' ? value : undefined;
}

export const selectEverything: LabelSelector = compile([]);
const selectNothing: LabelSelector = { ...compile([]), everything: false, matches: () => false };

function textOf({ key, operator, values }: Requirement): string {
  const list = `(${[...values].sort().join(',')})`;
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in ${list}`;
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin ${list}`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
    default:
      return `${key}${operator === 'Gt' ? '>' : '<'}${values[0]}`;
  }
}

/** Undefined selects nothing, an empty object everything. */
export function labelSelector(spec: LabelSelectorSpec | null | undefined): LabelSelector {
  if (!spec) return selectNothing;
  const requirements: Requirement[] = Object.entries(spec.matchLabels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({ key, operator: 'In', values: [value] }));
  for (const { key, operator, values } of spec.matchExpressions ?? [])
    requirements.push({ key, operator: operator as Operator, values: values ?? [] });
  return compile(requirements);
}

/** A plain map, as Services and ReplicationControllers have: every label must be equal. An empty one selects nothing. */
export const mapSelector = (map: Labels): LabelSelector =>
  map && Object.keys(map).length > 0 ? labelSelector({ matchLabels: map }) : selectNothing;

/** Parses the text form. Throws SelectorError. */
export const parseLabelSelector = (text: string): LabelSelector => finish(labelSelectorSteps(text));

/** The same in steps, for texts of any length. */
export function* labelSelectorSteps(text: string): Steps<LabelSelector> {
  const requirements = yield* requirementSteps(text);
  if (requirements.length === 0) return selectEverything;
  return requirements.length > fewRequirements
    ? compiled(requirements, yield* groupedMatchSteps(requirements))
    : compile(requirements);
}
