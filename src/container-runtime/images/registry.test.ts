import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { architecture } from './platform.ts';
import { pullFromRegistry } from './registry.ts';
import { digestOf, type Entry, imageStores, make } from './test-images.ts';

const images = imageStores();
const { expectEmpty } = images;

describe('registries', () => {
  let server: Server | undefined;
  afterAll(() => server?.close());

  /** A registry with one image, app:1, behind an index; `change` modifies its responses. */
  async function registry(
    change: (path: string, body: Buffer) => Buffer = (_, body) => body,
    token?: string,
    layers: readonly Entry[][] = [[{ name: 'a', body: 'pulled' }]],
  ) {
    const { blobs, manifest } = await make(layers, gzipSync);
    const platform = { os: 'linux', architecture };
    const index = Buffer.from(
      JSON.stringify({
        manifests: [
          { ...manifest, platform: { os: 'linux', architecture: 'nosuch' } },
          { ...manifest, platform },
        ],
      }),
    );
    server?.close();
    const own = createServer((request, response) => {
      const { pathname } = new URL(request.url!, 'http://x');
      const { port } = own.address() as AddressInfo;
      if (pathname === '/token') {
        const expected = `Basic ${Buffer.from('me:secret').toString('base64')}`;
        response.statusCode = request.headers.authorization === expected ? 200 : 401;
        return response.end(JSON.stringify({ token }));
      }
      if (token && request.headers.authorization !== `Bearer ${token}`) {
        response.setHeader('www-authenticate', `Bearer realm="http://127.0.0.1:${port}/token",service="r",scope="s"`);
        response.statusCode = 401;
        return response.end();
      }
      const name = pathname.split('/').at(-1)!;
      const body = name === '1' ? index : blobs.get(name);
      if (!body) response.statusCode = 404;
      response.end(body && change(pathname, body));
    });
    server = own;
    await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
    return { name: `127.0.0.1:${(own.address() as AddressInfo).port}/app`, indexDigest: digestOf(index) };
  }

  test('an image is pulled through its index, and found by tag and by both digests', async () => {
    const { name, indexDigest } = await registry();
    const image = await pullFromRegistry(images.store, systemClock, `${name}:1`);
    expect(readFileSync(join(images.store.rootfs(image), 'a'), 'utf8')).toBe('pulled');
    expect(image.repoTags).toEqual([`${name}:1`]);
    expect(images.store.find(`${name}@${indexDigest}`)?.id).toBe(image.id);
    expect(image.repoDigests[0]).toBe(`${name}@${indexDigest}`);
  });

  test('a layer may be there twice', async () => {
    const layer = [{ name: 'a', body: 'twice' }];
    const { name } = await registry(undefined, undefined, [layer, layer]);
    const image = await pullFromRegistry(images.store, systemClock, `${name}:1`);
    expect(readFileSync(join(images.store.rootfs(image), 'a'), 'utf8')).toBe('twice');
  });

  const config = { digest: `sha256:${'0'.repeat(64)}`, size: 2 };
  test.each<[string, unknown, RegExp]>([
    ['a blob without a size', { config: { digest: config.digest }, layers: [] }, /no size for "sha256:0/],
    ['a size that is none', { config, layers: [{ ...config, size: -1 }] }, /no size for/],
    ['a blob that is null', { config, layers: [null] }, /failed to pull/],
    ['1,001 layers', { config, layers: Array(1_001).fill(config) }, /1001 layers: at most 1000/],
    ['a large config', { config: { ...config, size: 5 << 20 }, layers: [] }, /config is larger than 4 MiB/],
    ['a text of another server', 'root:x:0:0', /: the manifest is not JSON$/],
  ])('a manifest with %s is refused', async (_, document, message) => {
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    const { name } = await registry((path, body) => (path.endsWith('/manifests/1') ? Buffer.from(text) : body));
    await expect(pullFromRegistry(images.store, systemClock, `${name}:1`)).rejects.toThrow(message);
    expectEmpty();
  });

  test('a cancelled pull ends, and leaves no files', async () => {
    server?.close();
    let asked = () => {};
    let hungUp = () => {};
    const begun = new Promise<void>((resolve) => (asked = resolve));
    const ended = new Promise<void>((resolve) => (hungUp = resolve));
    const own = createServer((request) => {
      request.on('close', hungUp);
      asked(); // and never answers
    });
    server = own;
    await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
    const cancel = new AbortController();
    const name = `127.0.0.1:${(own.address() as AddressInfo).port}/slow:1`;
    const pull = pullFromRegistry(images.store, systemClock, name, undefined, cancel.signal);
    await begun;
    cancel.abort();
    await expect(pull).rejects.toThrow('failed to pull');
    await ended;
    expect(images.store.find(name)).toBeUndefined();
  });

  test('with a token for a user', async () => {
    const { name } = await registry(undefined, 'tok');
    const auth = { username: 'me', password: 'secret' };
    expect((await pullFromRegistry(images.store, systemClock, `${name}:1`, auth)).repoTags).toEqual([`${name}:1`]);
  });

  test.each<{
    case: string;
    tag?: string;
    token?: string;
    spoil?: (path: string, body: Buffer) => Buffer;
    message: RegExp;
  }>([
    { case: 'an image that does not exist', tag: 'nosuch', message: /app:nosuch: not found/ },
    { case: 'a user that may not', token: 'tok', message: /failed to authorize/ },
    {
      case: 'a layer with another digest',
      spoil: (path, body) => (path.includes('/blobs/') ? Buffer.from(body).fill(0, 20) : body),
      message: /is damaged/,
    },
    {
      case: 'a layer that is cut off',
      spoil: (path, body) => (path.includes('/blobs/') ? body.subarray(0, -1) : body),
      message: /is damaged/,
    },
    {
      case: 'a manifest with another digest',
      spoil: (path, body) => (path.includes('/manifests/sha256:') ? Buffer.concat([body, Buffer.from(' ')]) : body),
      message: /manifest has digest/,
    },
  ])('refused without remains: $case', async ({ tag = '1', token, spoil, message }) => {
    const { name } = await registry(spoil, token);
    await expect(pullFromRegistry(images.store, systemClock, `${name}:${tag}`)).rejects.toThrow(message);
    expectEmpty();
  });

  test('no server responds', async () => {
    await expect(pullFromRegistry(images.store, systemClock, '127.0.0.1:9/app:1')).rejects.toThrow(
      /failed to pull and unpack image "127.0.0.1:9\/app:1": failed to resolve reference .* failed to do request: Get/,
    );
  });
});
