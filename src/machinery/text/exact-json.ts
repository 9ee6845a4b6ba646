// Integers as they are written. JSON's numbers are doubles in JavaScript, which lose digits beyond 2^53; Kubernetes has
// 64 bits. An integer that a double cannot hold is a bigint here, from the socket to the store and back; every other
// number is a number, so that ordinary objects cost nothing.

interface RawJson {
  rawJSON(text: string): unknown;
  parse(
    text: string,
    reviver: (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown,
  ): any;
}

const raw = JSON as unknown as RawJson;

/** JSON.stringify asks every bigint for this. */
Object.defineProperty(BigInt.prototype, 'toJSON', {
  configurable: true,
  writable: true,
  value(this: bigint) {
    return raw.rawJSON(this.toString());
  },
});

/** Sixteen digits may be beyond 2^53. Also finds some that stand in strings, which then only costs time. */
const maybeUnsafe = /[:,[]\s*-?[1-9]\d{15}/;

/** Whether numbers alone may lose digits of this JSON. */
export const mayLoseDigits = (text: string): boolean => maybeUnsafe.test(text);

/** JSON.parse that keeps integers of 64 bits. Throws SyntaxError. */
export const parseExact = (text: string): any => (maybeUnsafe.test(text) ? parseWithIntegers(text) : JSON.parse(text));

/** The same for a text that certainly has such an integer. */
export const parseWithIntegers = (text: string): any =>
  raw.parse(text, (_, value, { source }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined
      ? exactInteger(source, value)
      : value,
  );

/** The integer that a text of digits stands for; `otherwise` when it is none of 64 bits. */
export function exactInteger(digits: string, otherwise: number): number | bigint {
  if (!/^-?\d{1,19}$/.test(digits)) return otherwise;
  return exact(BigInt(digits)) ?? otherwise;
}

/** A number where that is exact, a bigint else; undefined beyond 64 bits. */
export function exact(value: bigint): number | bigint | undefined {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  return BigInt.asIntN(64, value) === value ? value : undefined;
}
