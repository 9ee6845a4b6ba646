import { describe, expect, test } from 'vitest';
import { parse } from './test-configuration.ts';

describe('authentication configuration', () => {
  const username = { claim: 'sub', prefix: '' };
  const entry = (over: object = {}, mappings: object = {}) => ({
    issuer: { url: 'https://a', audiences: ['x'], ...over },
    claimMappings: { username, ...mappings },
  });
  test.each([
    {
      case: 'http',
      jwt: [entry({ url: 'http://a' })],
      why: 'jwt[0].issuer.url: Invalid value: "http://a": URL scheme must be https',
    },
    { case: 'no url', jwt: [entry({ url: '' })], why: 'jwt[0].issuer.url: Required value' },
    {
      case: 'credentials in the url',
      jwt: [entry({ url: 'https://u:p@a' })],
      why: 'URL must not contain a username or password',
    },
    { case: 'a query', jwt: [entry({ url: 'https://a?b' })], why: 'URL must not contain a query' },
    {
      case: "the cluster's own issuer",
      jwt: [entry({ url: 'https://own' })],
      why: 'URL must not overlap with disallowed issuers: [https://own]',
    },
    { case: 'an issuer twice', jwt: [entry(), entry()], why: 'jwt[1].issuer.url: Duplicate value: "https://a"' },
    {
      case: 'the same discovery url',
      jwt: [entry({ discoveryURL: 'https://a/' })],
      why: 'discoveryURL must be different from URL',
    },
    { case: 'no audience', jwt: [entry({ audiences: [] })], why: 'at least one jwt[0].issuer.audiences is required' },
    {
      case: 'two audiences without a policy',
      jwt: [entry({ audiences: ['x', 'y'] })],
      why: 'audienceMatchPolicy must be MatchAny for multiple audiences',
    },
    {
      case: 'a broken authority',
      jwt: [entry({ certificateAuthority: 'x' })],
      why: 'jwt[0].issuer.certificateAuthority: Invalid value: "<omitted>"',
    },
    {
      case: 'an egress selector',
      jwt: [entry({ egressSelectorType: 'cluster' })],
      why: 'egressSelectorType is not supported',
    },
    {
      case: 'no user name',
      jwt: [entry({}, { username: {} })],
      why: 'jwt[0].claimMappings.username: Required value: claim or expression is required',
    },
    {
      case: 'a claim without a prefix',
      jwt: [entry({}, { username: { claim: 'sub' } })],
      why: 'prefix is required when claim is set',
    },
    {
      case: 'claim and expression',
      jwt: [entry({}, { username: { claim: 'sub', prefix: '', expression: '"a"' } })],
      why: "claim and expression can't both be set",
    },
    {
      case: 'an expression that cannot be read',
      jwt: [entry({}, { username: { expression: 'claims.' } })],
      why: /compilation failed/,
    },
    {
      case: 'an address that is not verified',
      jwt: [entry({}, { username: { expression: 'claims.email' } })],
      why: /claims.email_verified must be used/,
    },
    {
      case: 'an extra key without a domain',
      jwt: [entry({}, { extra: [{ key: 'a', valueExpression: '"a"' }] })],
      why: 'must be a domain-prefixed path',
    },
    {
      case: "an extra key of Kubernetes'",
      jwt: [entry({}, { extra: [{ key: 'x.k8s.io/a', valueExpression: '"a"' }] })],
      why: 'reserved for Kubernetes use',
    },
    {
      case: 'a rule that is no condition',
      jwt: [{ ...entry(), claimValidationRules: [{ expression: '1' }] }],
      why: 'must evaluate to bool',
    },
    { case: 'an unknown field', jwt: [{ ...entry(), color: 'red' }], why: 'unknown field "jwt[0].color"' },
  ])('refuses $case', ({ jwt, why }) => expect(() => parse(jwt)).toThrow(why));

  test('accepts an address whose verification an expression reads', () => {
    const extra = [{ key: 'acme.io/v', valueExpression: 'string(claims.?email_verified.orValue(true))' }];
    expect(parse([entry({}, { username: { expression: 'claims.email' }, extra })]).jwt).toHaveLength(1);
  });

  test('refuses paths for anonymous users where there are none', () =>
    expect(() => parse([], { anonymous: { enabled: false, conditions: [{ path: '/livez' }] } })).toThrow(
      'enabled should be set to true when conditions are defined',
    ));
});
