import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mustBeClear, mutated, mutatedText } from '../../../machinery/test-mutated.ts';
import fc from '../../../machinery/test-property.ts';
import { VirtualClock } from '../../../machinery/time/clock.ts';
import { type TestAuthority, testAuthority } from '../../testing/test-certificates.ts';
import { jwtAuthenticator } from './jwt.ts';
import { parse } from './test-configuration.ts';
import type { JwtIssuer } from './types.ts';

/** An OpenID Connect provider. */
let provider: Server;
let authority: TestAuthority;
let url: string;
let keys: Awaited<ReturnType<typeof generateKeyPair>>;
let published: object[];
let keyReads = 0;
let requests = 0;
let claimedIssuer: string | undefined;
/** Sent in place of the valid documents. */
let keysText: string | undefined;
let discoveryText: string | undefined;
const clock = new VirtualClock();

const publish = async (kid: string) => {
  keys = await generateKeyPair('RS256');
  published = [{ ...(await exportJWK(keys.publicKey)), kid, alg: 'RS256', use: 'sig' }];
};

beforeAll(async () => {
  authority = await testAuthority();
  provider = createServer(await authority.issue('CN=provider', ['127.0.0.1']), (request, response) => {
    const isKeys = request.url === '/keys';
    requests++;
    if (isKeys) keyReads++;
    const reply = isKeys ? { keys: published } : { issuer: claimedIssuer ?? url, jwks_uri: `${url}/keys` };
    response.end((isKeys ? keysText : discoveryText) ?? JSON.stringify(reply));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  url = `https://127.0.0.1:${(provider.address() as AddressInfo).port}`;
});
afterAll(() => {
  provider.closeAllConnections();
  provider.close();
});
beforeEach(async () => {
  claimedIssuer = undefined;
  keysText = undefined;
  discoveryText = undefined;
  await publish('one');
});

const issuer = () => ({ url, audiences: ['api'], certificateAuthority: authority.ca });
const readerOf = (over: Partial<JwtIssuer> = {}) => {
  const entry = { issuer: issuer(), claimMappings: { username: { claim: 'sub', prefix: '' } }, ...over };
  return jwtAuthenticator((parse([entry]).jwt ?? [])[0], clock);
};
const tokenOf = (claims: object, { kid = 'one', seconds = 600, of = url, audience = 'api' } = {}) =>
  new SignJWT({ sub: 'ann', ...claims })
    .setProtectedHeader({ alg: 'RS256', kid })
    .setIssuer(of)
    .setAudience(audience)
    .setExpirationTime(Math.floor(clock.now() / 1000) + seconds)
    .sign(keys.privateKey);
const reasonOf = (enter: Promise<unknown> | undefined) =>
  enter?.then(
    () => 'accepted',
    (error) => error.why,
  );

describe('a token of an issuer', () => {
  test('names its user', async () =>
    expect(await readerOf().authenticateToken?.(await tokenOf({ jti: 'j1' }), [])).toEqual({
      name: 'ann',
      groups: ['system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': ['JTI=j1'] },
    }));

  test.each([
    {
      case: 'claims with prefixes',
      claimMappings: {
        username: { claim: 'sub', prefix: 'oidc:' },
        groups: { claim: 'roles', prefix: 'r:' },
        uid: { claim: 'id' },
      },
      claims: { roles: ['a', 'b'], id: '7' },
      user: { name: 'oidc:ann', groups: ['r:a', 'r:b', 'system:authenticated'], uid: '7' },
    },
    {
      case: 'a group that is one text',
      claimMappings: { username: { claim: 'sub', prefix: '' }, groups: { claim: 'role', prefix: '' } },
      claims: { role: 'a' },
      user: { name: 'ann', groups: ['a', 'system:authenticated'] },
    },
    {
      case: 'expressions',
      claimMappings: {
        username: { expression: '"x-" + claims.sub' },
        groups: { expression: 'claims.roles.filter(r, r != "b")' },
        uid: { expression: 'string(claims.n)' },
        extra: [
          { key: 'acme.io/team', valueExpression: 'claims.?team.orValue("")' },
          { key: 'acme.io/kind', valueExpression: '"human"' },
        ],
      },
      claims: { roles: ['a', 'b'], n: 5 },
      user: { name: 'x-ann', groups: ['a', 'system:authenticated'], uid: '5', extra: { 'acme.io/kind': ['human'] } },
    },
    {
      case: 'an address that is verified',
      claimMappings: { username: { claim: 'email', prefix: '' } },
      claims: { email: 'a@b.c', email_verified: true },
      user: { name: 'a@b.c', groups: ['system:authenticated'] },
    },
  ])('by $case', async ({ claimMappings, claims, user }) =>
    expect(await readerOf({ claimMappings } as object).authenticateToken?.(await tokenOf(claims), [])).toEqual(user),
  );

  test.each([
    {
      case: 'without the claim',
      over: { claimMappings: { username: { claim: 'login', prefix: '' } } },
      claims: {},
      why: 'oidc: parse username claims "login": claim not present',
    },
    {
      case: 'with an address that is not verified',
      over: { claimMappings: { username: { claim: 'email', prefix: '' } } },
      claims: { email: 'a@b.c', email_verified: false },
      why: 'oidc: email not verified',
    },
    {
      case: 'without a required claim',
      over: { claimValidationRules: [{ claim: 'hd', requiredValue: 'acme' }] },
      claims: {},
      why: 'oidc: required claim hd not present in ID token',
    },
    {
      case: 'with another value of it',
      over: { claimValidationRules: [{ claim: 'hd', requiredValue: 'acme' }] },
      claims: { hd: 'x' },
      why: 'oidc: required claim hd value does not match. Got = x, want = acme',
    },
    {
      case: 'that breaks a rule',
      over: { claimValidationRules: [{ expression: 'claims.n < 5', message: 'too many' }] },
      claims: { n: 7 },
      why: "oidc: error evaluating claim validation expression: validation expression 'claims.n < 5' failed: too many",
    },
    {
      case: 'of a user that breaks a rule',
      over: {
        claimMappings: { username: { claim: 'sub', prefix: 'system:' } },
        userValidationRules: [{ expression: "!user.username.startsWith('system:')", message: 'reserved' }],
      },
      claims: {},
      why: "oidc: error evaluating user info validation rule: validation expression '!user.username.startsWith('system:')' failed: reserved",
    },
    {
      case: 'with an empty name',
      over: { claimMappings: { username: { expression: 'claims.?login.orValue("")' } } },
      claims: {},
      why: 'oidc: empty username via CEL expression is not allowed',
    },
    {
      case: 'with groups of another type',
      over: { claimMappings: { username: { claim: 'sub', prefix: '' }, groups: { claim: 'roles', prefix: '' } } },
      claims: { roles: 5 },
      why: 'oidc: parse groups claim "roles": the claim is no string and no list of strings',
    },
  ])('$case is refused', async ({ over, claims, why }) =>
    expect(await reasonOf(readerOf(over as object).authenticateToken?.(await tokenOf(claims), []))).toBe(why),
  );

  test('that has expired, is for others, or is signed by others is refused', async () => {
    const reader = readerOf();
    expect(await reasonOf(reader.authenticateToken?.(await tokenOf({}, { seconds: -60 }), []))).toMatch(/"exp" claim/);
    expect(await reasonOf(reader.authenticateToken?.(await tokenOf({}, { audience: 'x' }), []))).toMatch(/"aud" claim/);
    const own = keys;
    keys = await generateKeyPair('RS256');
    expect(await reasonOf(reader.authenticateToken?.(await tokenOf({}), []))).toMatch(/signature verification failed/);
    keys = own;
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await tokenOf({})).split('.')[1]}.`;
    expect(await reasonOf(reader.authenticateToken?.(unsigned, []))).toMatch(/oidc: verify token/);
  });

  test('of another issuer, or no token at all, is left to others', async () => {
    const reader = readerOf();
    for (const token of [await tokenOf({}, { of: 'https://other' }), 'abc', 'a.b.c', '..', '{}'])
      expect(await reader.authenticateToken?.(token, [])).toBeUndefined();
  });

  test('with a new key is accepted; made-up keys do not become requests', async () => {
    const reader = readerOf();
    await reader.authenticateToken?.(await tokenOf({}), []);
    await publish('two');
    await clock.advance(10_000);
    expect((await reader.authenticateToken?.(await tokenOf({}, { kid: 'two' }), []))?.name).toBe('ann');
    const before = keyReads;
    for (let i = 0; i < 20; i++)
      expect(await reasonOf(reader.authenticateToken?.(await tokenOf({}, { kid: `made-up-${i}` }), []))).toMatch(
        /oidc/,
      );
    expect(keyReads).toBe(before);
  });

  test('waits for its issuer: one that fails gets another request after five seconds, however many tokens come', async () => {
    claimedIssuer = 'https://other';
    const reader = readerOf();
    const before = requests;
    for (let i = 0; i < 20; i++) {
      expect(await reasonOf(reader.authenticateToken?.(await tokenOf({}), []))).toMatch(/issuer did not match/);
      await clock.advance(200);
    }
    expect(requests).toBe(before + 1);
    claimedIssuer = undefined;
    await clock.advance(1_000);
    expect((await reader.authenticateToken?.(await tokenOf({}), []))?.name).toBe('ann');
  });
});

describe('hostile issuers and tokens', () => {
  /** A user with fields of the right types, none, or a refusal with a clear reason. */
  const enter = async (reader: ReturnType<typeof readerOf>, token: string) => {
    const outcome = await reader.authenticateToken?.(token, []).catch((error: { code: number; why: string }) => {
      expect(error.code).toBe(401);
      mustBeClear(error.why);
    });
    if (!outcome) return;
    expect([typeof outcome.name, outcome.groups.every((group) => typeof group === 'string')]).toEqual(['string', true]);
    for (const values of Object.values(outcome.extra ?? {}))
      expect(values.every((value) => typeof value === 'string')).toBe(true);
  };

  test('key sets', async () => {
    const token = await tokenOf({});
    await fc.assert(
      fc.asyncProperty(mutatedText({ keys: published }), async (text) => {
        keysText = text;
        await enter(readerOf(), token);
      }),
      { numRuns: 40 },
    );
  });

  test('discovery documents', async () => {
    const token = await tokenOf({});
    await fc.assert(
      fc.asyncProperty(mutatedText({ issuer: url, jwks_uri: `${url}/keys` }), async (text) => {
        discoveryText = text;
        await enter(readerOf(), token);
      }),
      { numRuns: 40 },
    );
  });

  test('claims', async () => {
    const reader = readerOf({
      claimMappings: {
        username: { expression: 'claims.sub' },
        groups: { expression: 'claims.roles' },
        uid: { expression: 'claims.id' },
        extra: [{ key: 'a.b/c', valueExpression: 'claims.team' }],
      },
      claimValidationRules: [{ expression: 'claims.n > 3', message: 'n is small' }],
      userValidationRules: [{ expression: "!user.username.startsWith('system:')", message: 'reserved' }],
    } as object);
    const claims = { sub: 'ann', roles: ['a', 'b'], id: '7', team: ['t'], n: 5, jti: 'j' };
    await enter(reader, await tokenOf(claims));
    await fc.assert(
      fc.asyncProperty(mutated(claims), async (some) => {
        const payload = typeof some === 'object' && some !== null && !Array.isArray(some) ? some : { sub: some };
        await enter(reader, await tokenOf(payload));
      }),
      { numRuns: 200 },
    );
  });

  test('tokens', async () => {
    const reader = readerOf();
    const parts = (await tokenOf({})).split('.');
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url');
    const header = mutated({ alg: 'RS256', kid: 'one' }).map(encoded);
    const payload = mutated({ iss: url, aud: ['api'], sub: 'ann', exp: 1e10 }).map(encoded);
    const part = fc.oneof(fc.constantFrom(...parts, ''), fc.string(), header, payload);
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 5 }), (some) => enter(reader, some.join('.'))),
      { numRuns: 500 },
    );
  });
});
