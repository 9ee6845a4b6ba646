// Field selectors: `metadata.name=a,status.phase!=Running`.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/

import { finish, type Steps } from '../time/steps.ts';
import { SelectorError } from './label-text.ts';

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[];
  readonly everything: boolean;
  /** `value` gives the value of a selectable field. */
  matches(value: (field: string) => string): boolean;
  /** The required value of `field`, if the selector requires exactly one. */
  exact(field: string): string | undefined;
  toString(): string;
}

/** Characters of one step: about a millisecond. */
const stepCharacters = 32_768;

/** Parses the text form; `\\` escapes a comma, an equals sign and itself. Throws SelectorError. */
export const parseFieldSelector = (text: string): FieldSelector => finish(fieldSelectorSteps(text));

/** The same in steps, for texts of any length. */
export function* fieldSelectorSteps(text: string): Steps<FieldSelector> {
  const requirements: FieldRequirement[] = [];
  let stepEnd = stepCharacters;
  for (let start = 0; start <= text.length; ) {
    const end = endOfTerm(text, start);
    if (end > start) requirements.push(requirementOf(text, text.slice(start, end)));
    start = end + 1;
    if (start < stepEnd) continue;
    stepEnd = start + stepCharacters;
    yield;
  }
  return {
    requirements,
    everything: requirements.length === 0,
    matches: yield* matchSteps(requirements),
    exact: (field) => requirements.find((r) => r.field === field && r.operator === '=')?.value,
    toString: () => requirements.map((r) => `${r.field}${r.operator}${escapeValue(r.value)}`).join(','),
  };
}

/** The index of the next comma without a backslash before it. */
function endOfTerm(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== ',') at += text[at] === '\\' ? 2 : 1;
  return Math.min(at, text.length);
}

function requirementOf(text: string, term: string): FieldRequirement {
  const match = /!=|==?/.exec(term);
  if (!match) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
  const value = unescapeValue(term.slice(match.index + match[0].length));
  return { field: term.slice(0, match.index), operator: match[0] === '!=' ? '!=' : '=', value };
}

interface FieldValues {
  /** Two values contradict each other. */
  readonly wanted: Set<string>;
  readonly refused: Set<string>;
}

const stepRequirements = 4_096;

/** Reads each field once, regardless of the number of requirements. */
function* matchSteps(requirements: readonly FieldRequirement[]): Steps<FieldSelector['matches']> {
  const fields = new Map<string, FieldValues>();
  for (const [index, { field, operator, value }] of requirements.entries()) {
    if (index % stepRequirements === stepRequirements - 1) yield;
    let values = fields.get(field);
    if (!values) fields.set(field, (values = { wanted: new Set(), refused: new Set() }));
    (operator === '=' ? values.wanted : values.refused).add(value);
  }
  return (read) => {
    for (const [field, { wanted, refused }] of fields) {
      const value = read(field);
      if (refused.has(value) || wanted.size > 1 || (wanted.size === 1 && !wanted.has(value))) return false;
    }
    return true;
  };
}

function unescapeValue(value: string): string {
  if (!/[\\,=]/.test(value)) return value;
  return value.replace(/\\([\s\S]?)|[,=]/g, (found, escaped: string | undefined) => {
    // Go prints the character as its number.
    if (escaped === undefined)
      throw new SelectorError(`invalid field selector: unescaped character in value: ${found.charCodeAt(0)}`);
    if (escaped === '' || !'\\,='.includes(escaped))
      throw new SelectorError(`invalid field selector: invalid escape sequence: ${found}`);
    return escaped;
  });
}

const escapeValue = (value: string) => value.replace(/[\\,=]/g, (character) => `\\${character}`);
