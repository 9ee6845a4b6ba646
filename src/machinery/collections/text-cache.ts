/** Bounds of a cache. */
interface Limits {
  /** Texts. When there are more, the cache starts again. */
  readonly most?: number;
  /** Characters of a text. Longer ones are not cached. */
  readonly longest?: number;
}

/**
 * Values computed from texts that come again and again. The number of texts and the length of each have a bound,
 * regardless of the texts that a client sends.
 */
export class TextCache<T> {
  readonly #make: (text: string) => T;
  readonly #most: number;
  readonly #longest: number;
  readonly #values = new Map<string, T>();

  constructor(make: (text: string) => T, { most = 4_096, longest = 256 }: Limits = {}) {
    this.#make = make;
    this.#most = most;
    this.#longest = longest;
  }

  /** Texts that are cached. */
  get size(): number {
    return this.#values.size;
  }

  /** An error of the function that makes the value is thrown, and not cached. */
  get(text: string): T {
    const found = this.#values.get(text);
    if (found !== undefined) return found;
    if (text.length > this.#longest) return this.#make(text);
    const made = this.#make(text);
    if (this.#values.size >= this.#most) this.#values.clear();
    this.#values.set(flat(text), made);
    return made;
  }
}

/** A part of a text keeps the whole text in memory. The copy does not. */
export const flat = (text: string): string => JSON.parse(JSON.stringify(text));
