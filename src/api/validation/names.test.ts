import { describe, expect, test } from 'vitest';
import { domainPrefixedPath, fullyQualifiedName } from './names.ts';

const messages = (errors: readonly { message: string }[]) => errors.map(({ message }) => message);

describe('a path with a domain', () => {
  test.each([
    ...['a/b', 'a/b/c/d', 'a.com/foo', 'a.b.c.d/foo', 'k8s.io/foo/bar', 'k8s.io/FOO/BAR', 'dev.k8s.io/more/path'],
    ...['10.0.0.1/foo', 'hyphens-are-good.k8s.io/and-in-paths-too'],
    ...[`${'a'.repeat(240)}.k8s.io/a`, `k8s.io/${'a'.repeat(240)}`],
  ])('%s', (name) => expect(domainPrefixedPath(name, 'f')).toEqual([]));

  test.each([
    ['', 'Required value'],
    ['nopath', 'must be a domain-prefixed path (such as "acme.io/foo")'],
    ['/no-domain', 'must be a domain-prefixed path'],
    ['no-path/', 'must be a domain-prefixed path'],
    ['Dev.k8s.io/a', 'a lowercase RFC 1123 subdomain must consist of'],
    ['k8s.io/with space', 'Invalid path (regex used for validation is'],
    [`${'a'.repeat(254)}/a`, 'must be no more than 253 characters'],
  ])('%j is refused', (name, message) => expect(messages(domainPrefixedPath(name, 'f')).join()).toContain(message));
});

describe('the fully qualified name of a domain', () => {
  test.each(['foo.example.com', 'k8s.io', 'dev.k8s.io.', 'bbc.co.uk', '10.0.0.1', 'hyphens-are-good.k8s.io'])(
    '%s',
    (name) => expect(fullyQualifiedName('f', name)).toEqual([]),
  );

  test.each([
    ['', 'Required value'],
    [undefined, 'Required value'],
    ['io', 'should be a domain with at least two segments separated by dots'],
    ['...', 'a lowercase RFC 1123 subdomain must consist of'],
    ['Dev.k8s.io', 'a lowercase RFC 1123 subdomain must consist of'],
    ['*.example.com', 'a lowercase RFC 1123 subdomain must consist of'],
    ['underscores_are_bad.k8s.io', 'a lowercase RFC 1123 subdomain must consist of'],
    [`${'a'.repeat(64)}.k8s.io`, 'must be no more than 63 characters'],
  ])('%j is refused', (name, message) => expect(messages(fullyQualifiedName('f', name)).join()).toContain(message));
});
