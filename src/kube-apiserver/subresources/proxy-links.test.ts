import { expect, test } from 'vitest';
import { forwardedUri, rewriteLink } from './proxy-links.ts';

const page = { prefix: '/api/v1/namespaces/a/pods/p/proxy', backend: '10.1.2.3:80', asked: 'api.test:6443' };
const { prefix } = page;

test.each<[string, string, string | undefined]>([
  ['a path from the root', '/a/b', `${prefix}/a/b`],
  ['a path that ends with a slash', '/a/', `${prefix}/a/`],
  ['the root', '/', `${prefix}/`],
  ['a query and a fragment', '/a?b=%2F&c#d', `${prefix}/a?b=%2F&c#d`],
  ['a relative path', 'b/c', 'b/c'],
  ['a relative path upwards', '../b', '../b'],
  ['only a query', '?a=b', '?a=b'],
  ['nothing', '', ''],
  ["the backend's own host", 'http://10.1.2.3:80/a/', `${prefix}/a/`],
  ['the same host, another port', 'http://10.1.2.3:81/a', 'http://10.1.2.3:81/a'],
  ['another host', 'https://example.com/a', 'https://example.com/a'],
  ['another host without a scheme', '//example.com/a', '//example.com/a'],
  ['the host that the client asked', 'https://api.test:6443/a/', `https://api.test:6443${prefix}/a/`],
  ['a path that has the prefix', `${prefix}/a`, `${prefix}/a`],
  ['the host of the request, with the prefix', `https://api.test:6443${prefix}/a`, `https://api.test:6443${prefix}/a`],
  ['characters to escape', '/a/%00<b>c(1)</b>/', `${prefix}/a/%00%3Cb%3Ec%281%29%3C/b%3E/`],
  ['another host with characters to escape', 'http://e.com/<b>(1)', 'http://e.com/%3Cb%3E%281%29'],
  ['letters beyond ASCII', '/ä', `${prefix}/%C3%A4`],
  ['a link to write mail', 'mailto:a@b.c', 'mailto:a@b.c'],
  ['a path upwards from the root', '/../../a', `${prefix}/a`],
  ['a broken escape', '/%zz', undefined],
  ['a broken port', 'http://a:b/', undefined],
  ['a control character', '/a\u0001', undefined],
])('a link to %s', (_, link, wanted) => expect(rewriteLink(link, page)).toBe(wanted));

test.each<[string, string]>([
  ['/', `${prefix}/`],
  ['/a/b', `${prefix}/a/b`],
  ['/a/', `${prefix}/a/`],
  ['/a%2Fb', `${prefix}/a%2Fb`],
  ['/%00<script>alert(1)</script>', `${prefix}/%00%3Cscript%3Ealert%281%29%3C/script%3E`],
])('the forwarded URI of %s', (path, wanted) => expect(forwardedUri(prefix, path)).toBe(wanted));
