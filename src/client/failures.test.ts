import { expect, test } from 'vitest';
import { isNotFound, notFound } from '../api/api.ts';
import { createClient, errorText } from './client.ts';

test.each([
  { code: 404, body: '404 page not found\n', says: 'the server could not find the requested resource', missing: true },
  { code: 502, body: 'bad gateway\n', says: 'bad gateway', missing: false },
  { code: 503, body: undefined, says: 'the server answered 503', missing: false },
])('a response of $code other than a Status: $says', async ({ code, body, says, missing }) => {
  const client = createClient({ send: async () => ({ code, body }) });
  const calls = [
    client.list('pods'),
    client.watch('pods', {}, new AbortController().signal)[Symbol.asyncIterator]().next(),
  ];
  for (const call of calls) {
    const error = await call.then(
      () => undefined,
      (reason) => reason,
    );
    expect(error.message).toBe(says);
    expect(error.code).toBe(code);
    expect(isNotFound(error)).toBe(missing);
  }
});

test('a refusal is logged in its words, a fault with its stack', () => {
  const refusal = notFound({ group: '', resource: 'pods' } as never, 'p');
  expect(errorText(refusal)).toBe('ApiError: pods "p" not found');
  expect(errorText(new TypeError('x is undefined'))).toContain('failures.test.ts');
});
