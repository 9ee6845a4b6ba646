import { expect, test } from 'vitest';
import { patchedText } from './patched-text.ts';

const document = { kind: 'K', apiVersion: 'v1', spec: { z: 1, y: { d: 1, c: 2 }, x: [{ f: 1, e: 2 }] } };

test.each([
  ['no patch', undefined, '{"apiVersion":"v1","kind":"K","spec":{"z":1,"y":{"d":1,"c":2},"x":[{"f":1,"e":2}]}}'],
  [
    'a merge',
    { type: 'merge', value: { spec: { y: { c: 2 } } } },
    '{"apiVersion":"v1","kind":"K","spec":{"x":[{"f":1,"e":2}],"y":{"c":2,"d":1},"z":1}}',
  ],
  [
    'an operation on an item',
    { type: 'json', value: [{ op: 'add', path: '/spec/x/0/e', value: 2 }] },
    '{"apiVersion":"v1","kind":"K","spec":{"x":[{"e":2,"f":1}],"y":{"d":1,"c":2},"z":1}}',
  ],
] as const)('the fields that %s took apart are sorted', (_, patch, text) =>
  expect(patchedText(document, patch as never)).toBe(text),
);

test('thousands of operations sort a document once', () => {
  const data = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${20_000 - i}`, { z: 1, a: 2 }]));
  const value = Array.from({ length: 20_000 }, (_, i) => ({ op: 'add', path: `/data/k${i + 1}/b`, value: 1 }));
  let reads = 0;
  const counted = new Proxy(data, {
    ownKeys(target) {
      reads++;
      return Reflect.ownKeys(target);
    },
  });
  expect(patchedText({ data: counted }, { type: 'json', value } as never)).toContain('"k1":{"a":2,"z":1}');
  expect(reads).toBeLessThan(4);
});
