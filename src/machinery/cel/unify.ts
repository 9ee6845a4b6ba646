// Type parameters and the types bound to them. Bindings of a failed attempt are dropped.

import { dynType, isDyn, isDynOrError, listType, mapType, sameType, type Type } from './types.ts';

export class Bindings {
  #bound = new Map<string, Type>();

  /** Whether a value of type `from` may be used as `to`; binds type parameters of both when it may. */
  assign(from: Type, to: Type): boolean {
    return this.assignAll([from], [to]);
  }

  assignAll(from: readonly Type[], to: readonly Type[]): boolean {
    const before = new Map(this.#bound);
    if (this.#assignableAll(from, to)) return true;
    this.#bound = before;
    return false;
  }

  /** The type with its parameters replaced; `unboundToDyn` replaces unbound ones by dyn. */
  substitute(type: Type, unboundToDyn = false): Type {
    if (type.kind === 'param') {
      const bound = this.#bound.get(type.name);
      if (bound) return this.substitute(bound, unboundToDyn);
      return unboundToDyn ? dynType : type;
    }
    const { kind, name, params } = type;
    if (!params.length) return type;
    const parts = params.map((part) => this.substitute(part, unboundToDyn));
    if (kind === 'list') return listType(parts[0] as Type);
    if (kind === 'map') return mapType(parts[0] as Type, parts[1] as Type);
    return { kind, name, params: parts };
  }

  #assignableAll(from: readonly Type[], to: readonly Type[]): boolean {
    return from.length === to.length && from.every((type, index) => this.#assignable(type, to[index] as Type));
  }

  #assignable(from: Type, to: Type): boolean {
    if (to.kind === 'param') {
      const { valid, bound } = this.#bind(from, to);
      if (valid) return true;
      if (bound) return false;
    }
    if (from.kind === 'param') return this.#bind(to, from).valid;
    if (isDynOrError(from) || isDynOrError(to)) return true;
    if (from.kind === 'null') return nullable(to);
    if (to.kind === 'null') return nullable(from);
    if (from.kind === 'type') return to.kind === 'type';
    return from.kind === to.kind && from.name === to.name && this.#assignableAll(from.params, to.params);
  }

  /** Binds `param` to `type`, or to the more general of `type` and the bound type. */
  #bind(type: Type, param: Type): { valid: boolean; bound: boolean } {
    if (sameType(type, param)) return { valid: true, bound: true };
    const current = this.#bound.get(param.name);
    if (!current) {
      if (this.#occurs(param, type)) return { valid: false, bound: false };
      this.#bound.set(param.name, type);
      return { valid: true, bound: false };
    }
    if (sameType(type, current)) return { valid: true, bound: true };
    if (!this.#assignable(type, current)) return { valid: false, bound: true };
    const general = mostGeneral(type, current);
    if (!this.#occurs(param, general)) this.#bound.set(param.name, general);
    return { valid: true, bound: true };
  }

  #occurs(param: Type, within: Type): boolean {
    if (sameType(param, within)) return true;
    if (within.kind === 'param') {
      const bound = this.#bound.get(within.name);
      return !!bound && this.#occurs(param, bound);
    }
    return within.params.some((part) => this.#occurs(param, part));
  }
}

/** These take null in place of a value. */
const nullable = ({ kind }: Type): boolean => ['null', 'opaque', 'struct', 'duration', 'timestamp'].includes(kind);

export const mostGeneral = (a: Type, b: Type): Type => (equalOrLessSpecific(a, b) ? a : b);

function equalOrLessSpecific(a: Type, b: Type): boolean {
  if (isDyn(a) || a.kind === 'param') return true;
  if (isDyn(b) || b.kind === 'param' || a.kind !== b.kind) return false;
  switch (a.kind) {
    case 'type':
      return true;
    case 'opaque':
    case 'list':
    case 'map':
      return (
        a.name === b.name &&
        a.params.length === b.params.length &&
        a.params.every((part, index) => equalOrLessSpecific(part, b.params[index] as Type))
      );
    default:
      return sameType(a, b);
  }
}
