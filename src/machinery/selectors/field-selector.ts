// Field selectors: `metadata.name=a,status.phase!=Running`.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/

import { SelectorError } from './label-selector.ts';

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

/** Parses the text form; `\` escapes a comma, an equals sign and itself. Throws SelectorError. */
export function parseFieldSelector(text: string): FieldSelector {
  const requirements: FieldRequirement[] = [];
  for (const term of terms(text)) {
    if (term === '') continue;
    const match = /^((?:[^\\=!]|\\.|!(?!=))*?)(!=|==|=)([\s\S]*)$/.exec(term);
    if (!match) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
    const value = unescapeValue(match[3]);
    requirements.push({ field: match[1], operator: match[2] === '!=' ? '!=' : '=', value });
  }
  return {
    requirements,
    everything: requirements.length === 0,
    matches: matchOf(requirements),
    exact: (field) => requirements.find((r) => r.field === field && r.operator === '=')?.value,
    toString: () => requirements.map((r) => `${r.field}${r.operator}${escapeValue(r.value)}`).join(','),
  };
}

interface FieldValues {
  /** Two values contradict each other. */
  readonly wanted: Set<string>;
  readonly refused: Set<string>;
}

/** Reads each field once, regardless of the number of requirements. */
function matchOf(requirements: readonly FieldRequirement[]): FieldSelector['matches'] {
  const fields = new Map<string, FieldValues>();
  for (const { field, operator, value } of requirements) {
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

function terms(text: string): string[] {
  const found: string[] = [];
  let term = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\' && i + 1 < text.length) term += text[i++] + text[i];
    else if (text[i] === ',') {
      found.push(term);
      term = '';
    } else term += text[i];
  }
  found.push(term);
  return found;
}

function unescapeValue(value: string): string {
  let out = '';
  for (let i = 0; i < value.length; i++) {
    if (value[i] === '\\') {
      const next = value[++i];
      if (next === undefined || !'\\,='.includes(next))
        throw new SelectorError(`invalid field selector: invalid escape sequence: \\${next ?? ''}`);
      out += next;
    } else if (value[i] === ',' || value[i] === '=')
      throw new SelectorError(`invalid field selector: unescaped character in value: ${value[i]}`);
    else out += value[i];
  }
  return out;
}

const escapeValue = (value: string) => value.replace(/[\\,=]/g, (character) => `\\${character}`);
