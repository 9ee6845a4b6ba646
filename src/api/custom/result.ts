import type { FieldError } from '../errors.ts';

/** Faults, and the number of matched keywords: of several alternatives, the best match reports its faults. */
export class Result {
  readonly errors: FieldError[] = [];
  matches = 0;
  /** The field that contains the value, such as `status`; empty for the whole object. */
  readonly base: string;

  constructor(base: string) {
    this.base = base;
  }

  add(...errors: readonly FieldError[]): void {
    for (const error of errors)
      if (!this.errors.some(({ field, message }) => field === error.field && message === error.message))
        this.errors.push(error);
  }

  merge({ errors, matches }: Result): void {
    this.add(...errors);
    this.matches += matches;
  }

  /** The field of an error at a path within the value. */
  at(path: string): string {
    const name = path.replace(/^\./, '');
    return this.base && name ? `${this.base}.${name}` : this.base || name || '<nil>';
  }
}
