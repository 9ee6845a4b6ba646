// Label selectors, in both forms: the text of a query (`a=b,c in (d,e),!f`) and the object of a spec.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors

import { labelValueFaults, qualifiedNameFaults } from '../text/names.ts';
import { groupedMatch } from './grouped-requirements.ts';
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

/** The text is not a selector; Kubernetes defines `message`. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

/** More requirements are grouped. */
const fewRequirements = 8;

function compile(requirements: readonly Requirement[]): LabelSelector {
  return {
    requirements,
    everything: requirements.length === 0,
    matches:
      requirements.length > fewRequirements
        ? groupedMatch(requirements)
        : (labels) =>
            requirements.every((requirement) => meetsRequirement(requirement, labelOf(labels, requirement.key))),
    toString: () => requirements.map(textOf).join(','),
  };
}

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

interface Token {
  readonly text: string;
  readonly kind: 'word' | 'symbol' | 'end';
}

const symbols = new Set(['(', ')', ',', '!', '=', '==', '!=', '<', '>']);

function tokens(text: string): Token[] {
  const found: Token[] = [];
  for (const [word] of text.matchAll(/==|!=|[=!<>(),]|[^\s=!<>(),]+/g))
    found.push({ text: word, kind: /^[=!<>(),]/.test(word) ? 'symbol' : 'word' });
  return [...found, { text: '', kind: 'end' }];
}

/** Parses the text form. Throws SelectorError. */
export function parseLabelSelector(text: string): LabelSelector {
  const parser = { tokens: tokens(text), at: 0 };
  const requirements: Requirement[] = [];
  const peek = () => parser.tokens[parser.at];
  if (peek().kind === 'end') return selectEverything;
  while (true) {
    const { text: word, kind } = peek();
    if (kind !== 'word' && word !== '!')
      throw new SelectorError(`found '${word}', expected: !, identifier, or 'end of string'`);
    requirements.push(requirement(parser));
    const after = peek();
    if (after.kind === 'end') break;
    if (after.text !== ',') throw new SelectorError(`found '${after.text}', expected: ',' or 'end of string'`);
    parser.at++;
    const next = peek();
    if (next.kind !== 'word' && next.text !== '!')
      throw new SelectorError(`found '${next.text}', expected: identifier after ','`);
  }
  return compile(requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)));
}

const parseError = (message: string) => new SelectorError(`unable to parse requirement: ${message}`);

function requirement(parser: { tokens: Token[]; at: number }): Requirement {
  const take = () => parser.tokens[parser.at++];
  const negated = parser.tokens[parser.at].text === '!' && parser.tokens[parser.at].kind === 'symbol';
  if (negated) parser.at++;
  const key = take();
  if (key.kind !== 'word') throw parseError(`found '${key.text}', expected: identifier`);
  checkKey(key.text);
  if (negated) return { key: key.text, operator: 'DoesNotExist', values: [] };
  const operator = parser.tokens[parser.at];
  if (operator.kind === 'end' || operator.text === ',') return { key: key.text, operator: 'Exists', values: [] };
  parser.at++;
  switch (operator.text) {
    case '=':
    case '==':
      return checked(key.text, 'In', [exactValue(parser)]);
    case '!=':
      return checked(key.text, 'NotIn', [exactValue(parser)]);
    case '<':
    case '>':
      return checked(key.text, operator.text === '<' ? 'Lt' : 'Gt', [exactValue(parser)]);
    case 'in':
    case 'notin':
      return checked(key.text, operator.text === 'in' ? 'In' : 'NotIn', valueList(parser));
    default:
      throw parseError(
        symbols.has(operator.text) || operator.kind === 'word'
          ? `found '${operator.text}', expected: in, notin, =, ==, !=, gt, lt`
          : `found '${operator.text}', expected: in, notin, =, ==, !=, gt, lt`,
      );
  }
}

function exactValue(parser: { tokens: Token[]; at: number }): string {
  const token = parser.tokens[parser.at];
  if (token.kind === 'end' || token.text === ',') return '';
  parser.at++;
  if (token.kind !== 'word') throw parseError(`found '${token.text}', expected: identifier`);
  return token.text;
}

function valueList(parser: { tokens: Token[]; at: number }): string[] {
  const take = () => parser.tokens[parser.at++];
  const open = take();
  if (open.text !== '(') throw parseError(`found '${open.text}' expected: '('`);
  const values: string[] = [];
  let last = ',';
  while (true) {
    const token = take();
    if (token.text === ')' && token.kind === 'symbol') {
      if (last === ',') values.push('');
      return [...new Set(values)].sort();
    }
    if (token.text === ',') {
      if (last === ',') values.push('');
      last = ',';
    } else if (token.kind === 'word' && last === ',') {
      values.push(token.text);
      last = 'word';
    } else throw parseError(`found '${token.text}', expected: ',' or ')'`);
  }
}

function checkKey(key: string): void {
  const faults = qualifiedNameFaults(key);
  if (faults.length) throw parseError(`<nil>: Invalid value: ${JSON.stringify(key)}: ${faults.join('; ')}`);
}

function checked(key: string, operator: Operator, values: string[]): Requirement {
  if ((operator === 'Gt' || operator === 'Lt') && !/^[+-]?\d+$/.test(values[0]))
    throw parseError(
      `values[0]: Invalid value: ${JSON.stringify(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer`,
    );
  for (const [index, value] of values.entries()) {
    const faults = labelValueFaults(value);
    if (faults.length)
      throw parseError(`values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${faults.join('; ')}`);
  }
  return { key, operator, values };
}
