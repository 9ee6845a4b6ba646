import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { leadingTo, placesOf } from './preview-links.ts';

const path = '/api/v1/namespaces/a/services/http:web:80/proxy/index.html';
const preview = '/console/preview/T';

test('the proxy ends with its first part of that name', () => {
  const proxy = '/api/v1/namespaces/a/services/http:web:80/proxy/';
  expect(placesOf(path, preview)).toEqual({ proxy, place: '/console/preview/T/' });
  expect(placesOf(`${proxy}x/proxy/y`, preview).proxy).toBe(proxy);
  const named = '/api/v1/namespaces/proxy/pods/http:proxy:80/proxy/';
  expect(placesOf(`${named}x`, preview).proxy).toBe(named);
});

test.each([1, 7, 50, 1000])('links are changed in pieces of %i bytes', async (size) => {
  const page = `<a href="/api/v1/namespaces/a/services/http:web:80/proxy/next">ü</a><a href="/api/v1/namespaces/a/services/http:web:80/pro`;
  const stream = leadingTo(path, preview);
  const bytes = Buffer.from(page);
  for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size));
  stream.end();
  expect(await text(stream)).toBe(
    '<a href="/console/preview/T/next">ü</a><a href="/api/v1/namespaces/a/services/http:web:80/pro',
  );
});
