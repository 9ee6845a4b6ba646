import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { systemRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { loadArchive } from './archive.ts';
import { ImageStore } from './image-store.ts';
import { openImages } from './images.ts';
import { architecture } from './platform.ts';
import { normalizeReference } from './reference.ts';
import { pullFromRegistry } from './registry.ts';

type Entry = Partial<Header> & { name: string; body?: string | Buffer };

const directory = mkdtempSync(join(tmpdir(), 'coracle-images-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let store: ImageStore;
let count = 0;
beforeEach(() => {
  store = new ImageStore(join(directory, `store${++count}`), systemRandom);
});

async function tar(entries: readonly Entry[]): Promise<Buffer> {
  const stream = pack();
  // Equal layers are equal bytes, whenever they are made.
  for (const { body, ...header } of entries) stream.entry({ mtime: new Date(0), ...header } as Header, body ?? '');
  stream.finalize();
  return buffer(stream);
}

const digestOf = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const blobName = (digest: string) => `blobs/${digest.replace(':', '/')}`;

interface Made {
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly manifest: { digest: string; size: number; mediaType: string };
}

async function make(
  layers: readonly (readonly Entry[] | Buffer)[],
  compress = (data: Buffer) => data,
  diffIdsOf = (tars: readonly Buffer[]): unknown => tars.map(digestOf),
): Promise<Made> {
  const blobs = new Map<string, Buffer>();
  const put = (content: Buffer, mediaType: string) => {
    blobs.set(digestOf(content), content);
    return { digest: digestOf(content), size: content.length, mediaType };
  };
  const tars = await Promise.all(layers.map((layer) => (Buffer.isBuffer(layer) ? layer : tar(layer))));
  const config = put(
    Buffer.from(JSON.stringify({ config: { Cmd: ['/x'] }, rootfs: { diff_ids: diffIdsOf(tars) } })),
    'application/vnd.oci.image.config.v1+json',
  );
  const layerBlobs = tars.map((data) => put(compress(data), 'application/vnd.oci.image.layer.v1.tar'));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: layerBlobs }));
  return { blobs, manifest: put(manifest, mediaType) };
}

async function layout({ blobs, manifest }: Made, name = 'example.com/app:1'): Promise<string> {
  const annotations = { 'io.containerd.image.name': name };
  const index = JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] });
  const path = join(directory, `archive${++count}.tar`);
  const files = [...blobs].map(([digest, body]) => ({ name: blobName(digest), body }));
  writeFileSync(path, await tar([{ name: 'index.json', body: index }, ...files]));
  return path;
}

/** Only the store's directories. */
function expectEmpty() {
  expect(store.list()).toEqual([]);
  for (const name of ['blobs/sha256', 'snapshots', 'records', 'ingest'])
    expect(readdirSync(join(store.directory, name)), name).toEqual([]);
}

describe('references', () => {
  test.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.27', 'docker.io/library/nginx:1.27'],
    ['user/app', 'docker.io/user/app:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/a/b:c', 'localhost:5000/a/b:c'],
    ['coracle.local/hello', 'coracle.local/hello:latest'],
    [`a@sha256:${'0'.repeat(64)}`, `docker.io/library/a@sha256:${'0'.repeat(64)}`],
    [`a:b@sha256:${'0'.repeat(64)}`, `docker.io/library/a@sha256:${'0'.repeat(64)}`],
  ])('%s is %s', (reference, canonical) => expect(normalizeReference(reference).canonical).toBe(canonical));

  test.each(['', 'UPPER', 'a b', 'a:', '../x', 'a/../b', ':tag', 'a@sha256:short'])('%j is none', (reference) =>
    expect(() => normalizeReference(reference)).toThrow('invalid reference format'),
  );
});

