import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { systemRandom } from '../../machinery/random.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { loadArchive } from './archive.ts';
import { ImageStore } from './image-store.ts';
import { openImages } from './images.ts';
import { normalizeReference } from './reference.ts';
import { digestOf, type Entry, imageStores, make, tar } from './test-images.ts';

const images = imageStores();
const { layout, expectEmpty } = images;

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
      case: 'an opaque whiteout empties a directory, except for the files of its own layer',
      layers: [[file('d/old')], [file('d/new'), file('d/.wh..wh..opq')]],
      there: ['d/new'],
      gone: ['d/old'],
    },
    {
      case: 'a whiteout of a directory removes its files, except for those of its own layer',
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
    const [image] = await loadArchive(images.store, await layout(await make(layers)));
    const root = images.store.rootfs(image);
    for (const path of there) expect(existsSync(join(root, path)), path).toBe(true);
    for (const path of gone) expect(existsSync(join(root, path)), path).toBe(false);
  });

  test('a file that a later layer replaces stays as it was in the image below', async () => {
    const base = [file('a', 'one')];
    const [below] = await loadArchive(images.store, await layout(await make([base]), 'example.com/below:1'));
    const [above] = await loadArchive(
      images.store,
      await layout(await make([base, [file('a', 'two'), file('b')]]), 'example.com/above:1'),
    );
    expect(readFileSync(join(images.store.rootfs(below), 'a'), 'utf8')).toBe('one');
    expect(readFileSync(join(images.store.rootfs(above), 'a'), 'utf8')).toBe('two');
  });

  test('shared layers are stored once', async () => {
    const base = [file('shared')];
    const [below] = await loadArchive(images.store, await layout(await make([base]), 'example.com/below:1'));
    const [above] = await loadArchive(
      images.store,
      await layout(await make([base, [file('b')]]), 'example.com/above:1'),
    );
    const inode = (image: typeof below) => lstatSync(join(images.store.rootfs(image), 'shared')).ino;
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
    const [image] = await loadArchive(images.store, await layout(await make([[file('gone')], layer], gzipSync)));
    expect(readdirSync(images.store.rootfs(image))).toEqual(['d']);
  }, 30_000);

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('compressed with %s', async (_, compress) => {
    const [image] = await loadArchive(images.store, await layout(await make([[file('a')]], compress)));
    expect(existsSync(join(images.store.rootfs(image), 'a'))).toBe(true);
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
        mkdirSync(join(images.directory, 'outside'), { recursive: true });
        return layout(await make([[{ name: 'a' }]], undefined, () => diffIds));
      },
      message: /only sha256 is/,
    })),
    {
      case: 'a blob with another digest than its name',
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
        const path = join(images.directory, 'text');
        writeFileSync(path, 'this is not a tar file, but long enough to have been one'.repeat(50));
        return path;
      },
      message: /damaged|no image archive/,
    },
    {
      case: 'a tar of something else',
      archive: async () => {
        const path = join(images.directory, 'else.tar');
        writeFileSync(path, await tar([{ name: 'a', body: 'b' }]));
        return path;
      },
      message: /neither manifest.json nor index.json/,
    },
  ])('$case', async ({ archive, message }) => {
    await expect(loadArchive(images.store, await archive())).rejects.toThrow(message);
    expectEmpty();
    expect(existsSync(join(images.directory, 'escape'))).toBe(false);
  });
});

test.skipIf(process.getuid?.() !== 0)('a full disk is an error, and leaves no files (needs root)', async () => {
  const path = join(images.directory, 'small');
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'small', path]);
  try {
    images.store = new ImageStore(join(path, 'store'), systemRandom);
    const archive = await layout(await make([[{ name: 'a', body: Buffer.alloc(300_000, 'x') }]]));
    await expect(loadArchive(images.store, archive)).rejects.toThrow(/no space left on device/);
    expectEmpty();
  } finally {
    execFileSync('umount', ['-l', path]);
  }
});

test('a record that names files outside of the store gives none, and takes none away', async () => {
  const outside = join(images.directory, 'kept');
  mkdirSync(outside);
  const [image] = await loadArchive(images.store, await layout(await make([[{ name: 'a' }]])));
  const evil = { ...image, id: `sha256:${'e'.repeat(64)}`, snapshot: '../../kept', repoTags: ['example.com/evil:1'] };
  await images.store.addRecord(evil);
  expect(() => images.store.rootfs(evil)).toThrow('outside of the image store');
  await images.store.remove(evil.id);
  expect(existsSync(outside)).toBe(true);
  expect(images.store.find(evil.id)).toBeUndefined();
});

describe('docker-save', () => {
  test('is loaded with its tags, which move from image to image', async () => {
    const save = async (content: string) => {
      const layer = await tar([{ name: 'a', body: content }]);
      const config = Buffer.from(JSON.stringify({ config: { Cmd: ['x'] }, rootfs: { diff_ids: [digestOf(layer)] } }));
      const manifest = [{ Config: 'c.json', RepoTags: ['app:1'], Layers: ['l/layer.tar'] }];
      const path = join(images.directory, `save-${content}.tar`);
      const files = [
        { name: 'c.json', body: config },
        { name: 'l/layer.tar', body: layer },
      ];
      writeFileSync(path, gzipSync(await tar([...files, { name: 'manifest.json', body: JSON.stringify(manifest) }])));
      return path;
    };
    const opened = openImages(images.store.directory, { clock: systemClock, random: systemRandom });
    await opened.load(await save('one'));
    const [second] = await opened.load(await save('two'));
    expect(opened.list()).toHaveLength(2);
    expect(images.store.find('app:1')?.id).toBe(second.id);
    await opened.remove('app:1');
    expect(opened.list().map((image) => image.repoTags)).toEqual([[]]);
    await expect(opened.remove('app:1')).rejects.toThrow('no such image');
  });

  test('a record is read again only when it changes', async () => {
    const save = async (name: string) =>
      loadArchive(images.store, await layout(await make([[{ name }]]), `${name}.test/app:1`));
    await save('a');
    const [first] = images.store.list();
    await save('b');
    expect(images.store.list()).toHaveLength(2);
    expect(images.store.list()).toContain(first);
    await save('a');
    expect(images.store.find(first.id)).toEqual(first);
  });

  test('the image of a container is not removed', async () => {
    const [image] = await loadArchive(images.store, await layout(await make([[{ name: 'a' }]])));
    await images.store.lease('c'.repeat(64), image);
    await expect(images.store.remove(image.id)).rejects.toThrow('in use by container cccccccccccc');
    await images.store.release('c'.repeat(64));
    await images.store.remove(image.id);
    expectEmpty();
  });
});
