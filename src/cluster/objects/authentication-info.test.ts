import { X509Certificate } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { testAuthority } from '../../kube-apiserver/testing/test-certificates.ts';
import { combined } from './authentication-info.ts';

const nowMs = Date.now();
const hourMs = 3_600_000;
let certificates: Readonly<Record<string, string>>;
beforeAll(async () => {
  const authority = await testAuthority('CN=first');
  const past = async (name: string, validForMs: number) =>
    (await authority.issue(`CN=${name}`, [], { validForMs })).cert;
  certificates = {
    first: authority.ca,
    second: (await testAuthority('CN=second')).ca,
    expired: await past('expired', -hourMs / 2),
    justExpired: await past('justExpired', -60_000),
  };
});

const subjects = (bundle: string): (string | undefined)[] =>
  (bundle.match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----\n/g) ?? []).map(
    (pem) => Object.entries(certificates).find(([, certificate]) => fingerprint(certificate) === fingerprint(pem))?.[0],
  );
const fingerprint = (pem: string) => new X509Certificate(pem).fingerprint256;

test.each([
  { case: 'the first server', existing: [], own: ['first'], published: ['first'] },
  { case: 'the same authority', existing: ['first'], own: ['first'], published: ['first'] },
  { case: 'a later authority', existing: ['first'], own: ['second'], published: ['first', 'second'] },
  { case: 'a bundle of both', existing: ['first'], own: ['second', 'first'], published: ['first', 'second'] },
  { case: 'an expired authority', existing: ['expired', 'first'], own: ['second'], published: ['first', 'second'] },
  {
    case: 'one that expired a minute ago',
    existing: ['justExpired'],
    own: ['first'],
    published: ['justExpired', 'first'],
  },
])('published authorities: $case', ({ existing, own, published }) => {
  const bundle = (names: readonly string[]) => names.map((name) => certificates[name]).join('\n');
  const data = combined({ 'client-ca-file': bundle(existing) }, { 'client-ca-file': bundle(own) }, nowMs);
  expect(subjects(data['client-ca-file'])).toEqual(published);
});

test('an unreadable bundle is replaced', () => {
  const unreadable = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const data = combined({ 'client-ca-file': unreadable }, { 'client-ca-file': certificates['first'] }, nowMs);
  expect(subjects(data['client-ca-file'])).toEqual(['first']);
});

test.each([
  { case: 'names add up', existing: '["a"]', own: '["b","a"]', published: '["a","b"]' },
  { case: 'no list', existing: '{"a":1}', own: '["b"]', published: '["b"]' },
  { case: 'half a list', existing: '["a"', own: '["b"]', published: '["b"]' },
  { case: 'names and numbers', existing: '["a",1]', own: '["b"]', published: '["a","b"]' },
])('published names: $case', ({ existing, own, published }) => {
  const name = 'requestheader-allowed-names';
  expect(combined({ [name]: existing, more: 'stays' }, { [name]: own }, nowMs)).toEqual({
    [name]: published,
    more: 'stays',
  });
});
