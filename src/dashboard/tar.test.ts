import { buffer } from 'node:stream/consumers';
import tar from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { readTar, safeName, writeTar } from './web/model/tar.ts';

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text));

async function packed(
  ...entries: readonly (Partial<tar.Header> & { readonly name: string; readonly text?: string })[]
): Promise<Uint8Array<ArrayBuffer>> {
  const pack = tar.pack();
  for (const { text, ...header } of entries) pack.entry(header, text ?? '');
  pack.finalize();
  return Uint8Array.from(await buffer(pack));
}

const long = `${'deep/'.repeat(40)}${'ü'.repeat(60)}.txt`;

describe('archives', () => {
  test('files of another program are read, with long names', async () => {
    const { files, refused } = readTar(
      await packed(
        { name: 'dir/', type: 'directory' },
        { name: './dir/a.txt', text: 'one', mode: 0o750 },
        { name: long, text: 'two' },
        { name: 'empty' },
      ),
    );
    expect(files.map(({ name, bytes }) => [name, Buffer.from(bytes).toString()])).toEqual([
      ['dir/a.txt', 'one'],
      [long, 'two'],
      ['empty', ''],
    ]);
    expect(files[0].mode).toBe(0o750);
    expect(refused).toEqual([]);
  });

  test('names that lead outside, links and devices are refused', async () => {
    const { files, refused } = readTar(
      await packed(
        { name: '../up', text: 'x' },
        { name: '/etc/passwd', text: 'x' },
        { name: 'a/../../b', text: 'x' },
        { name: 'link', type: 'symlink', linkname: '/etc/shadow' },
        { name: 'hard', type: 'link', linkname: 'link' },
        { name: 'device', type: 'character-device' },
        { name: 'good', text: 'x' },
      ),
    );
    expect(files.map(({ name }) => name)).toEqual(['good']);
    expect(refused.map(({ name, why }) => `${name} ${why}`)).toEqual([
      '../up outside',
      '/etc/passwd outside',
      'a/../../b outside',
      'link link',
      'hard link',
      'device special',
    ]);
  });

  test.each([
    ['no archive', bytesOf('x'.repeat(2048)), 'no tar archive'],
    ['nothing', new Uint8Array(), 'ends early'],
  ])('%s is refused', (_, bytes, message) => expect(() => readTar(bytes)).toThrow(message));

  test('an archive that is cut off is refused', async () => {
    const whole = await packed({ name: 'a', text: 'x'.repeat(3000) });
    expect(() => readTar(whole.slice(0, 2048))).toThrow('ends within a file');
  });

  test('another program reads files that are written', async () => {
    const pieces = writeTar([
      { name: 'a.txt', bytes: bytesOf('one'), mode: 0o644, modified: 1_700_000_000 },
      { name: long, bytes: bytesOf('two'), mode: 0o600, modified: 0 },
    ]);
    const extract = tar.extract();
    const found: [string, string, number | undefined][] = [];
    extract.on('entry', (header, stream, next) => {
      void buffer(stream).then((content) => {
        found.push([header.name, content.toString(), header.mode]);
        next();
      });
    });
    const ended = new Promise<void>((resolve) => extract.on('finish', () => resolve()));
    extract.end(Buffer.concat(pieces));
    await ended;
    expect(found).toEqual([
      ['a.txt', 'one', 0o644],
      [long, 'two', 0o600],
    ]);
  });

  test.each([
    ['a/./b', 'a/b'],
    ['C:\\x', undefined],
    ['c:x', undefined],
    ['..', undefined],
    ['a\nb', undefined],
    ['', undefined],
  ])('%j is %j', (name, safe) => expect(safeName(name)).toBe(safe));
});
