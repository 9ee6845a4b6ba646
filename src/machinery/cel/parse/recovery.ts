// Locates and words syntax errors, and resumes parsing, as ANTLR's parsers do: users see the messages.
// https://github.com/antlr/antlr4/blob/master/doc/parser-rules.md#catching-exceptions

import { gapBetween, shown, type Token } from './lexer.ts';
import type { Fault } from './source.ts';

/** Tokens by the numbers that the grammar gives them: the order in which errors list them. */
const order = [
  '<EOF>',
  ...'== != in < <= >= > && || [ ] { } ( ) . , - ! ? : + * / % true false null'.split(' ').map((text) => `'${text}'`),
  ...'NUM_FLOAT NUM_INT NUM_UINT STRING BYTES IDENTIFIER ESC_IDENTIFIER'.split(' '),
];

export type TokenSet = readonly string[];

/** Tokens that may follow a rule at its call; `open` if the calling rule may end there too. */
export interface Follow {
  readonly tokens: TokenSet;
  readonly open: boolean;
}

/** The current rule cannot go on. */
class Abort {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** Parsing ends here; `message` is undefined when the fault is reported already. */
export class ParserLimit {
  readonly message: string | undefined;
  constructor(message?: string) {
    this.message = message;
  }
}

const mostDepth = 250;
const mostRecoveries = 30;

export class TokenReader {
  readonly faults: Fault[] = [];
  readonly #tokens: readonly Token[];
  readonly #follows: Follow[] = [];
  readonly #depths = new Map<string, number>();
  #position = 0;
  /** From a fault until a token has been matched, further faults are consequences of the first. */
  #recovering = false;
  #lastFault = { position: -1, rules: new Set<string>() };
  #recoveries = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#position + ahead, this.#tokens.length - 1)] as Token;
  }

  at(...types: string[]): boolean {
    return types.includes(this.peek().type);
  }

  /** Runs a rule; undefined if it failed and parsing resumes after it. */
  rule<T>(name: string, follow: Follow | undefined, body: () => T): T | undefined {
    const depth = this.#depths.get(name) ?? 0;
    const chain = this.#depths.get(`${name} chain`) ?? 0;
    if (follow) this.#follows.push(follow);
    try {
      this.#depths.set(name, depth + 1);
      if (depth >= mostDepth) throw new ParserLimit(`expression recursion limit exceeded: ${mostDepth}`);
      return body();
    } catch (error) {
      if (!(error instanceof Abort)) throw error;
      this.#report(error.message);
      this.#recover(name);
      return undefined;
    } finally {
      this.#depths.set(name, depth);
      this.#depths.set(`${name} chain`, chain);
      if (follow) this.#follows.pop();
    }
  }

  /** One more level of a chain such as a.b.c, which makes the tree deeper on its left. */
  deeper(rule: string): void {
    const chain = `${rule} chain`;
    const depth = (this.#depths.get(chain) ?? 0) + 1;
    this.#depths.set(chain, depth);
    if (depth > mostDepth) throw new ParserLimit('max recursion depth exceeded');
  }

  /** Consumes this token. `next` are those that may follow it in its rule. */
  match(type: string, next: Follow): Token {
    const token = this.peek();
    if (token.type === type) return this.#consume();
    this.#countRecovery();
    if (this.peek(1).type === type) {
      this.#report(`extraneous input ${display(token)} expecting ${listed([type])}`);
      this.#position++;
      return this.#consume();
    }
    if (this.#within(next).includes(token.type)) {
      this.#report(`missing ${listed([type])} at ${display(token)}`);
      return { ...token, text: '' };
    }
    return this.mismatch([type]);
  }

  /** Consumes the next token of any type. */
  take(): Token {
    return this.#consume();
  }

  /** Before a choice: a token that fits no branch is dropped when the one after it fits. */
  sync(tokens: TokenSet): void {
    if (this.#recovering || tokens.includes(this.peek().type)) return;
    this.#countRecovery();
    if (!tokens.includes(this.peek(1).type)) this.mismatch(tokens);
    this.#report(`extraneous input ${display(this.peek())} expecting ${listed(tokens)}`);
    this.#position++;
    this.#recovering = false;
  }

  /** After a turn of a loop: tokens that fit neither another turn nor its end are dropped. */
  syncLoop(tokens: TokenSet): void {
    if (this.#recovering || tokens.includes(this.peek().type)) return;
    this.#report(`extraneous input ${display(this.peek())} expecting ${listed(tokens)}`);
    this.#skipTo([...tokens, ...this.#recoverySet()]);
  }

  mismatch(tokens: TokenSet): never {
    throw new Abort(`mismatched input ${display(this.peek())} expecting ${listed(tokens)}`);
  }

  /** No branch begins with the tokens from here to `ahead`. */
  noViable(source: string, ahead: number): never {
    const [first, last] = [this.peek(), this.peek(ahead)];
    const gap = gapBetween(source.slice(first.at + first.text.length, last.at));
    const text = first.type === '<EOF>' ? '<EOF>' : first.text + gap + (last.type === '<EOF>' ? '' : last.text);
    const reserved = /^.(true|false|null)$/s.exec(text)?.[1];
    const message = reserved
      ? `mismatched input '${reserved}' expecting IDENTIFIER`
      : `no viable alternative at input '${shown(text)}'`;
    this.#report(message, last);
    throw new Abort(message);
  }

  #consume(): Token {
    const token = this.peek();
    if (this.#position < this.#tokens.length - 1) this.#position++;
    this.#recovering = false;
    return token;
  }

  #report(message: string, token = this.peek()): void {
    if (this.#recovering) return;
    this.#recovering = true;
    this.faults.push({ at: token.at, message: `Syntax error: ${message}` });
  }

  #recover(rule: string): void {
    this.#countRecovery();
    const { position, rules } = this.#lastFault;
    if (position === this.#position && rules.has(rule) && this.#position < this.#tokens.length - 1) this.#position++;
    if (position !== this.#position) this.#lastFault = { position: this.#position, rules: new Set() };
    this.#lastFault.rules.add(rule);
    this.#skipTo(this.#recoverySet());
  }

  #countRecovery(): void {
    if (++this.#recoveries <= mostRecoveries) return;
    const message = `Syntax error: error recovery attempt limit exceeded: ${mostRecoveries}`;
    this.faults.push({ at: this.peek().at, message });
    throw new ParserLimit();
  }

  #recoverySet(): string[] {
    return this.#follows.flatMap(({ tokens }) => tokens);
  }

  #skipTo(tokens: TokenSet): void {
    while (!this.at('<EOF>', ...tokens)) this.#position++;
  }

  /** All tokens that may come next, including those that follow the current rules. */
  #within({ tokens, open }: Follow): string[] {
    const all = [...tokens];
    for (let index = this.#follows.length - 1; open && index >= 0; index--) {
      const follow = this.#follows[index] as Follow;
      all.push(...follow.tokens);
      if (!follow.open) break;
    }
    return all;
  }
}

const display = ({ text }: Token): string => `'${shown(text)}'`;

function listed(tokens: TokenSet): string {
  const sorted = [...new Set(tokens)].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  return sorted.length === 1 ? (sorted[0] as string) : `{${sorted.join(', ')}}`;
}
