// Exact integers. JSON's numbers are doubles in JavaScript, which lose digits beyond 2^53; Kubernetes has 64 bits.
// Integers that a double cannot represent are bigints here, from the socket to the store and back; all other numbers
// are plain numbers, so that ordinary objects cost nothing.

declare global {
  /** https://tc39.es/proposal-json-parse-with-source/, which TypeScript does not declare yet. */
  interface JSON {
    rawJSON(text: string): unknown;
    parse(
      text: string,
      reviver: (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown,
    ): unknown;
  }
}

/** JSON.stringify calls this for every bigint. */
Object.defineProperty(BigInt.prototype, 'toJSON', {
  configurable: true,
  writable: true,
  value(this: bigint) {
    return JSON.rawJSON(this.toString());
  },
});

/** Sixteen digits may exceed 2^53. A match inside a string only costs time. */
const maybeUnsafe = /[:,[]\s*-?[1-9]\d{15}/;

/** JSON.parse with exact 64-bit integers. Throws SyntaxError. */
export const parseExact = (text: string): unknown =>
  maybeUnsafe.test(text) ? parseWithIntegers(text) : JSON.parse(text);

/** The same for a text that certainly has such an integer. */
export const parseWithIntegers = (text: string): unknown =>
  JSON.parse(text, (_, value, { source }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined
      ? exactInteger(source, value)
      : value,
  );

/** The integer that the digits represent; `otherwise` outside of 64 bits. */
export function exactInteger(digits: string, otherwise: number): number | bigint {
  if (!/^-?\d{1,19}$/.test(digits)) return otherwise;
  return exact(BigInt(digits)) ?? otherwise;
}

/** A number if it is exact, otherwise a bigint; undefined beyond 64 bits. */
export function exact(value: bigint): number | bigint | undefined {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  return BigInt.asIntN(64, value) === value ? value : undefined;
}
