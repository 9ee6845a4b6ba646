// Types of an expression's parts, and the overloads that its calls may mean. Faults have cel-go's words.
// https://github.com/google/cel-spec/blob/master/doc/langdef.md#gradual-type-checking

import type { Environment, FunctionDeclaration } from './declarations.ts';
import {
  type Call,
  children,
  type Fold,
  type ListNode,
  type MapNode,
  type Node,
  type Select,
  type StructNode,
} from './parse/ast.ts';
import { CelSyntaxError, type Fault } from './parse/source.ts';
import {
  boolType,
  dynType,
  errorType,
  formatType,
  intType,
  isDyn,
  isDynOrError,
  isOptional,
  listType,
  mapType,
  optionalType,
  paramType,
  sameType,
  type Type,
  typeOf,
  unwrapOptional,
} from './types.ts';
import { Bindings, mostGeneral } from './unify.ts';
import { literalType, validate } from './validators.ts';
import { TypeValue } from './values.ts';

/** Notes types and overloads in the tree, and gives the type of the whole. Throws CelSyntaxError. */
export function check(source: string, node: Node, environment: Environment): Type {
  const checker = new Checker(environment);
  checker.check(node);
  checker.finish(node);
  if (checker.faults.length) throw new CelSyntaxError(source, checker.faults);
  const faults = validate(node);
  if (faults.length) throw new CelSyntaxError(source, faults);
  return node.type as Type;
}

const checkedType = (node: Node): Type => node.type ?? errorType;

/** `a.b.c` as a name; undefined for other nodes. */
function qualifiedName(node: Node): string[] | undefined {
  if (node.kind === 'ident') return [node.name];
  if (node.kind !== 'select' || node.test) return undefined;
  const prefix = qualifiedName(node.operand);
  return prefix && [...prefix, node.field];
}

class Checker {
  readonly faults: Fault[] = [];
  readonly #environment: Environment;
  readonly #bindings = new Bindings();
  readonly #scopes: Map<string, Type>[] = [];
  #freshTypes = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Replaces type parameters in all notes by the types that were found for them. */
  finish(root: Node): void {
    const seen = new Set<Node>();
    const visit = (node: Node): void => {
      if (seen.has(node)) return;
      seen.add(node);
      if (node.type) node.type = this.#bindings.substitute(node.type, true);
      for (const child of children(node)) visit(child);
    };
    visit(root);
  }

  check(node: Node): Type {
    return (node.type = this.#typeOf(node));
  }

  #typeOf(node: Node): Type {
    switch (node.kind) {
      case 'literal':
        return literalType(node.value);
      case 'ident':
        return (
          this.#checkName(node, node.name, (constant) => (node.constant = constant)) ??
          this.#undeclared(node, node.name)
        );
      case 'select':
        return this.#checkSelect(node);
      case 'call':
        return this.#checkCall(node);
      case 'list':
        return this.#checkList(node);
      case 'map':
        return this.#checkMap(node);
      case 'struct':
        return this.#checkStruct(node);
      case 'fold':
        return this.#checkFold(node);
    }
  }

