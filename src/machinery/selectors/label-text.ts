// The text form of label selectors: `a=b,c in (d,e),!f`.
// https://kubernetes.io/docs/reference/labels-annotations-taints/ and the grammar of apimachinery's labels.Parse

import { sortSteps } from '../collections/sort-steps.ts';
import { labelValueFaults, qualifiedNameFaults } from '../text/names.ts';
import type { Steps } from '../time/steps.ts';
import { LabelLexer } from './label-lexer.ts';
import { integerOf, type Operator, type Requirement } from './requirement.ts';

/** The text is not a selector; Kubernetes defines `message`. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

/** Tokens of one step: less than a millisecond. */
const stepTokens = 2_048;
/** Characters of all faults in one message. */
const mostFaultCharacters = 1 << 16;

const parseError = (message: string) => new SelectorError(`unable to parse requirement: ${message}`);
const none: readonly string[] = [];

/** Parses the text in steps, for texts of any length: the requirements in the order of their keys. Throws SelectorError. */
export function* requirementSteps(text: string): Steps<readonly Requirement[]> {
  const parser = new Parser(text);
  const { lexer } = parser;
  const requirements: Requirement[] = [];
  if (lexer.is('end')) return requirements;
  parser.expectKey("!, identifier, or 'end of string'");
  for (;;) {
    requirements.push(yield* parser.requirement());
    if (lexer.is('end')) break;
    if (!lexer.is(',')) throw new SelectorError(`found '${lexer.text}', expected: ',' or 'end of string'`);
    lexer.next();
    parser.expectKey("identifier after ','");
    if (parser.isStepOver()) yield;
  }
  return yield* sortSteps(requirements, (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

class Parser {
  readonly lexer: LabelLexer;
  #stepEnd = stepTokens;

  constructor(text: string) {
    this.lexer = new LabelLexer(text);
  }

  isStepOver(): boolean {
    if (this.lexer.tokens < this.#stepEnd) return false;
    this.#stepEnd = this.lexer.tokens + stepTokens;
    return true;
  }

  expectKey(expected: string): void {
    const { lexer } = this;
    if (!lexer.is('word') && !lexer.is('!')) throw new SelectorError(`found '${lexer.text}', expected: ${expected}`);
  }

  *requirement(): Steps<Requirement> {
    const { lexer } = this;
    const isNegated = lexer.is('!');
    if (isNegated) lexer.next();
    if (!lexer.is('word')) throw parseError(`found '${lexer.text}', expected: identifier`);
    const key = lexer.take();
    const faults = qualifiedNameFaults(key);
    if (faults.length) throw parseError(`<nil>: Invalid value: ${JSON.stringify(key)}: ${faults.join('; ')}`);
    if (isNegated) return { key, operator: 'DoesNotExist', values: none };
    if (lexer.is('end') || lexer.is(',')) return { key, operator: 'Exists', values: none };
    const word = lexer.take();
    const operator = operators.get(word);
    if (!operator) throw parseError(`found '${word}', expected: in, notin, =, ==, !=, gt, lt`);
    const values = word === 'in' || word === 'notin' ? yield* this.#values() : [this.#exactValue()];
    return checked({ key, operator, values });
  }

  #exactValue(): string {
    const { lexer } = this;
    if (lexer.is('end') || lexer.is(',')) return '';
    if (!lexer.is('word')) throw parseError(`found '${lexer.text}', expected: identifier`);
    return lexer.take();
  }

  *#values(): Steps<readonly string[]> {
    const { lexer } = this;
    if (!lexer.is('(')) throw parseError(`found '${lexer.text}' expected: '('`);
    lexer.next();
    if (!lexer.is('word') && !lexer.is(',') && !lexer.is(')'))
      throw parseError(`found '${lexer.text}', expected: ',', ')' or identifier`);
    const values = new Set<string>();
    for (let isFirst = true; !lexer.is(')'); isFirst = false) {
      if (!isFirst) this.#comma();
      if (lexer.is('word')) values.add(lexer.take());
      else if (lexer.is(',') || lexer.is(')')) values.add('');
      else throw parseError(`found '${lexer.text}', expected: ',', or identifier`);
      // The loop would end before the empty value behind the last comma.
      if (lexer.is(')')) break;
      if (this.isStepOver()) yield;
    }
    lexer.next();
    if (values.size === 0) values.add('');
    return yield* sortSteps([...values], (a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  #comma(): void {
    if (!this.lexer.is(',')) throw parseError(`found '${this.lexer.text}', expected: ',' or ')'`);
    this.lexer.next();
  }
}

const operators = new Map<string, Operator>([
  ['=', 'In'],
  ['==', 'In'],
  ['!=', 'NotIn'],
  ['in', 'In'],
  ['notin', 'NotIn'],
  ['>', 'Gt'],
  ['<', 'Lt'],
]);

function checked(requirement: Requirement): Requirement {
  const { key, operator, values } = requirement;
  const faults: string[] = [];
  const isBound = operator === 'Gt' || operator === 'Lt';
  if (isBound && integerOf(values[0]) === undefined)
    faults.push(
      `values[0]: Invalid value: ${JSON.stringify(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer`,
    );
  let characters = 0;
  for (const [index, value] of values.entries()) {
    const found = labelValueFaults(value);
    if (!found.length) continue;
    const fault = `values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${found.join('; ')}`;
    if (faults.length > 0 && characters + fault.length > mostFaultCharacters) break;
    characters += fault.length;
    faults.push(fault);
  }
  if (faults.length === 0) return requirement;
  throw parseError(faults.length === 1 ? faults[0] : `[${faults.join(', ')}]`);
}
