import { type FieldError, mostFaults } from '../errors.ts';

/** Faults, and the number of matched keywords: of several alternatives, the best match reports its faults. */
export class Result {
  #errors: FieldError[] = [];
  /** Fields with their messages: each fault counts once. */
  #texts: Set<string> | undefined;
  matches = 0;
  /** The field that contains the value, such as `status`; empty for the whole object. */
  readonly base: string;

  constructor(base: string) {
    this.base = base;
  }

  get errors(): readonly FieldError[] {
    return this.#errors;
  }

  /** Those beyond the number that a response has are dropped. */
  add(error: FieldError): void {
    if (this.#errors.length > mostFaults) return;
    const text = textOf(error);
    this.#texts ??= new Set(this.#errors.map(textOf));
    if (this.#texts.has(text)) return;
    this.#texts.add(text);
    this.#errors.push(error);
  }

  merge({ errors, matches }: Result): void {
    for (const error of errors) this.add(error);
    this.matches += matches;
  }

  /** Drops the faults after the first ones. */
  keep(count: number): void {
    this.#errors = this.#errors.slice(0, count);
    this.#texts = undefined;
  }

  /** The field of an error at a path within the value. */
  at(path: string): string {
    const name = path.replace(/^\./, '');
    return this.base && name ? `${this.base}.${name}` : this.base || name || '<nil>';
  }
}

const textOf = ({ field, message }: FieldError): string => `${field}\0${message}`;
