// Writes protobuf backwards: the length of a message is known after its fields are written.
// https://protobuf.dev/programming-guides/encoding/

/** Above this length the engine's encoder is faster than a loop. */
const longestLooped = 40;
const initialSize = 64 * 1024;
/** A buffer that grew above this size for a large object is dropped. */
const keptSize = 4 * 1024 * 1024;

export class Writer {
  #bytes = Buffer.allocUnsafeSlow(initialSize);
  /** Index of the first byte that is written. */
  #at = initialSize;

  /** Bytes written so far. */
  get size(): number {
    return this.#bytes.length - this.#at;
  }

  /** A copy of the written bytes; empties the writer. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(this.#at));
    this.reset();
    return taken;
  }

  reset(): void {
    if (this.#bytes.length > keptSize) this.#bytes = Buffer.allocUnsafeSlow(initialSize);
    this.#at = this.#bytes.length;
  }

  #reserve(count: number): void {
    if (this.#at >= count) return;
    const used = this.size;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, used + count));
    this.#bytes.copy(larger, larger.length - used, this.#at);
    this.#bytes = larger;
    this.#at = larger.length - used;
  }

  /** An unsigned number below 2^53: a tag, a length, or a value. */
  varint(value: number): void {
    this.#reserve(10);
    if (value < 0x80) {
      this.#bytes[--this.#at] = value;
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
    this.#at -= length;
    let at = this.#at;
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[at++] = (rest % 0x80) | 0x80;
    this.#bytes[at] = rest;
  }

  /** An int32 or int64; negative ones take ten bytes. */
  integer(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0) return this.varint(value);
    this.#reserve(10);
    const groups: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 0x80n; rest >>= 7n) groups.push(Number(rest & 0x7fn) | 0x80);
    groups.push(Number(rest));
    this.#at -= groups.length;
    this.#bytes.set(groups, this.#at);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at -= 8;
    this.#bytes.writeDoubleLE(value, this.#at);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[--this.#at] = value;
  }

  /** A string with its length before it. */
  string(text: string): void {
    const { length } = text;
    this.#reserve(length * 3 + 10);
    if (length <= longestLooped) {
      const bytes = this.#bytes;
      const start = this.#at - length;
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) break;
        bytes[start + i] = code;
      }
      if (i === length) {
        this.#at = start - 1;
        bytes[this.#at] = length;
        return;
      }
    }
    const size = Buffer.byteLength(text);
    this.#at -= size;
    this.#bytes.write(text, this.#at, size, 'utf8');
    this.varint(size);
  }

  /** Bytes as they are, without a length. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#at -= bytes.length;
    this.#bytes.set(bytes, this.#at);
  }

  /** Bytes with their length before them. */
  bytes(bytes: Uint8Array): void {
    this.raw(bytes);
    this.varint(bytes.length);
  }
}