describe('layers', () => {
  const file = (name: string, body = name): Entry => ({ name, body });
  test.each<{ case: string; layers: Entry[][]; there: string[]; gone?: string[] }>([
    { case: 'files and directories', layers: [[file('a'), file('d/e/f')]], there: ['a', 'd/e/f'] },
    { case: 'a later layer adds', layers: [[file('a')], [file('b')]], there: ['a', 'b'] },
    {
      case: 'a whiteout takes away',
      layers: [[file('d/a'), file('d/b')], [file('d/.wh.a')]],
      there: ['d/b'],
      gone: ['d/a', 'd/.wh.a'],
    },
    {
      case: 'an opaque whiteout empties, but not what its own layer brings',
      layers: [[file('d/old')], [file('d/new'), file('d/.wh..wh..opq')]],
      there: ['d/new'],
      gone: ['d/old'],
    },
    {
      case: 'a whiteout of a directory takes what was in it, and not what its own layer brings there',
      layers: [
        [file('d/old'), file('d/sub/old'), file('e/sub/old'), file('f/old'), file('g')],
        [
          ...[file('d/sub/new'), file('d/.wh..wh..opq'), file('d/.wh..wh..opq')],
          ...[file('e/.wh.sub'), file('e/sub/new')],
          ...[{ name: 'f', type: 'directory' } as Entry, file('f/new'), file('.wh.f')],
          ...[file('h', 'new'), file('.wh.h')],
        ],
      ],
      there: ['d/sub/new', 'e/sub/new', 'f/new', 'g', 'h'],
      gone: ['d/old', 'd/sub/old', 'e/sub/old', 'f/old'],
    },
    { case: 'a hard link', layers: [[file('a'), { name: 'b', type: 'link', linkname: 'a' }]], there: ['a', 'b'] },
    {
      case: 'an absolute link counts from the root of the image',
      layers: [
        [
          { name: 'l', type: 'symlink', linkname: '/real' },
          { name: 'real/', type: 'directory' },
        ],
        [file('l/f')],
      ],
      there: ['real/f'],
    },
  ])('$case', async ({ layers, there, gone = [] }) => {
    const [image] = await loadArchive(store, await layout(await make(layers)));
    const root = store.rootfs(image);
    for (const path of there) expect(existsSync(join(root, path)), path).toBe(true);
    for (const path of gone) expect(existsSync(join(root, path)), path).toBe(false);
  });

  test('a file that a later layer replaces stays as it was in the image below', async () => {
    const base = [file('a', 'one')];
    const [below] = await loadArchive(store, await layout(await make([base]), 'example.com/below:1'));
    const [above] = await loadArchive(
      store,
      await layout(await make([base, [file('a', 'two'), file('b')]]), 'example.com/above:1'),
    );
    expect(readFileSync(join(store.rootfs(below), 'a'), 'utf8')).toBe('one');
    expect(readFileSync(join(store.rootfs(above), 'a'), 'utf8')).toBe('two');
  });

  test('shared layers are stored once', async () => {
    const base = [file('shared')];
    const [below] = await loadArchive(store, await layout(await make([base]), 'example.com/below:1'));
    const [above] = await loadArchive(store, await layout(await make([base, [file('b')]]), 'example.com/above:1'));
    const inode = (image: typeof below) => lstatSync(join(store.rootfs(image), 'shared')).ino;
    expect(inode(above)).toBe(inode(below));
  });

  test('many whiteouts cost no more than as many files', async () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `d/f${i}`);
    const link = (name: string): Entry => ({ name, type: 'symlink', linkname: 'x' });
    const withoutEnd = async (entries: Entry[]) => (await tar(entries)).subarray(0, -1024);
    const whiteout = await withoutEnd([file('.wh.gone', '')]);
    const opaque = await withoutEnd([file('d/.wh..wh..opq', '')]);
    const many = Array.from({ length: 20_000 }, () => [whiteout, opaque]).flat();
    const layer = Buffer.concat([await withoutEnd(names.map(link)), ...many, Buffer.alloc(1024)]);
    const [image] = await loadArchive(store, await layout(await make([[file('gone')], layer], gzipSync)));
    expect(readdirSync(store.rootfs(image))).toEqual(['d']);
  }, 30_000);

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('compressed with %s', async (_, compress) => {
    const [image] = await loadArchive(store, await layout(await make([[file('a')]], compress)));
    expect(existsSync(join(store.rootfs(image), 'a'))).toBe(true);
  });
});

