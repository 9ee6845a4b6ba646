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
