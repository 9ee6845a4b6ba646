// Arbitrary bodies for a kind, made from its schema: mostly of the right shape, and wrong anywhere.

import type { Schema } from '../../src/api/api.ts';
import fc from '../../src/machinery/test-property.ts';

/** Values to put in place of valid ones. */
const wrong = fc.constantFrom<unknown>(
  ...[null, true, 0, -1, 1.5, 2 ** 40, 2n ** 63n - 1n, '', 'a', '\0', [], {}, [null], [{}], { a: null }],
  ...[{ toString: 1 }, { constructor: {} }, JSON.parse('{"__proto__":{"a":1}}')],
);
const texts = fc.constantFrom(
  ...['', 'a', 'a-b', 'x'.repeat(300), 'v1', 'Pod', '*', 'a.b/c', '10.0.0.1', '10.0.0.0/8', '::1', 'TCP', 'Always'],
  ...['http', 'self.x', '^(', '@every 0s', '0 0 31 2 *', 'metadata.name', '..', '/', '%', '𝒳'],
);
const keys = fc.constantFrom(
  'a',
  'a/b',
  '__proto__',
  'constructor',
  'cpu',
  'memory',
  'kubernetes.io/x',
  '',
  'limits.cpu',
);
const integers = fc.constantFrom<number | bigint>(
  -1,
  0,
  1,
  2,
  80,
  65_535,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 40,
  2n ** 63n - 1n,
);

/** One in `rarity` values is of the wrong type. */
export function bodiesOf(schema: Schema, rarity: number): fc.Arbitrary<any> {
  const made = new Map<Schema, Map<number, fc.Arbitrary<any>>>();
  const arbitrary = (part: Schema | undefined, depth: number): fc.Arbitrary<any> => {
    if (!part || depth === 0 || part.preserveUnknownFields || part.union) return wrong;
    return fc.oneof({ weight: rarity, arbitrary: right(part, depth) }, { weight: 1, arbitrary: wrong });
  };
  const right = (part: Schema, depth: number): fc.Arbitrary<any> => {
    if (part.enum) return fc.constantFrom(...part.enum);
    if (part.intOrString) return fc.constantFrom<unknown>(0, 1, 70_000, '50%', 'http', '');
    switch (part.type) {
      case 'object':
        if (part.properties) return struct(part, depth);
        if (typeof part.additionalProperties !== 'object') return wrong;
        return fc.dictionary(keys, arbitrary(part.additionalProperties, depth - 1), { maxKeys: 2 });
      case 'array':
        return fc.array(arbitrary(part.items, depth - 1), { maxLength: 2 });
      case 'integer':
        return integers;
      case 'number':
        return fc.double();
      case 'boolean':
        return fc.boolean();
      default:
        return textOf(part);
    }
  };
  const struct = (part: Schema, depth: number): fc.Arbitrary<any> => {
    const levels = made.get(part) ?? new Map<number, fc.Arbitrary<any>>();
    made.set(part, levels);
    let cached = levels.get(depth);
    if (!cached) {
      const { properties = {}, required = [] } = part;
      const all = Object.keys(properties);
      cached = fc.subarray(all, { maxLength: Math.min(5, all.length) }).chain((names) => {
        const chosen = [...new Set([...names, ...required])].filter((name) => properties[name]);
        return fc.record(Object.fromEntries(chosen.map((name) => [name, arbitrary(properties[name], depth - 1)])));
      });
      levels.set(depth, cached);
    }
    return cached;
  };
  return struct(schema, 6).map(plain);
}

function textOf({ format }: Schema): fc.Arbitrary<unknown> {
  if (format === 'quantity') return fc.constantFrom<unknown>('1', '100m', '1Gi', '-1', '', 'x', '1e999999999', 5);
  if (format === 'date-time' || format === 'micro-time')
    return fc.constantFrom('2026-01-01T00:00:00Z', 'x', '', null, '9999-12-31T23:59:59.999999Z');
  return texts;
}

/** fast-check's records have no prototype, unlike parsed JSON. */
function plain(value: any): any {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** A copy of `object` with `part` merged into it: most objects need several fields to be valid. */
export function merged(object: any, part: any): any {
  if (typeof object !== 'object' || typeof part !== 'object' || !object || !part) return part;
  if (Array.isArray(object) !== Array.isArray(part)) return part;
  if (Array.isArray(object)) return object.map((item, i) => (i in part ? merged(item, part[i]) : item));
  const keysOfBoth = [...Object.keys(object), ...Object.keys(part)];
  return Object.fromEntries(
    keysOfBoth.map((key) => {
      const has = (side: any) => Object.hasOwn(side, key);
      return [key, has(object) && has(part) ? merged(object[key], part[key]) : has(part) ? part[key] : object[key]];
    }),
  );
}
