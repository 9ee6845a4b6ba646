// For tests: documents that differ from a valid one in a few places, and texts that are none.

import fc from './test-property.ts';

const replacement = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(null, '', [], {}, [null], [{}], -1, 1e99, true, '\0', 'a'.repeat(300), '__proto__'),
);

/** The value with `part` at one place of its tree. */
function replaced(value: unknown, path: readonly number[], part: unknown): unknown {
  if (path.length === 0 || typeof value !== 'object' || value === null) return part;
  const [step, ...rest] = path;
  const keys = Object.keys(value);
  if (keys.length === 0) return part;
  const key = keys[step % keys.length];
  const copy: Record<string, unknown> = Array.isArray(value)
    ? ([...value] as unknown as Record<string, unknown>)
    : { ...value };
  copy[key] = replaced(copy[key], rest, part);
  return copy;
}

/** The value with one to three replaced parts. */
export const mutated = (value: unknown): fc.Arbitrary<unknown> =>
  fc
    .array(fc.tuple(fc.array(fc.nat(9), { maxLength: 6 }), replacement), { minLength: 1, maxLength: 3 })
    .map((changes) => changes.reduce((result, [path, part]) => replaced(result, path, part), value));

/** JSON of mutated values, cut texts, and arbitrary ones. */
export const mutatedText = (value: unknown): fc.Arbitrary<string> => {
  const valid = JSON.stringify(value);
  return fc.oneof(
    { weight: 8, arbitrary: mutated(value).map((one) => JSON.stringify(one) ?? '') },
    { weight: 1, arbitrary: fc.nat(valid.length).map((end) => valid.slice(0, end)) },
    { weight: 1, arbitrary: fc.string() },
  );
};

/** The sign of a fault in the program: a message of the JavaScript engine. */
const engine =
  /Cannot read prop|is not a function|is not iterable|is not defined|undefined \(reading|null \(reading|Cannot convert|Reduce of empty|Maximum call stack|Invalid (array length|time value)|\[object Object\]/;

/** Throws if the message of a refusal is none that a user understands. */
export function mustBeClear(message: unknown): void {
  if (typeof message !== 'string' || message.length < 3 || engine.test(message))
    throw new Error(`no clear message: ${String(message)}`);
}
