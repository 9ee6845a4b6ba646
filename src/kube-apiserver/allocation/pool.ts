// Numbers of a range: which are taken, and a free one by chance.

import type { Random } from '../../machinery/random.ts';

/** The start of each range is reserved for clients that choose a number themselves. */
export const reservedOf = (size: number, divisor: number, most: number) =>
  Math.min(Math.max(16, Math.floor(size / divisor)), most);

/** Numbers that are too large to be exact are whole ones of the other type. */
export type Index = number | bigint;

export class Pool {
  readonly size: number;
  /** Numbers below this one are for clients that choose one, and are drawn last. */
  readonly #reserved: number;
  /** How many objects hold a number. */
  readonly #held = new Map<Index, number>();
  /** Number of writes in progress that do. */
  readonly #booked = new Map<Index, number>();
  readonly #random: Random;

  constructor(size: number, reserved: number, random: Random) {
    this.size = size;
    this.#reserved = reserved < size ? reserved : 0;
    this.#random = random;
  }

  /** Numbers that objects hold. */
  get used(): number {
    return this.#held.size;
  }

  has(index: Index): boolean {
    return this.#held.has(index) || this.#booked.has(index);
  }

  /** For an object that has the number. */
  hold(index: Index): void {
    count(this.#held, index, 1);
  }

  drop(index: Index): void {
    count(this.#held, index, -1);
  }

  /** For a write in progress; the object that it makes holds the number before the booking is cancelled. */
  book(index: Index): void {
    count(this.#booked, index, 1);
  }

  cancel(index: Index): void {
    count(this.#booked, index, -1);
  }

  /** Drops all numbers that objects hold. */
  reset(): void {
    this.#held.clear();
  }

  /** Books a free number; undefined when there is none. */
  draw(): number | undefined {
    const found = this.#free(this.#reserved, this.size) ?? this.#free(0, this.#reserved);
    if (found !== undefined) this.book(found);
    return found;
  }

  /** Starts at a random place, so that a released number is not reused at once. */
  #free(from: number, to: number): number | undefined {
    const count = to - from;
    if (count <= 0) return undefined;
    const start = this.#random.int(count);
    for (let i = 0; i < count; i++) {
      const index = from + ((start + i) % count);
      if (!this.has(index)) return index;
    }
    return undefined;
  }
}

function count(holders: Map<Index, number>, index: Index, step: 1 | -1): void {
  const left = (holders.get(index) ?? 0) + step;
  if (left > 0) holders.set(index, left);
  else holders.delete(index);
}
