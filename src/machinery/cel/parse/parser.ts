// From an expression's text to its tree. https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax

import type { Entry, Node, StructField } from './ast.ts';
import { type Token, tokenize } from './lexer.ts';
import { literalOf } from './literals.ts';
import { MacroExpander, MacroFault } from './macros.ts';
import { type Follow, ParserLimit, TokenReader, type TokenSet } from './recovery.ts';
import { bounded, CelSyntaxError, type Fault } from './source.ts';

const longestExpression = 100_000;

/** Throws CelSyntaxError. */
/** `bindings` gives it cel.bind. Throws CelSyntaxError. */
export function parse(source: string, bindings = false): Node {
  const size = source.length > longestExpression ? [...source].length : source.length;
  if (size > longestExpression)
    throw new CelSyntaxError(source, [
      { at: -1, message: `expression code point size exceeds limit: size: ${size}, limit ${longestExpression}` },
    ]);
  const { tokens, faults } = tokenize(source);
  const parser = new Parser(source, tokens, bindings);
  const node = parser.start();
  const all = [...bounded([...faults, ...parser.syntaxFaults]), ...parser.faults];
  if (all.length || !node) throw new CelSyntaxError(source, all);
  return node;
}

const literals = ["'true'", "'false'", "'null'", 'NUM_FLOAT', 'NUM_INT', 'NUM_UINT', 'STRING', 'BYTES'];
const primaries = ["'['", "'{'", "'('", "'.'", ...literals, 'IDENTIFIER'];
const members = [...primaries, "'-'"];
const expressions = [...members, "'!'"];
const optionals = [...expressions, "'?'"];
const relations = ["'<'", "'<='", "'>='", "'>'", "'=='", "'!='", "'in'"];
const products = ["'*'", "'/'", "'%'"];
const sums = ["'+'", "'-'"];
const suffixes = ["'.'", "'['"];
const names = ['IDENTIFIER', 'ESC_IDENTIFIER'];

const then = (...tokens: string[]): Follow => ({ tokens, open: false });
const maybe = (...tokens: string[]): Follow => ({ tokens, open: true });

const reserved = new Set(
  'as break const continue else false for function if import in let loop package namespace null return true var void while'.split(
    ' ',
  ),
);

/** Placeholder for a faulty part; a tree with faults is never used. */
const missing: Node = { kind: 'literal', value: null, at: 0 };

const call = (token: Token, name: string, ...args: Node[]): Node => ({
  kind: 'call',
  at: token.at,
  name,
  target: undefined,
  args,
});

class Parser {
  /** Faults of names, literals and macros; syntax faults are the reader's. */
  readonly #faults: Fault[] = [];
  readonly #source: string;
  readonly #reader: TokenReader;
  readonly #macros: MacroExpander;

  constructor(source: string, tokens: readonly Token[], bindings: boolean) {
    this.#source = source;
    this.#macros = new MacroExpander(bindings);
    this.#reader = new TokenReader(tokens);
  }

  get syntaxFaults(): readonly Fault[] {
    return this.#reader.faults;
  }

  get faults(): readonly Fault[] {
    return this.#faults;
  }

