// The value of a key: bytes, or a text, which is cheaper to make and to hold.

/**
 * A text has only ASCII characters, so that its length is its size; other values are bytes. A store may return either
 * form: use `textOf` or `sameValue`.
 */
export type Value = Uint8Array | string;

const decoder = new TextDecoder();

/** The value of a text: itself if it is ASCII, otherwise its UTF-8. */
export const valueOfText = (text: string): Value => {
  const length = Buffer.byteLength(text);
  if (length === text.length) return text;
  // A separate allocation: a slice of Node's shared pool would hold 64 KiB of unrelated buffers in memory.
  const bytes = Buffer.allocUnsafeSlow(length);
  bytes.write(text);
  return bytes;
};

export const textOf = (value: Value): string => (typeof value === 'string' ? value : decoder.decode(value));

/** As bytes, for immediate use only (see `valueOfText`). */
export const bytesOf = (value: Value): Uint8Array => (typeof value === 'string' ? Buffer.from(value, 'latin1') : value);

export const sameValue = (a: Value, b: Value): boolean =>
  a === b ||
  (a.length === b.length &&
    !(typeof a === 'string' && typeof b === 'string') &&
    Buffer.compare(bytesOf(a), bytesOf(b)) === 0);

/** Copies [from, to) of a value to `target` and returns the end. */
export function writeValue(value: Value, target: Buffer, at: number, from = 0, to = value.length): number {
  const whole = from === 0 && to === value.length;
  if (typeof value === 'string') target.write(whole ? value : value.slice(from, to), at, 'latin1');
  else target.set(whole ? value : value.subarray(from, to), at);
  return at + to - from;
}
