import { expect, test } from 'vitest';
import type { Server } from '../../server.ts';
import { checkSelectorRoom, takeSelectorRoom } from './watched-selectors.ts';

const selectors = (length: number) => ({
  labelSelector: 'a'.repeat(length / 2),
  fieldSelector: 'b'.repeat(length / 2),
});
const mebibyte = 1 << 20;

test('watches with long selectors share two million characters', () => {
  const server = {} as Server;
  const first = takeSelectorRoom(server, selectors(mebibyte));
  takeSelectorRoom(server, selectors(mebibyte));
  expect(() => checkSelectorRoom(server, selectors(20_000))).toThrow(/selectors of all watches are too long/);
  expect(() => checkSelectorRoom(server, selectors(10_000))).not.toThrow();
  expect(() => checkSelectorRoom({} as Server, selectors(mebibyte))).not.toThrow();
  first();
  first();
  expect(() => checkSelectorRoom(server, selectors(mebibyte))).not.toThrow();
  expect(() => checkSelectorRoom(server, selectors(mebibyte + 2))).toThrow();
});
