// The tokens of a label selector, one after another.

type Punctuation = '=' | '==' | '!=' | '!' | '<' | '>' | '(' | ')' | ',';

const symbols = new Map<number, Punctuation>(
  (['=', '!', '<', '>', '(', ')', ','] as const).map((symbol) => [symbol.charCodeAt(0), symbol]),
);
const equals = '='.charCodeAt(0);
const exclamation = '!'.charCodeAt(0);

/** Space, tab, carriage return and line feed. */
const isSpace = (code: number) => code === 32 || code === 9 || code === 13 || code === 10;

type TokenKind = 'word' | 'end' | Punctuation;

export class LabelLexer {
  /** The text of the current token. */
  text = '';
  /** Tokens that were read. */
  tokens = 0;
  readonly #source: string;
  #kind: TokenKind = 'end';
  #at = 0;

  constructor(source: string) {
    this.#source = source;
    this.next();
  }

  /** Whether the current token is one of this kind. */
  is(kind: TokenKind): boolean {
    return this.#kind === kind;
  }

  next(): void {
    this.tokens++;
    const source = this.#source;
    while (this.#at < source.length && isSpace(source.charCodeAt(this.#at))) this.#at++;
    const start = this.#at;
    if (start >= source.length) {
      this.#kind = 'end';
      this.text = '';
      return;
    }
    const symbol = symbols.get(source.charCodeAt(start));
    if (symbol) this.#symbol(symbol);
    else this.#word(start);
  }

  /** The text of the current token; the next one is read. */
  take(): string {
    const { text } = this;
    this.next();
    return text;
  }

  #symbol(symbol: Punctuation): void {
    const code = this.#source.charCodeAt(this.#at++);
    const isDouble = (code === equals || code === exclamation) && this.#source.charCodeAt(this.#at) === equals;
    if (isDouble) this.#at++;
    const kind = isDouble ? (code === equals ? '==' : '!=') : symbol;
    this.#kind = kind;
    this.text = kind;
  }

  #word(start: number): void {
    const source = this.#source;
    let at = start + 1;
    while (at < source.length) {
      const code = source.charCodeAt(at);
      if (isSpace(code) || symbols.has(code)) break;
      at++;
    }
    this.#at = at;
    this.#kind = 'word';
    this.text = source.slice(start, at);
  }
}