  start(): Node | undefined {
    try {
      return this.#reader.rule('start', undefined, () => {
        const node = this.#expression(then('<EOF>'));
        this.#reader.match('<EOF>', then());
        return node;
      });
    } catch (error) {
      if (!(error instanceof ParserLimit)) throw error;
      if (error.message !== undefined) this.#faults.push({ at: -1, message: error.message });
      return undefined;
    }
  }

  #fault(at: number, message: string): Node {
    this.#faults.push({ at, message });
    return { ...missing, at };
  }

  #rule(name: string, follow: Follow, body: () => Node): Node {
    return this.#reader.rule(name, follow, body) ?? missing;
  }

  #expression(follow: Follow): Node {
    return this.#rule('expr', follow, () => {
      const condition = this.#logic('||', maybe("'?'"));
      if (!this.#reader.at("'?'")) return condition;
      const question = this.#reader.take();
      const yes = this.#logic('||', then("':'"));
      this.#reader.match("':'", then(...expressions));
      return call(question, '_?_:_', condition, yes, this.#expression(maybe()));
    });
  }

  /** Terms joined by || or &&, as a balanced tree, so that long chains are not deep. */
  #logic(sign: '||' | '&&', follow: Follow): Node {
    const or = sign === '||';
    return this.#rule(or ? 'conditionalOr' : 'conditionalAnd', follow, () => {
      const term = () => (or ? this.#logic('&&', maybe("'||'")) : this.#relation(0, maybe("'&&'")));
      const terms = [term()];
      const signs: Token[] = [];
      while (this.#reader.at(`'${sign}'`)) {
        signs.push(this.#reader.take());
        terms.push(term());
      }
      return balanced(`_${sign}_`, terms, signs);
    });
  }

  #relation(level: number, follow: Follow): Node {
    return this.#rule('relation', follow, () => {
      let node = this.#calculation(0, maybe(...relations));
      while (level === 0 && this.#reader.at(...relations)) {
        this.#reader.deeper('relation');
        const sign = this.#reader.take();
        const name = sign.text === 'in' ? '@in' : `_${sign.text}_`;
        node = call(sign, name, node, this.#relation(1, maybe(...relations)));
      }
      return node;
    });
  }

  /** `level` 1 reads products only, 2 single terms. */
  #calculation(level: number, follow: Follow): Node {
    return this.#rule('calc', follow, () => {
      const after = maybe(...products, ...sums);
      let node = this.#unary(after);
      for (;;) {
        const product = level < 2 && this.#reader.at(...products);
        if (!product && !(level < 1 && this.#reader.at(...sums))) return node;
        this.#reader.deeper('calc');
        const sign = this.#reader.take();
        node = call(sign, `_${sign.text}_`, node, this.#calculation(product ? 2 : 1, after));
      }
    });
  }

  #unary(follow: Follow): Node {
    return this.#rule('unary', follow, () => {
      const reader = this.#reader;
      reader.sync(expressions);
      const isNumber = (ahead: number) => ['NUM_INT', 'NUM_FLOAT'].includes(reader.peek(ahead).type);
      const first = reader.peek();
      let count = 0;
      if (first.type === "'!'")
        while (reader.at("'!'")) {
          reader.take();
          count++;
          reader.syncLoop(expressions);
        }
      else if (first.type === "'-'" && !isNumber(1)) {
        while (reader.at("'-'") && !isNumber(1)) {
          if (!members.includes(reader.peek(1).type)) reader.noViable(this.#source, 1);
          reader.take();
          count++;
        }
      }
      const member = this.#member(maybe());
      return count % 2 ? call(first, first.type === "'!'" ? '!_' : '-_', member) : member;
    });
  }

  /** After a fault, returns the part parsed so far. */
  #member(follow: Follow): Node {
    let node: Node = missing;
    this.#reader.rule('member', follow, () => {
      node = this.#primary(maybe(...suffixes));
      while (this.#reader.at(...suffixes)) {
        this.#reader.deeper('member');
        node = this.#reader.at("'['") ? this.#index(node) : this.#selection(node);
      }
    });
    return node;
  }

  #index(target: Node): Node {
    const bracket = this.#reader.take();
    this.#reader.sync(optionals);
    const optional = this.#reader.at("'?'");
    if (optional) this.#reader.take();
    const index = this.#expression(then("']'"));
    this.#reader.match("']'", maybe(...suffixes));
    return call(bracket, optional ? '_[?_]' : '_[_]', target, index);
  }

  #selection(target: Node): Node {
    const reader = this.#reader;
    if (![...names, "'?'"].includes(reader.peek(1).type)) reader.noViable(this.#source, 1);
    const dot = reader.take();
    if (reader.at("'?'")) {
      reader.take();
      const name = this.#fieldName(maybe(...suffixes));
      return call(dot, '_?._', target, { kind: 'literal', value: name.text, at: name.at });
    }
    if (reader.peek().type === 'IDENTIFIER' && reader.peek(1).type === "'('") {
      const name = reader.take();
      const open = reader.take();
      const args = this.#arguments();
      reader.match("')'", maybe(...suffixes));
      return this.#callOrMacro(open, name.text, target, args);
    }
    const name = this.#fieldName(maybe(...suffixes));
    return { kind: 'select', at: dot.at, operand: target, field: name.text, test: false };
  }

  #fieldName(follow: Follow): Token {
    const token = this.#reader.rule('escapeIdent', follow, () => {
      this.#reader.sync(names);
      return this.#reader.at(...names) ? this.#reader.take() : this.#reader.mismatch(names);
    });
    if (token?.type === 'ESC_IDENTIFIER') this.#fault(token.at, "unsupported syntax: '`'");
    return token ?? this.#reader.peek();
  }

  #arguments(): Node[] {
    this.#reader.sync([...expressions, "')'"]);
    if (this.#reader.at("')'")) return [];
    return (
      this.#reader.rule('exprList', then("')'"), () => {
        const args = [this.#expression(maybe("','"))];
        while (this.#reader.at("','")) {
          this.#reader.take();
          args.push(this.#expression(maybe("','")));
        }
        return args;
      }) ?? []
    );
  }

  #callOrMacro(open: Token, name: string, target: Node | undefined, args: readonly Node[]): Node {
    try {
      const expanded = this.#macros.expand(open.at, name, target, args);
      return expanded ?? { kind: 'call', at: open.at, name, target, args };
    } catch (error) {
      if (error instanceof MacroFault) return this.#fault(error.at, error.message);
      throw error;
    }
  }

  #primary(follow: Follow): Node {
    return this.#rule('primary', follow, () => {
      const reader = this.#reader;
      reader.sync(members);
      switch (reader.peek().type) {
        case "'('": {
          reader.take();
          const node = this.#expression(then("')'"));
          reader.match("')'", maybe());
          return node;
        }
        case "'['":
          return this.#list();
        case "'{'":
          return this.#map();
        case "'.'":
          if (reader.peek(1).type !== 'IDENTIFIER') reader.noViable(this.#source, 1);
          return this.#named();
        case 'IDENTIFIER':
          return this.#named();
        default:
          return this.#literal();
      }
    });
  }

  #literal(): Node {
    const sign = this.#reader.at("'-'") ? this.#reader.peek() : undefined;
    if (sign && !['NUM_INT', 'NUM_FLOAT'].includes(this.#reader.peek(1).type)) this.#reader.noViable(this.#source, 1);
    if (!sign && !this.#reader.at(...literals)) this.#reader.mismatch(members);
    if (sign) this.#reader.take();
    const token = this.#reader.take();
    const at = sign?.at ?? token.at;
    const read = literalOf(token, !!sign);
    return 'fault' in read ? this.#fault(at, read.fault) : { kind: 'literal', value: read.value, at };
  }

  /** An identifier, a global call, or a message with a dotted name. */
  #named(): Node {
    const reader = this.#reader;
    const dot = reader.at("'.'") ? reader.take() : undefined;
    if (this.#isMessage()) return this.#message(dot);
    const name = reader.take();
    const isCall = reader.at("'('");
    const open = isCall ? reader.take() : undefined;
    const args = isCall ? this.#arguments() : [];
    if (isCall) reader.match("')'", maybe());
    if (reserved.has(name.text)) return this.#fault((dot ?? name).at, `reserved identifier: ${name.text}`);
    const full = dot ? `.${name.text}` : name.text;
    return open ? this.#callOrMacro(open, full, undefined, args) : { kind: 'ident', name: full, at: name.at };
  }

  #isMessage(): boolean {
    let ahead = 1;
    while (this.#reader.peek(ahead).type === "'.'" && this.#reader.peek(ahead + 1).type === 'IDENTIFIER') ahead += 2;
    return this.#reader.peek(ahead).type === "'{'";
  }

  #message(dot: Token | undefined): Node {
    const reader = this.#reader;
    let name = dot ? '.' : '';
    while (!reader.at("'{'")) name += reader.take().text;
    const brace = reader.take();
    const fields: StructField[] = [];
    this.#entries("'}'", [...names, "'?'"], 'fieldInitializerList', () => {
      const field = this.#reader.rule('optField', then("':'"), () => this.#optional(() => this.#fieldName(maybe())));
      const colon = reader.match("':'", then(...expressions));
      const value = this.#expression(maybe("','"));
      if (field) fields.push({ at: colon.at, name: field.node.text, value, optional: field.optional });
    });
    return { kind: 'struct', at: brace.at, name, fields };
  }

  #list(): Node {
    const bracket = this.#reader.take();
    const items: Node[] = [];
    const optional = new Set<number>();
    this.#entries("']'", optionals, 'listInit', () => {
      const item = this.#optionalExpression(maybe("','"));
      if (item.optional) optional.add(items.length);
      items.push(item.node);
    });
    return { kind: 'list', at: bracket.at, items, optional };
  }

  #map(): Node {
    const brace = this.#reader.take();
    const entries: Entry[] = [];
    this.#entries("'}'", optionals, 'mapInitializerList', () => {
      const key = this.#optionalExpression(then("':'"));
      const colon = this.#reader.match("':'", then(...expressions));
      const value = this.#expression(maybe("','"));
      entries.push({ at: colon.at, key: key.node, value, optional: key.optional });
    });
    return { kind: 'map', at: brace.at, entries };
  }

  /** Entries between commas, one of which may trail, up to and with the closing token. */
  #entries(close: string, first: TokenSet, rule: string, entry: () => void): void {
    const reader = this.#reader;
    reader.sync([...first, "','", close]);
    if (!reader.at("','", close))
      reader.rule(rule, then("','", close), () => {
        entry();
        while (reader.at("','") && first.includes(reader.peek(1).type)) {
          reader.take();
          entry();
        }
      });
    reader.sync(["','", close]);
    if (reader.at("','")) reader.take();
    reader.match(close, maybe());
  }

  #optionalExpression(follow: Follow): { node: Node; optional: boolean } {
    const read = this.#reader.rule('optExpr', follow, () => {
      this.#reader.sync(optionals);
      return this.#optional(() => this.#expression(maybe()));
    });
    return read ?? { node: missing, optional: false };
  }

  #optional<T>(read: () => T): { node: T; optional: boolean } {
    const optional = this.#reader.at("'?'");
    if (optional) this.#reader.take();
    return { node: read(), optional };
  }
}

function balanced(name: string, terms: readonly Node[], signs: readonly Token[]): Node {
  const build = (low: number, high: number): Node => {
    if (low === high) return terms[low] as Node;
    const middle = (low + high + 1) >> 1;
    return call(signs[middle - 1] as Token, name, build(low, middle - 1), build(middle, high));
  };
  return build(0, terms.length - 1);
}
