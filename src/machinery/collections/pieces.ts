/** Smaller pieces are copied together: a sender may send millions of one byte each, which take a hundred each. */
const pieceBytes = 16 << 10;

/** The pieces of a body that is being read, in memory of about its length. */
export class Pieces {
  #length = 0;
  readonly #parts: Uint8Array[] = [];
  /** Small pieces, and the bytes of it that are used. */
  #small = new Uint8Array(0);
  #used = 0;

  /** Bytes of all pieces. */
  get length(): number {
    return this.#length;
  }

  add(piece: Uint8Array): void {
    this.#length += piece.length;
    const isFirst = this.#length === piece.length;
    if (isFirst || piece.length >= pieceBytes) {
      this.#flush();
      this.#parts.push(piece);
      return;
    }
    if (this.#used + piece.length > this.#small.length) {
      this.#flush();
      this.#small = new Uint8Array(4 * pieceBytes);
    }
    this.#small.set(piece, this.#used);
    this.#used += piece.length;
  }

  /** All bytes, in a few long pieces. */
  parts(): readonly Uint8Array[] {
    this.#flush();
    return this.#parts;
  }

  clear(): void {
    this.#parts.length = 0;
    this.#length = 0;
    this.#used = 0;
    this.#small = new Uint8Array(0);
  }

  #flush(): void {
    if (this.#used > 0) this.#parts.push(this.#small.subarray(0, this.#used));
    this.#small = this.#small.subarray(this.#used);
    this.#used = 0;
  }
}
