import { Readable } from 'node:stream';
import { deflateRawSync, gunzipSync, gzipSync, inflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { RawReply } from '../request/reply.ts';
import { HtmlLinks, withHtmlLinks } from './html-links.ts';
import { rewriteLink } from './proxy-links.ts';

const page = { prefix: '/proxy', backend: '10.0.0.1:80', asked: 'api.test' };
const rewrite = (link: string) => rewriteLink(link, page);

function rewritten(html: string, size: number): string {
  const links = new HtmlLinks(rewrite);
  let out = '';
  for (let at = 0; at < html.length; at += size) out += links.write(html.slice(at, at + size));
  return out + links.end();
}

test.each<[string, string, string]>([
  [
    'links from the root, not relative ones',
    '<pre><a href="log">log</a><a href="/log/">/log</a></pre>',
    '<pre><a href="log">log</a><a href="/proxy/log/">/log</a></pre>',
  ],
  ['an image', '<img src="/a.jpg"/>', '<img src="/proxy/a.jpg"/>'],
  ['a script of another host', '<script src="http://e.com/a.js"/>', '<script src="http://e.com/a.js"/>'],
  ['a link to the backend itself', '<a href="http://10.0.0.1:80/a">', '<a href="/proxy/a">'],
  ['an attribute that is no link', '<a title="/a" data-href=\'/b\'>', '<a title="/a" data-href="/b">'],
  ['a tag that has no links', '<p href="/a">', '<p href="/a">'],
  ['other ways to write them', "<A HREF=/a?b=1&amp;c='2'>", '<a href="/proxy/a?b=1&amp;c=&#39;2&#39;">'],
  ['scripts and comments', '<script>if (a<b) "<a href=/q>"</script><!-- <a href=/r> -->', ''],
  ['a link that cannot be read', '<a href="/%zz">', ''],
  ['text that is no tag', 'a < b &amp; c > d <', ''],
  ['a tag that does not end', '<p>x</p><a href="/b"', ''],
  ['nothing', '', ''],
])('%s', (_, html, wanted) => {
  for (const size of [1, 7, 10_000]) expect(rewritten(html, size)).toBe(wanted || html);
});

test('a tag without an end is not held for ever', () => {
  const links = new HtmlLinks(rewrite);
  const part = `<a href="/b" ${'x'.repeat(100_000)}`;
  let out = '';
  for (let i = 0; i < 40; i++) out += links.write(part);
  expect(out.length).toBeGreaterThan(2_000_000);
  expect(out + links.end()).toBe(part.repeat(40));
});

const same = (bytes: Buffer) => bytes;
test.each<[string, (bytes: Buffer) => Buffer, (bytes: Buffer) => Buffer, boolean]>([
  ['', same, same, true],
  ['gzip', gzipSync, gunzipSync, true],
  ['deflate', deflateRawSync, inflateRawSync, true],
  ['br', same, same, false],
])('a page in encoding %j', async (encoding, pack, unpack, changes) => {
  const html = `<p>ä</p>${'<a href="/b">b</a>'.repeat(10_000)}`;
  const bytes = pack(Buffer.from(html));
  const reply: RawReply = {
    type: 'raw',
    code: 200,
    contentType: 'text/html; charset=utf-8',
    headers: { 'Content-Length': String(bytes.length), ...(encoding && { 'Content-Encoding': encoding }) },
    body: Readable.from([bytes.subarray(0, 100), bytes.subarray(100)]),
  };
  const { headers, body } = withHtmlLinks(reply, rewrite);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as Readable) chunks.push(chunk);
  expect(unpack(Buffer.concat(chunks)).toString()).toBe(changes ? html.replaceAll('/b"', '/proxy/b"') : html);
  expect('Content-Length' in (headers ?? {})).toBe(!changes);
});

test('a page that breaks off does not look whole', async () => {
  const body = new Readable({ read() {} });
  const reply: RawReply = { type: 'raw', code: 200, contentType: 'text/html', headers: {}, body };
  const rewriting = withHtmlLinks(reply, rewrite).body as Readable;
  body.push('<a href="/b">');
  body.destroy(new Error('gone'));
  await expect(rewriting.toArray()).rejects.toThrow();
});
