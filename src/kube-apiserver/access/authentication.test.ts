import { describe, expect, test } from 'vitest';
import { bearerToken, bearerTokens, tokenAuthenticator, withoutTokens } from './authentication.ts';

const prefix = 'base64url.bearer.authorization.k8s.io.';
const encoded = (text: string | Buffer) => prefix + Buffer.from(text).toString('base64url');

describe('a bearer token', () => {
  test.each<[string, string, string | undefined]>([
    ['a token', 'Bearer abc', 'abc'],
    ['a scheme in small letters', 'bearer abc', 'abc'],
    ['white space around', '  Bearer abc ', 'abc'],
    ['something behind it', 'Bearer abc def', 'abc'],
    ['two spaces', 'Bearer  abc', undefined],
    ['no token', 'Bearer', undefined],
    ['another scheme', 'Basic eDp5', undefined],
    ['a scheme that begins so', 'Bearerx abc', undefined],
    ['odd characters', 'Bearer ä"\\\u00ff%00', 'ä"\\\u00ff%00'],
    ['nothing', '', undefined],
  ])('in the header: %s', (_, authorization, token) => expect(bearerToken({ headers: { authorization } })).toBe(token));

  test.each<[string, string, string | undefined | Error]>([
    ['with another protocol', `v4.channel.k8s.io, ${encoded('abc')}`, 'abc'],
    ['first', `${encoded('abc')},v4.channel.k8s.io`, 'abc'],
    ['alone', encoded('abc'), new Error()],
    ['twice', `${encoded('a')}, ${encoded('b')}, v4.channel.k8s.io`, new Error()],
    ['empty', `${prefix}, v4.channel.k8s.io`, undefined],
    ['no base64', `${prefix}a+b=, v4.channel.k8s.io`, new Error()],
    ['no UTF-8', `${encoded(Buffer.from([0xff, 0xfe]))}, v4.channel.k8s.io`, new Error()],
    ['none', 'v4.channel.k8s.io', undefined],
  ])('in a WebSocket’s protocols: %s', (_, protocols, token) => {
    const headers = { upgrade: 'websocket', 'sec-websocket-protocol': protocols };
    if (token instanceof Error) expect(() => bearerToken({ headers })).toThrow('Unauthorized');
    else expect(bearerToken({ headers })).toBe(token);
    expect(bearerToken({ headers: { ...headers, upgrade: undefined } })).toBeUndefined();
  });

  test('of the header has priority', () => {
    const headers = { authorization: 'Bearer a', upgrade: 'WebSocket', 'sec-websocket-protocol': `x, ${encoded('b')}` };
    expect(bearerToken({ headers })).toBe('a');
  });
});

test('protocols are passed on without tokens', () =>
  expect(withoutTokens(`v5.channel.k8s.io , ${encoded('abc')},v4.channel.k8s.io`)).toBe(
    'v5.channel.k8s.io, v4.channel.k8s.io',
  ));

test.each([
  ['the longest', 65_536, ['ann']],
  ['a longer one', 65_537, []],
])('readers get no token of more than 64 kB: %s', async (_, length, users) => {
  const read: number[] = [];
  const reader = tokenAuthenticator('any', async (token) => {
    read.push(token.length);
    return { name: 'ann', groups: [] };
  });
  const [result] = await Promise.allSettled([bearerTokens([reader]).authenticateToken?.('.'.repeat(length), [])]);
  expect(read).toEqual(users.map(() => length));
  if (users.length === 0)
    expect(result).toMatchObject({ reason: { code: 401, why: 'the token is longer than 65536 characters' } });
});