  #fault(at: number, message: string): void {
    this.faults.push({ at, message });
  }

  #undeclared({ at }: Node, name: string): Type {
    this.#fault(at, `undeclared reference to '${name}' (in container '')`);
    return errorType;
  }

  #mismatch({ at }: { at: number }, expected: Type, actual: Type): void {
    this.#fault(at, `expected type '${formatType(expected)}' but found '${formatType(actual)}'`);
  }

  #resolved(type: Type): Type {
    return this.#bindings.substitute(type);
  }

  /** A variable, or a type, which is a constant. */
  #checkName(_node: Node, name: string, constant: (value: TypeValue) => void): Type | undefined {
    if (!name.startsWith('.'))
      for (let index = this.#scopes.length - 1; index >= 0; index--) {
        const local = this.#scopes[index]?.get(name);
        if (local) return local;
      }
    const plain = name.replace(/^\./, '');
    const variable = this.#environment.variable(plain);
    if (variable) return variable.type;
    const named = this.#environment.typeNamed(plain);
    if (!named) return undefined;
    constant(new TypeValue(plain));
    return typeOf(named);
  }

  #checkSelect(node: Select): Type {
    const name = qualifiedName(node);
    if (name && !this.#isLocal(name[0] as string)) {
      const type = this.#checkName(node, name.join('.'), (constant) => (node.constant = constant));
      if (type) {
        node.qualified = name.join('.').replace(/^\./, '');
        return type;
      }
    }
    const type = this.#fieldType(node, node.operand, node.field, false);
    return node.test ? boolType : this.#resolved(type);
  }

  #isLocal(name: string): boolean {
    return this.#scopes.some((scope) => scope.has(name));
  }

  #fieldType({ at }: Node, operand: Node, field: string, optional: boolean): Type {
    const operandType = this.#resolved(this.check(operand));
    const target = unwrapOptional(operandType);
    let found: Type = errorType;
    if (target.kind === 'map') found = target.params[1] as Type;
    else if (target.kind === 'struct') found = this.#structField(at, target.name, field);
    else if (target.kind === 'param') {
      this.#bindings.assign(dynType, target);
      found = dynType;
    } else {
      if (!isDynOrError(target)) this.#fault(at, `type '${formatType(target)}' does not support field selection`);
      found = dynType;
    }
    return isOptional(operandType) || optional ? optionalType(found) : found;
  }

  #structField(at: number, struct: string, field: string): Type {
    const declaration = this.#environment.struct(struct);
    if (!declaration) {
      this.#fault(at, `unexpected failed resolution of '${struct}'`);
      return errorType;
    }
    const type = declaration.field(field);
    if (!type) this.#fault(at, `undefined field '${field}'`);
    return type ?? errorType;
  }

  #checkCall(node: Call): Type {
    if (node.name === '_?._') {
      const [operand, field] = node.args as [Node, Node];
      node.overloads = ['select_optional_field'];
      field.type = literalType((field as { value?: unknown }).value);
      return this.#resolved(this.#fieldType(node, operand, (field as { value?: unknown }).value as string, true));
    }
    for (const arg of node.args) this.check(arg);
    if (!node.target) {
      const plain = node.name.replace(/^\./, '');
      const found = this.#environment.function(plain);
      if (!found) return this.#undeclared(node, node.name);
      node.name = plain;
      return this.#resolveOverload(node, found);
    }
    const prefix = qualifiedName(node.target);
    const qualified = prefix && this.#environment.function(`${prefix.join('.')}.${node.name}`.replace(/^\./, ''));
    if (qualified) {
      node.target = undefined;
      node.name = qualified.name;
      return this.#resolveOverload(node, qualified);
    }
    this.check(node.target);
    const found = this.#environment.function(node.name);
    return found ? this.#resolveOverload(node, found) : this.#undeclared(node, node.name);
  }

  #resolveOverload(node: Call, { name, overloads }: FunctionDeclaration): Type {
    const args = (node.target ? [node.target, ...node.args] : node.args).map(checkedType);
    if (name === '_&&_' || name === '_||_') return this.#checkLogic(node, args, overloads[0]?.id as string);
    let result: Type | undefined;
    const ids: string[] = [];
    for (const overload of overloads) {
      if (overload.member !== !!node.target) continue;
      const fresh = this.#instantiate(overload.typeParams);
      if (!this.#bindings.assignAll(args, overload.params.map(fresh))) continue;
      ids.push(overload.id);
      const type = this.#resolved(fresh(overload.result));
      if (!result) result = type;
      else if (!isDyn(result) && !sameType(type, result)) result = dynType;
    }
    if (!result) {
      const [first, ...rest] = args.map((type) => formatType(this.#bindings.substitute(type, true)));
      const signature = node.target
        ? `${first}.(${rest.join(', ')})`
        : `(${[first, ...rest].filter((text) => text !== undefined).join(', ')})`;
      this.#fault(node.at, `found no matching overload for '${name}' applied to '${signature}'`);
      return errorType;
    }
    node.overloads = ids;
    return result;
  }

  #checkLogic(node: Call, args: readonly Type[], overload: string): Type {
    node.overloads = [overload];
    let wrong = false;
    for (const [index, type] of args.entries())
      if (!this.#bindings.assign(type, boolType)) {
        this.#mismatch(node.args[index] as Node, boolType, this.#resolved(type));
        wrong = true;
      }
    return wrong ? errorType : boolType;
  }

  /** Replaces an overload's type parameters by fresh ones. */
  #instantiate(names: readonly string[]): (type: Type) => Type {
    if (!names.length) return (type) => type;
    const fresh = new Map(names.map((name) => [name, this.#freshType()]));
    const replace = (type: Type): Type => {
      if (type.kind === 'param') return fresh.get(type.name) ?? type;
      return type.params.length ? { ...type, params: type.params.map(replace) } : type;
    };
    return replace;
  }

  #freshType(): Type {
    return paramType(`_var${this.#freshTypes++}`);
  }

  #checkList(node: ListNode): Type {
    let element: Type | undefined;
    for (const [index, item] of node.items.entries()) {
      let type = this.check(item);
      if (node.optional.has(index)) type = this.#unwrapped(item, type);
      element = this.#join(element, type);
    }
    return listType(element ?? this.#freshType());
  }

  #unwrapped(node: Node, type: Type): Type {
    const inner = unwrapOptional(type);
    if (!isOptional(type) && !isDyn(type)) this.#mismatch(node, optionalType(inner), inner);
    return inner;
  }

  #checkMap(node: MapNode): Type {
    let key: Type | undefined;
    let value: Type | undefined;
    for (const entry of node.entries) {
      key = this.#join(key, this.check(entry.key));
      let type = this.check(entry.value);
      if (entry.optional) type = this.#unwrapped(entry.value, type);
      value = this.#join(value, type);
    }
    return mapType(key ?? this.#freshType(), value ?? this.#freshType());
  }

  /** Literals of different types make a list of dyn; only format() may require one type later. */
  #join(previous: Type | undefined, current: Type): Type {
    if (!previous) return current;
    return this.#bindings.assign(previous, current) ? mostGeneral(previous, current) : dynType;
  }

  #checkStruct(node: StructNode): Type {
    const name = node.name.replace(/^\./, '');
    const struct = this.#environment.struct(name);
    const type = struct
      ? (this.#environment.typeNamed(name) ?? ({ kind: 'struct', name, params: [] } as Type))
      : undefined;
    if (!struct || !type) return this.#notAMessage(node, name);
    node.name = name;
    for (const field of node.fields) {
      const declared = struct.field(field.name);
      if (!declared) this.#fault(field.at, `undefined field '${field.name}'`);
      let actual = this.check(field.value);
      if (field.optional) actual = this.#unwrapped(field.value, actual);
      if (declared && !this.#bindings.assign(declared, actual))
        this.#fault(
          field.at,
          `expected type of field '${field.name}' is '${formatType(declared)}' but provided type is '${formatType(actual)}'`,
        );
    }
    return type;
  }

  #notAMessage(node: StructNode, name: string): Type {
    const variable = this.#environment.variable(name);
    const isType = this.#environment.typeNamed(name) !== undefined;
    if (!variable && !isType) return this.#undeclared(node, node.name);
    this.#fault(node.at, variable ? `'${variable.type.name}' is not a type` : `'${name}' is not a message type`);
    for (const field of node.fields) {
      this.check(field.value);
      this.#fault(field.at, `unexpected failed resolution of '${name}'`);
    }
    return errorType;
  }

  #checkFold(node: Fold): Type {
    this.check(node.range);
    const accumulator = this.check(node.init);
    const range = this.#resolved(checkedType(node.range));
    this.#scopes.push(new Map([[node.accumulator, accumulator]]));
    const [first, second] = this.#loopTypes(node, range);
    const loop = new Map([[node.variable, first]]);
    if (node.variable2 !== undefined) loop.set(node.variable2, second);
    this.#scopes.push(loop);
    this.check(node.condition);
    this.#assert(node.condition, boolType);
    this.check(node.step);
    this.#assert(node.step, accumulator);
    this.#scopes.pop();
    const result = this.check(node.result);
    this.#scopes.pop();
    return this.#resolved(result);
  }

  #assert(node: Node, expected: Type): void {
    const actual = checkedType(node);
    if (!this.#bindings.assign(expected, actual))
      this.#mismatch(node, this.#resolved(expected), this.#resolved(actual));
  }

  /** Types of the loop's variables; with two, the first is a list's index. */
  #loopTypes(node: Fold, range: Type): [Type, Type] {
    const two = node.variable2 !== undefined;
    switch (range.kind) {
      case 'list':
        return two ? [intType, range.params[0] as Type] : [range.params[0] as Type, dynType];
      case 'map':
        return [range.params[0] as Type, range.params[1] as Type];
      case 'dyn':
      case 'any':
      case 'error':
      case 'param':
        this.#bindings.assign(dynType, range);
        return [dynType, dynType];
      default:
        this.#fault(
          node.range.at,
          `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        );
        return [errorType, errorType];
    }
  }
}
