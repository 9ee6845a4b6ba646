// Calls that expand to other expressions: has, all, exists, map, filter and similar macros.
// https://github.com/google/cel-spec/blob/master/doc/langdef.md#macros

import { copy, type Fold, type Ident, type Node, walk } from './ast.ts';

/** A macro's arguments are wrong. */
export class MacroFault extends Error {
  override readonly name = 'MacroFault';
  readonly at: number;
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

export const accumulator = '__result__';
/** Where this is the accumulator, an expression is bound to a name: `range` is empty and only `result` counts. */
const unusedVariable = '#unused';

/** Makes nodes at the position of the macro call. */
class Maker {
  readonly #at: number;
  readonly copy: (node: Node) => Node;
  constructor(at: number, copies: (node: Node) => Node) {
    this.#at = at;
    this.copy = copies;
  }
  literal(value: unknown): Node {
    return { kind: 'literal', value, at: this.#at };
  }
  ident(name: string): Ident {
    return { kind: 'ident', name, at: this.#at };
  }
  get result(): Node {
    return this.ident(accumulator);
  }
  list(...items: Node[]): Node {
    return { kind: 'list', items, optional: new Set(), at: this.#at };
  }
  map(): Node {
    return { kind: 'map', entries: [], at: this.#at };
  }
  call(name: string, ...args: Node[]): Node {
    return { kind: 'call', name, target: undefined, args, at: this.#at };
  }
  member(name: string, target: Node, ...args: Node[]): Node {
    return { kind: 'call', name, target, args, at: this.#at };
  }
  has(operand: Node, field: string): Node {
    return { kind: 'select', operand, field, test: true, at: this.#at };
  }
  fold(parts: Omit<Fold, 'kind' | 'at'>): Node {
    return { kind: 'fold', ...parts, at: this.#at };
  }
  /** Binds `name` to `value` in `result`. */
  bind(name: string, value: Node, result: Node): Node {
    return this.fold({
      range: this.list(),
      variable: unusedVariable,
      variable2: undefined,
      accumulator: name,
      init: value,
      condition: this.literal(false),
      step: this.ident(name),
      result,
    });
  }
}

type Expander = (maker: Maker, target: Node, args: readonly Node[]) => Node;

interface Loop {
  readonly variable: string;
  readonly variable2: string | undefined;
  /** Arguments after the variables. */
  readonly rest: readonly Node[];
}

/** Splits off one or two loop variables. */
function loopOf(args: readonly Node[], count: 1 | 2, wrongName: string): Loop {
  const names = args.slice(0, count).map((arg) => {
    if (arg.kind !== 'ident') throw new MacroFault(arg.at, wrongName);
    return arg.name;
  });
  if (count === 2 && names[0] === names[1])
    throw new MacroFault((args[1] as Node).at, `duplicate variable name: ${names[0]}`);
  for (const [index, name] of names.entries())
    if (name === accumulator)
      throw new MacroFault((args[index] as Node).at, 'iteration variable overwrites accumulator variable');
  return { variable: names[0] as string, variable2: names[1], rest: args.slice(count) };
}

const simpleName = 'argument must be a simple name';
const notIdentifier = 'argument is not an identifier';

const quantifier =
  (kind: 'all' | 'exists' | 'one', count: 1 | 2): Expander =>
  (make, range, args) => {
    const { rest, ...loop } = loopOf(args, count, simpleName);
    const [predicate] = rest as [Node];
    const common = { range, ...loop, accumulator };
    if (kind === 'all')
      return make.fold({
        ...common,
        init: make.literal(true),
        condition: make.call('@not_strictly_false', make.result),
        step: make.call('_&&_', make.result, predicate),
        result: make.result,
      });
    if (kind === 'exists')
      return make.fold({
        ...common,
        init: make.literal(false),
        condition: make.call('@not_strictly_false', make.call('!_', make.result)),
        step: make.call('_||_', make.result, predicate),
        result: make.result,
      });
    const more = make.call('_+_', make.result, make.literal(1n));
    return make.fold({
      ...common,
      init: make.literal(0n),
      condition: make.literal(true),
      step: make.call('_?_:_', predicate, more, make.result),
      result: make.call('_==_', make.result, make.literal(1n)),
    });
  };

/** A fold that takes each element, or those that a filter lets through. */
function collect(
  make: Maker,
  loop: Omit<Fold, 'kind' | 'at' | 'init' | 'condition' | 'result' | 'step' | 'accumulator'>,
  init: Node,
  filter: Node | undefined,
  step: Node,
): Node {
  return make.fold({
    ...loop,
    accumulator,
    init,
    condition: make.literal(true),
    step: filter ? make.call('_?_:_', filter, step, make.result) : step,
    result: make.result,
  });
}

const mapList =
  (count: 1 | 2): Expander =>
  (make, range, args) => {
    const { rest, ...loop } = loopOf(args, count, count === 1 ? notIdentifier : simpleName);
    const filter = rest.length === 2 ? rest[0] : undefined;
    const step = make.call('_+_', make.result, make.list(rest.at(-1) as Node));
    return collect(make, { range, ...loop }, make.list(), filter, step);
  };

const filterList: Expander = (make, range, args) => {
  const { rest, ...loop } = loopOf(args, 1, notIdentifier);
  const step = make.call('_+_', make.result, make.list(args[0] as Node));
  return collect(make, { range, ...loop }, make.list(), rest[0], step);
};

const transformMap =
  (entries: boolean): Expander =>
  (make, range, args) => {
    const { rest, ...loop } = loopOf(args, 2, simpleName);
    const filter = rest.length === 2 ? rest[0] : undefined;
    const value = rest.at(-1) as Node;
    const step = entries
      ? make.call('cel.@mapInsert', make.result, value)
      : make.call('cel.@mapInsert', make.result, make.ident(loop.variable), value);
    return collect(make, { range, ...loop }, make.map(), filter, step);
  };

const optionalMap =
  (flat: boolean): Expander =>
  (make, target, [variable, value]) => {
    if (variable?.kind !== 'ident')
      throw new MacroFault(
        (variable as Node).at,
        `${flat ? 'optFlatMap' : 'optMap'}() variable name must be a simple identifier`,
      );
    const bound = make.bind(variable.name, make.member('value', make.copy(target)), value as Node);
    return make.call(
      '_?_:_',
      make.member('hasValue', target),
      flat ? bound : make.call('optional.of', bound),
      make.call('optional.none'),
    );
  };

const sortBy: Expander = (make, target, args) => {
  if (target.kind === 'literal' || target.kind === 'map' || target.kind === 'struct')
    throw new MacroFault(
      target.at,
      'sortBy can only be applied to a list, identifier, comprehension, call or select expression',
    );
  const input = '@__sortBy_input__';
  const keys = mapList(1)(make, make.ident(input), args);
  return make.bind(input, target, make.member('@sortByAssociatedKeys', make.ident(input), keys));
};

const has: Expander = (make, _target, [arg]) => {
  if (arg?.kind !== 'select') throw new MacroFault((arg as Node).at, 'invalid argument to has() macro');
  return make.has(arg.operand, arg.field);
};

/** cel.bind(name, value, result), in environments that enable it. */
const bind: Expander = (make, _target, [variable, value, result]) => {
  if (variable?.kind !== 'ident')
    throw new MacroFault((variable as Node).at, 'cel.bind() variable names must be simple identifiers');
  return make.bind(variable.name, value as Node, result as Node);
};

/** By name, number of arguments, and whether they are called on a target. */
const macros: Readonly<Record<string, Expander>> = {
  'has/1': has,
  '.all/2': quantifier('all', 1),
  '.exists/2': quantifier('exists', 1),
  '.exists_one/2': quantifier('one', 1),
  '.map/2': mapList(1),
  '.map/3': mapList(1),
  '.filter/2': filterList,
  '.optMap/2': optionalMap(false),
  '.optFlatMap/2': optionalMap(true),
  '.all/3': quantifier('all', 2),
  '.exists/3': quantifier('exists', 2),
  '.exists_one/3': quantifier('one', 2),
  '.existsOne/3': quantifier('one', 2),
  '.transformList/3': mapList(2),
  '.transformList/4': mapList(2),
  '.transformMap/3': transformMap(false),
  '.transformMap/4': transformMap(false),
  '.transformMapEntry/3': transformMap(true),
  '.transformMapEntry/4': transformMap(true),
  '.sortBy/2': sortBy,
};

/** Macros that use their target twice copy it: nested ones would double it at each level. */
const mostCopied = 100_000;

/** Expands the macros of one expression. */
export class MacroExpander {
  readonly #bindings: boolean;
  #copied = 0;

  /** `bindings` gives it cel.bind. */
  constructor(bindings: boolean) {
    this.#bindings = bindings;
  }

  /** Undefined when the call is no macro. Throws MacroFault. */
  expand(at: number, name: string, target: Node | undefined, args: readonly Node[]): Node | undefined {
    const make = new Maker(at, (node) => this.#copy(node));
    if (this.#bindings && name === 'bind' && args.length === 3 && target?.kind === 'ident' && target.name === 'cel')
      return bind(make, target, args);
    const key = `${target ? '.' : ''}${name}/${args.length}`;
    const expand = Object.hasOwn(macros, key) ? macros[key] : undefined;
    return expand?.(make, target as Node, args);
  }

  #copy(node: Node): Node {
    for (const _ of walk(node))
      if (++this.#copied > mostCopied)
        throw new MacroFault(node.at, `macros make more than ${mostCopied} copies of parts of the expression`);
    return copy(node);
  }
}
