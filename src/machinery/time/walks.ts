import type { Steps } from './steps.ts';

/** Values of one step: a few milliseconds. */
const stepValues = 8_192;
/** Items that are walked at once. */
const fewItems = 256;

/** The items of a list or map. */
interface Rest {
  readonly count: number;
  readonly walk: (index: number) => void;
  /** Puts the walk back into the state in which it left the items. */
  readonly restore: (() => void) | undefined;
}

/**
 * For a recursive walk over a value of any size: it leaves long lists and maps for later steps, after its return. So
 * the result for a list or map may hold the results for its items, but not depend on them otherwise.
 */
export class Walks {
  /** The values that were walked in this step. The walk counts them. */
  walked = 0;
  /** Undefined: all items are walked at once. */
  readonly #rest: Rest[] | undefined;

  constructor(inSteps: boolean) {
    this.#rest = inSteps ? [] : undefined;
  }

  /** Walks the items now or later. `saved` makes the function that restores the state of the walk. */
  each(count: number, walk: (index: number) => void, saved?: () => () => void): void {
    if (!this.#rest || (count <= fewItems && this.walked <= stepValues))
      for (let index = 0; index < count; index++) walk(index);
    else this.#rest.push({ count, walk, restore: saved?.() });
  }

  /** Walks the items that were left. */
  *rest(): Steps<void> {
    // More are added meanwhile.
    for (const { count, walk, restore } of this.#rest ?? []) {
      restore?.();
      for (let index = 0; index < count; index++) {
        if (++this.walked > stepValues) {
          this.walked = 0;
          yield;
        }
        walk(index);
      }
    }
  }
}

/** Walks all at once. */
export const atOnce: Walks = new Walks(false);
