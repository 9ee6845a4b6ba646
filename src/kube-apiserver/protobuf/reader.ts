// Reads protobuf. Every length is checked against the remaining bytes first.
// https://protobuf.dev/programming-guides/encoding/

/** The bytes are no message of the expected type; the message is in Go's words. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

/** Maximum nesting of messages. Only schemas in CustomResourceDefinitions come near. */
const deepest = 1000;
const maxSafe = BigInt(Number.MAX_SAFE_INTEGER);

export class Reader {
  readonly #bytes: Buffer;
  /** Index of the next byte. */
  at: number;
  /** End of the message that is being read. */
  end: number;
  #depth = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
  }

  get isDone(): boolean {
    return this.at >= this.end;
  }

  /** Field number times eight plus wire type. */
  tag(): number {
    const tag = this.unsigned();
    if (tag < 8 || tag > 0xffff_ffff)
      throw new ProtobufError(`proto: illegal tag ${Math.floor(tag / 8)} (wire type ${tag % 8})`);
    return tag;
  }

  /** A length or a tag: values above 2^53 are rejected. */
  unsigned(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let factor = 0x80;
    for (let count = 1; count < 10; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new ProtobufError('proto: integer overflow');
        return value;
      }
      factor *= 0x80;
    }
    throw new ProtobufError('proto: integer overflow');
  }

  /** An int32 or int64; a BigInt if a number would lose digits. */
  integer(): number | bigint {
    const start = this.at;
    let value = 0;
    let factor = 1;
    for (let count = 0; count < 7; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    this.at = start;
    return this.#longInteger();
  }

  #longInteger(): number | bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      const signed = BigInt.asIntN(64, value);
      return signed > maxSafe || signed < -maxSafe ? signed : Number(signed);
    }
    throw new ProtobufError('proto: integer overflow');
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  string(): string {
    const length = this.unsigned();
    const start = this.#take(length);
    return length === 0 ? '' : this.#bytes.toString('utf8', start, start + length);
  }

  /** A view of the bytes, not a copy. */
  bytes(): Buffer {
    const length = this.unsigned();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Enters a message; returns the end of the one around it, to be given to `leave`. */
  enter(): number {
    if (++this.#depth > deepest) throw new ProtobufError('proto: message nested too deep');
    const length = this.unsigned();
    const outer = this.end;
    this.end = this.#take(length) + length;
    this.at = this.end - length;
    return outer;
  }

  leave(outer: number): void {
    this.#depth--;
    this.at = this.end;
    this.end = outer;
  }

  /** Skips the value of an unknown field. */
  skip(tag: number): void {
    const type = tag & 7;
    if (type === 0) {
      for (let count = 0; this.#byte() >= 0x80; count++)
        if (count >= 9) throw new ProtobufError('proto: integer overflow');
    } else if (type === 1) this.#take(8);
    else if (type === 2) this.#take(this.unsigned());
    else if (type === 5) this.#take(4);
    else throw new ProtobufError(`proto: illegal wireType ${type}`);
  }

  #byte(): number {
    if (this.at >= this.end) throw new ProtobufError('unexpected EOF');
    return this.#bytes[this.at++];
  }

  #take(length: number): number {
    const start = this.at;
    if (length > this.end - start) throw new ProtobufError('unexpected EOF');
    this.at = start + length;
    return start;
  }
}