describe('bad archives are refused and leave no files', () => {
  const good = () => make([[{ name: 'a', body: 'a'.repeat(5000) }]]);
  test.each<{ case: string; archive: () => Promise<string>; message: RegExp }>([
    {
      case: 'a path that leads outside',
      archive: async () => layout(await make([[{ name: '../../escape' }]])),
      message: /leads outside/,
    },
    {
      case: 'a hard link to the outside',
      archive: async () => layout(await make([[{ name: 'a', type: 'link', linkname: '../../../etc/passwd' }]])),
      message: /leads outside/,
    },
    {
      case: 'a path of many steps, through links',
      archive: async () => {
        const link = (_: unknown, i: number): Entry => ({
          ...{ name: `l${i}`, type: 'symlink', linkname: `${'d/../'.repeat(30)}${i === 0 ? 'd' : `l${i - 1}`}` },
        });
        const links = Array.from({ length: 30 }, link);
        return layout(await make([[{ name: 'd', type: 'directory' }, ...links, { name: 'l29/f' }]]));
      },
      message: /too long a path at l29/,
    },
    {
      case: 'a path of many parts',
      archive: async () => layout(await make([[{ name: `${'a/'.repeat(1_200)}f` }]])),
      message: /too long a path at a\/a/,
    },
    {
      case: 'links that lead to each other',
      archive: async () =>
        layout(
          await make([
            [
              { name: 'a', type: 'symlink', linkname: 'b' },
              { name: 'b', type: 'symlink', linkname: 'a' },
              { name: 'a/f' },
            ],
          ]),
        ),
      message: /too many symbolic links at a/,
    },
    ...['.wh.', '.wh..', '.wh...', 'd/.wh...'].map((name) => ({
      case: `a whiteout ${name}`,
      archive: async () => layout(await make([[{ name: 'd/a' }], [{ name }]])),
      message: /whiteout of no file/,
    })),
    ...[
      ['sha256:../../outside'],
      ['../../outside'],
      ['sha256:/'],
      [''],
      [null],
      { length: 1 },
      [{ replace: 1 }],
      [`sha256:${'0'.repeat(64)}/..`],
    ].map((diffIds) => ({
      case: `a layer that is called ${JSON.stringify(diffIds)}`,
      archive: async () => {
        mkdirSync(join(directory, 'outside'), { recursive: true });
        return layout(await make([[{ name: 'a' }]], undefined, () => diffIds));
      },
      message: /only sha256 is/,
    })),
    {
      case: 'a blob that is not what its name says',
      archive: async () => {
        const made = await good();
        const blobs = new Map([...made.blobs].map(([d, b]) => [d, b.length > 4000 ? Buffer.alloc(b.length, 1) : b]));
        return layout({ ...made, blobs });
      },
      message: /damaged/,
    },
    {
      case: 'cut off',
      archive: async () => {
        const path = await layout(await good());
        writeFileSync(path, readFileSync(path).subarray(0, 4000));
        return path;
      },
      message: /damaged/,
    },
    {
      case: 'no archive',
      archive: async () => {
        const path = join(directory, 'text');
        writeFileSync(path, 'this is not a tar file, but long enough to have been one'.repeat(50));
        return path;
      },
      message: /damaged|no image archive/,
    },
    {
      case: 'a tar of something else',
      archive: async () => {
        const path = join(directory, 'else.tar');
        writeFileSync(path, await tar([{ name: 'a', body: 'b' }]));
        return path;
      },
      message: /neither manifest.json nor index.json/,
    },
  ])('$case', async ({ archive, message }) => {
    await expect(loadArchive(store, await archive())).rejects.toThrow(message);
    expectEmpty();
    expect(existsSync(join(directory, 'escape'))).toBe(false);
  });
});

test.skipIf(process.getuid?.() !== 0)('a full disk is an error, and leaves no files (needs root)', async () => {
  const path = join(directory, 'small');
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'small', path]);
  try {
    store = new ImageStore(join(path, 'store'), systemRandom);
    const archive = await layout(await make([[{ name: 'a', body: Buffer.alloc(300_000, 'x') }]]));
    await expect(loadArchive(store, archive)).rejects.toThrow(/no space left on device/);
    expectEmpty();
  } finally {
    execFileSync('umount', ['-l', path]);
  }
});

test('a record that names files outside of the store gives none, and takes none away', async () => {
  const outside = join(directory, 'kept');
  mkdirSync(outside);
  const [image] = await loadArchive(store, await layout(await make([[{ name: 'a' }]])));
  const evil = { ...image, id: `sha256:${'e'.repeat(64)}`, snapshot: '../../kept', repoTags: ['example.com/evil:1'] };
  await store.addRecord(evil);
  expect(() => store.rootfs(evil)).toThrow('outside of the image store');
  await store.remove(evil.id);
  expect(existsSync(outside)).toBe(true);
  expect(store.find(evil.id)).toBeUndefined();
});

