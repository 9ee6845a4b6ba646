// Takes exact numbers of bytes from a stream of chunks.

export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes taken so far. */
  position = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Undefined if the stream ends before. */
  async take(count: number): Promise<Buffer | undefined> {
    const pieces = [this.#rest];
    let length = this.#rest.length;
    while (length < count) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      pieces.push(Buffer.from(value.buffer, value.byteOffset, value.length));
      length += value.length;
    }
    const all = pieces.length === 1 ? this.#rest : Buffer.concat(pieces);
    this.#rest = all.subarray(count);
    this.position += count;
    return all.subarray(0, count);
  }

  /** The bytes up to the next line feed, without it; undefined if there is none within `most` bytes. */
  async line(most: number): Promise<Buffer | undefined> {
    let end = this.#rest.indexOf('\n');
    while (end < 0 && this.#rest.length < most) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      this.#rest = Buffer.concat([this.#rest, value]);
      end = this.#rest.indexOf('\n');
    }
    if (end < 0) return undefined;
    const line = this.#rest.subarray(0, end);
    this.#rest = this.#rest.subarray(end + 1);
    this.position += end + 1;
    return line;
  }

  /** The first bytes, which are also read again; fewer if the stream is shorter. */
  async peek(count: number): Promise<Buffer> {
    while (this.#rest.length < count) {
      const { done, value } = await this.#chunks.next();
      if (done) break;
      this.#rest = Buffer.concat([this.#rest, value]);
    }
    return this.#rest.subarray(0, count);
  }

  /** All remaining bytes. */
  async *remaining(): AsyncIterable<Uint8Array> {
    if (this.#rest.length > 0) yield this.#rest;
    for (let next = await this.#chunks.next(); !next.done; next = await this.#chunks.next()) yield next.value;
  }
}
