// Numbers of a range: which are taken, and a free one by chance.

import type { Random } from '../../machinery/random.ts';

export class Pool {
  readonly size: number;
  /** Numbers below this one are for those who ask for them by name, and given to others last. */
  readonly #reserved: number;
  readonly #taken = new Map<number, number>();
  readonly #random: Random;

  constructor(size: number, reserved: number, random: Random) {
    this.size = size;
    this.#reserved = reserved < size ? reserved : 0;
    this.#random = random;
  }

  has(index: number): boolean {
    return this.#taken.has(index);
  }

  /** Counts holders: a reservation and the object that then holds the number overlap for a moment. */
  take(index: number): void {
    this.#taken.set(index, (this.#taken.get(index) ?? 0) + 1);
  }

  give(index: number): void {
    const holders = (this.#taken.get(index) ?? 0) - 1;
    if (holders > 0) this.#taken.set(index, holders);
    else this.#taken.delete(index);
  }

  /** Takes a free number; undefined when there is none. */
  draw(): number | undefined {
    const found = this.#free(this.#reserved, this.size) ?? this.#free(0, this.#reserved);
    if (found !== undefined) this.take(found);
    return found;
  }

  /** From a random place onwards, so that a number is not reused right after it was given back. */
  #free(from: number, to: number): number | undefined {
    const count = to - from;
    if (count <= 0) return undefined;
    const start = this.#random.int(count);
    for (let i = 0; i < count; i++) {
      const index = from + ((start + i) % count);
      if (!this.#taken.has(index)) return index;
    }
    return undefined;
  }
}
