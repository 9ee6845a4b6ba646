// Checks the structure of compressed values before LMDB unpacks them: LMDB prints invalid ones to stderr.
// https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md

/** Values whose first byte is at least this have a header: 254 and three bytes of length, or 255 and seven. */
const firstMark = 250;
const shortMark = 254;
const longMark = 255;
const fewestMatched = 4;

/** Whether a stored value is plain, or unpacks to the length in its header. */
export function unpacks(stored: Buffer, dictionaryBytes: number): boolean {
  if (stored.length === 0 || stored[0] < firstMark) return true;
  if (stored[0] === shortMark && stored.length > 4)
    return isBlock(stored, 4, stored.readUInt32BE(0) & 0xff_ffff, dictionaryBytes);
  return stored[0] === longMark && stored.length > 8 && isBlock(stored, 8, stored.readUInt32BE(4), dictionaryBytes);
}

/** A block is a list of sequences: literal bytes, then a copy of earlier output; the last has no copy. */
function isBlock(bytes: Buffer, begin: number, length: number, dictionaryBytes: number): boolean {
  let at = begin;
  let made = 0;
  const extended = (count: number): number => {
    if (count < 15) return count;
    let sum = count;
    let byte = 255;
    while (byte === 255 && at < bytes.length) sum += byte = bytes[at++];
    return sum;
  };
  while (at < bytes.length) {
    const token = bytes[at++];
    const literals = extended(token >> 4);
    at += literals;
    made += literals;
    if (at >= bytes.length) return at === bytes.length && made === length;
    const offset = bytes[at] | (bytes[at + 1] << 8);
    at += 2;
    if (at > bytes.length || offset === 0 || offset > made + dictionaryBytes) return false;
    made += extended(token & 15) + fewestMatched;
    if (made > length) return false;
  }
  return false;
}
