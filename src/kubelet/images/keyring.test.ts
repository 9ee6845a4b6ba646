import { describe, expect, test } from 'vitest';
import type { Secret } from '../../api/api.ts';
import { entriesOf, isMatch, lookUp } from './keyring.ts';

test.each<[string, string, boolean]>([
  ['registry.test', 'registry.test/img', true],
  ['registry.test', 'registry.test/team/img', true],
  ['registry.test', 'other.test/img', false],
  ['registry.test/team', 'registry.test/team/img', true],
  ['registry.test/team', 'registry.test/img', false],
  ['registry.test:5000', 'registry.test:5000/img', true],
  ['registry.test:5000', 'registry.test/img', false],
  ['*.registry.test', 'eu.registry.test/img', true],
  ['*.registry.test', 'registry.test/img', false],
  ['*.registry.test', 'a.b.registry.test/img', false],
  ['eu*1.registry.test', 'eu-west-1.registry.test/img', true],
  ['eu*2.registry.test', 'eu-west-1.registry.test/img', false],
])('%s is for %s: %s', (location, image, expected) => expect(isMatch(location, image)).toBe(expected));

test('the time of a hostile pattern grows with its length alone', () => {
  const startMs = performance.now();
  expect(isMatch(`${'*a'.repeat(20_000)}b`, `${'a'.repeat(40_000)}/img`)).toBe(false);
  expect(performance.now() - startMs).toBeLessThan(5_000);
});

describe('credentials for an image', () => {
  const of = (name: string) => ({ username: name, password: 'p' });
  const entries = ['*.test', 'registry.test', 'https://registry.test/v2/team', 'https://index.docker.io/v1/'].map(
    (location) => [location, of(location)] as const,
  );
  test.each<[string, string[]]>([
    ['registry.test/team/img', ['https://registry.test/v2/team', 'registry.test', '*.test']],
    ['registry.test/img', ['registry.test', '*.test']],
    ['img', ['https://index.docker.io/v1/']],
    ['team/img', ['https://index.docker.io/v1/']],
    ['docker.io/library/img', ['https://index.docker.io/v1/']],
    ['elsewhere.example/img', []],
  ])('%s', (image, names) => expect(lookUp(entries, image).map(({ username }) => username)).toEqual(names));
});

test('secrets of both types; entries and secrets that are none are left out', () => {
  const secret = (name: string, content: string) =>
    ({ data: { [name]: Buffer.from(content).toString('base64') } }) as unknown as Secret;
  const auth = Buffer.from('user:with:colons').toString('base64');
  expect(
    entriesOf([
      secret(
        '.dockerconfigjson',
        JSON.stringify({ auths: { 'a.test': { auth }, 'b.test': null, 'c.test': { auth: 7 } } }),
      ),
      secret('.dockercfg', JSON.stringify({ 'd.test': { username: 'u', password: 'p' } })),
      secret('.dockerconfigjson', 'not JSON'),
      secret('.dockerconfigjson', '{"auths":[1]}'),
      { data: {} } as Secret,
    ]),
  ).toEqual([
    ['a.test', { username: 'user', password: 'with:colons' }],
    ['d.test', { username: 'u', password: 'p' }],
  ]);
});
