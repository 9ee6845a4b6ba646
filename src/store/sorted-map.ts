/** Longest run of keys in one piece of array; keeps an insertion to one short copy. */
const chunkSize = 512;

/** A map whose keys can be walked in order. Lookups are a hash map's, insertions move at most one chunk. */
export class SortedMap<V> {
  readonly #values = new Map<string, V>();
  /** Sorted, non-empty pieces; together they hold every key in order. */
  readonly #chunks: string[][] = [];

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    const known = this.#values.has(key);
    this.#values.set(key, value);
    if (!known) this.#insert(key);
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return;
    const { chunk, index } = this.#seek(key);
    this.#chunks[chunk].splice(index, 1);
    if (this.#chunks[chunk].length === 0) this.#chunks.splice(chunk, 1);
  }

  /** Values of the keys in [start, end), in order of their keys; at most `limit`. */
  range(start: string, end: string, limit = Number.POSITIVE_INFINITY): V[] {
    const found: V[] = [];
    let { chunk, index } = this.#seek(start);
    for (; chunk < this.#chunks.length; chunk++, index = 0)
      for (const keys = this.#chunks[chunk]; index < keys.length; index++) {
        if (keys[index] >= end || found.length >= limit) return found;
        found.push(this.#values.get(keys[index]) as V);
      }
    return found;
  }

  /** How many keys lie in [start, end). */
  count(start: string, end: string): number {
    const from = this.#seek(start);
    const to = this.#seek(end);
    if (to.chunk < from.chunk) return 0;
    let count = to.index - from.index;
    for (let chunk = from.chunk; chunk < to.chunk; chunk++) count += this.#chunks[chunk].length;
    return Math.max(count, 0);
  }

  #insert(key: string): void {
    if (this.#chunks.length === 0) {
      this.#chunks.push([key]);
      return;
    }
    let { chunk, index } = this.#seek(key);
    // Between two chunks the earlier one takes it, so that keys written in order fill one chunk after another.
    if (index === 0 && chunk > 0) index = this.#chunks[--chunk].length;
    const keys = this.#chunks[chunk];
    keys.splice(index, 0, key);
    if (keys.length > chunkSize) {
      // Keys mostly arrive in order within a prefix: leave the left part fuller.
      this.#chunks.splice(chunk + 1, 0, keys.splice(index > chunkSize - 8 ? chunkSize - 8 : chunkSize >> 1));
    }
  }

  /** Where the first key >= `key` is. */
  #seek(key: string): { chunk: number; index: number } {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const keys = this.#chunks[middle];
      if (keys[keys.length - 1] < key) low = middle + 1;
      else high = middle;
    }
    const chunk = low;
    const keys = this.#chunks[chunk];
    if (!keys) return { chunk, index: 0 };
    low = 0;
    high = keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return { chunk, index: low };
  }
}
