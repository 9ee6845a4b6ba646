import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Header, pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { longestTurn } from '../../machinery/time/test-turn.ts';
import { applyLayer } from './layer.ts';

/** CPU time of one turn, with a margin for busy machines. */
const mostMs = 250;

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'coracle-hostile-'));
});
afterEach(() => rmSync(tree, { recursive: true, force: true }));

type Entry = Partial<Header> & { name: string; body?: string };

/** Without the two blocks of its end. */
async function tar(entries: readonly Entry[]): Promise<Buffer> {
  const stream = pack();
  for (const { body = '', ...header } of entries) stream.entry(header as Header, body);
  stream.finalize();
  return (await buffer(stream)).subarray(0, -1024);
}

/** The entry of a header that belongs to the next ones: `g` or `x`. */
async function longHeader(flag: string, body: string): Promise<Buffer> {
  const bytes = await tar([{ name: 'header', mtime: new Date(0), body }]);
  bytes.write(flag, 156, 'latin1');
  bytes.fill(' ', 148, 156);
  const sum = bytes.subarray(0, 512).reduce((all, byte) => all + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** Records of different keys. */
const records = (bytes: number) =>
  Array.from({ length: bytes / 12 }, (_, i) => `12 ${i.toString(36).padStart(7, 'k')}=\n`).join('');

/** In chunks, as a decompressor makes them. */
function* chunks(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 16_384) yield bytes.subarray(at, at + 16_384);
}

/** The digest is the last thing that is wrong. */
const unpack = (layer: Buffer) =>
  expect(applyLayer(Readable.from(chunks(layer)), tree, 'sha256:none')).rejects.toThrow('layer is damaged');

test('a long global header is no part of the headers that follow it', async () => {
  const global = await longHeader('g', records(1_000_000));
  const headers = await longHeader('x', records(960));
  const layer = Buffer.concat([global, ...Array.from({ length: 300 }, () => headers), await tar([{ name: 'a' }])]);
  expect(await longestTurn(() => unpack(layer))).toBeLessThan(mostMs);
  expect(readdirSync(tree)).toEqual(['a']);
});

test.each(['g', 'x'])('a header of type %s with more than 1 MiB is refused', async (flag) => {
  const layer = Buffer.concat([await longHeader(flag, records(1_200_000)), await tar([{ name: 'a' }])]);
  await expect(applyLayer(Readable.from(chunks(layer)), tree, 'sha256:none')).rejects.toThrow(
    'archive is damaged: a header has more than 1 MiB',
  );
});

test('a directory is emptied in turns', async () => {
  mkdirSync(join(tree, 'd'));
  for (let i = 0; i < 30_000; i++) symlinkSync('x', join(tree, 'd', `f${i}`));
  const layer = await tar([{ name: 'd/.wh..wh..opq' }]);
  expect(await longestTurn(() => unpack(layer))).toBeLessThan(mostMs);
  expect(readdirSync(join(tree, 'd'))).toEqual([]);
});

test('the paths of a layer are bounded in all', async () => {
  const layer = await tar(Array.from({ length: 1_000 }, (_, i) => ({ name: `${i}/${'d'.repeat(90)}` })));
  const most = 100_000;
  await expect(applyLayer(Readable.from(chunks(layer)), tree, 'sha256:none', most)).rejects.toThrow(
    'layer has too many paths',
  );
});
