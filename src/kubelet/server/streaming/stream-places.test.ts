import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { StreamPlaces } from './stream-places.ts';

test('a thousand streams have a place, and one more when one of them closes', async () => {
  const places = new StreamPlaces();
  const sockets = Array.from({ length: 1_000 }, () => new PassThrough());
  expect(sockets.map((socket) => places.take(socket))).not.toContain(false);
  expect(places.take(new PassThrough())).toBe(false);
  sockets[7].destroy();
  await new Promise((resolve) => setImmediate(resolve));
  expect(places.take(new PassThrough())).toBe(true);
  expect(places.take(new PassThrough())).toBe(false);
});