describe('docker-save', () => {
  test('is loaded with its tags, which move from image to image', async () => {
    const save = async (content: string) => {
      const layer = await tar([{ name: 'a', body: content }]);
      const config = Buffer.from(JSON.stringify({ config: { Cmd: ['x'] }, rootfs: { diff_ids: [digestOf(layer)] } }));
      const manifest = [{ Config: 'c.json', RepoTags: ['app:1'], Layers: ['l/layer.tar'] }];
      const path = join(directory, `save${++count}.tar`);
      const files = [
        { name: 'c.json', body: config },
        { name: 'l/layer.tar', body: layer },
      ];
      writeFileSync(path, gzipSync(await tar([...files, { name: 'manifest.json', body: JSON.stringify(manifest) }])));
      return path;
    };
    const images = openImages(store.directory, { clock: systemClock, random: systemRandom });
    await images.load(await save('one'));
    const [second] = await images.load(await save('two'));
    expect(images.list()).toHaveLength(2);
    expect(store.find('app:1')?.id).toBe(second.id);
    await images.remove('app:1');
    expect(images.list().map((image) => image.repoTags)).toEqual([[]]);
    await expect(images.remove('app:1')).rejects.toThrow('no such image');
  });

  test('a record is read again only when it changes', async () => {
    const save = async (name: string) =>
      loadArchive(store, await layout(await make([[{ name }]]), `${name}.test/app:1`));
    await save('a');
    const [first] = store.list();
    await save('b');
    expect(store.list()).toHaveLength(2);
    expect(store.list()).toContain(first);
    await save('a');
    expect(store.find(first.id)).toEqual(first);
  });

  test('the image of a container is not removed', async () => {
    const [image] = await loadArchive(store, await layout(await make([[{ name: 'a' }]])));
    await store.lease('c'.repeat(64), image);
    await expect(store.remove(image.id)).rejects.toThrow('in use by container cccccccccccc');
    await store.release('c'.repeat(64));
    await store.remove(image.id);
    expectEmpty();
  });
});

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
    const image = await pullFromRegistry(store, systemClock, `${name}:1`);
    expect(readFileSync(join(store.rootfs(image), 'a'), 'utf8')).toBe('pulled');
    expect(image.repoTags).toEqual([`${name}:1`]);
    expect(store.find(`${name}@${indexDigest}`)?.id).toBe(image.id);
    expect(image.repoDigests[0]).toBe(`${name}@${indexDigest}`);
  });

  test('a layer may be there twice', async () => {
    const layer = [{ name: 'a', body: 'twice' }];
    const { name } = await registry(undefined, undefined, [layer, layer]);
    const image = await pullFromRegistry(store, systemClock, `${name}:1`);
    expect(readFileSync(join(store.rootfs(image), 'a'), 'utf8')).toBe('twice');
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
    await expect(pullFromRegistry(store, systemClock, `${name}:1`)).rejects.toThrow(message);
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
    const pull = pullFromRegistry(store, systemClock, name, undefined, cancel.signal);
    await begun;
    cancel.abort();
    await expect(pull).rejects.toThrow('failed to pull');
    await ended;
    expect(store.find(name)).toBeUndefined();
  });

  test('with a token for a user', async () => {
    const { name } = await registry(undefined, 'tok');
    const auth = { username: 'me', password: 'secret' };
    expect((await pullFromRegistry(store, systemClock, `${name}:1`, auth)).repoTags).toEqual([`${name}:1`]);
  });

  test.each<{
    case: string;
    tag?: string;
    token?: string;
    spoil?: (path: string, body: Buffer) => Buffer;
    message: RegExp;
  }>([
    { case: 'an image that is not there', tag: 'nosuch', message: /app:nosuch: not found/ },
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
    await expect(pullFromRegistry(store, systemClock, `${name}:${tag}`)).rejects.toThrow(message);
    expectEmpty();
  });

  test('no server responds', async () => {
    await expect(pullFromRegistry(store, systemClock, '127.0.0.1:9/app:1')).rejects.toThrow(
      /failed to pull and unpack image "127.0.0.1:9\/app:1": failed to resolve reference .* failed to do request: Get/,
    );
  });
});
