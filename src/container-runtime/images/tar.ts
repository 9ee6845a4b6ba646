// Reads tar archives, compressed or not, in bounded memory.

import { PassThrough, Readable, type Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { asserted } from '../../machinery/parsed.ts';
import { RuntimeError } from '../runtime-error.ts';

/** Of the headers that give long names to an entry, as in Go. */
const longestHeader = 1 << 20;

/** The bytes of one entry. */
export type Body = AsyncIterable<Uint8Array>;

/** Reads a tar stream, gzip, zstd or plain; `visit` must consume each body. */
export async function readTar(
  input: Readable,
  visit: (header: Header, body: Body) => Promise<void>,
  through: Transform | PassThrough = new PassThrough(),
): Promise<void> {
  const tar = boundedExtract();
  const entries = (async () => {
    for await (const entry of tar) {
      await visit(entry.header, entry as Body);
      entry.resume();
    }
  })();
  entries.catch((error) => tar.destroy(error));
  try {
    // Bytes after the archive's end belong to the digest as well, so the whole input is read.
    await pipeline(await decompress(input), through, asserted<Writable>(tar, 'streamx follows the protocol of Node'));
    await entries;
  } catch (failure) {
    // The error of an entry also ends the pipeline, and is more precise.
    const error = (await entries.then(
      () => failure,
      (reason) => reason,
    )) as NodeJS.ErrnoException;
    if (error instanceof RuntimeError) throw error;
    const fault = error.syscall ? 'cannot unpack' : 'archive is damaged';
    throw new RuntimeError('image', `${fault}: ${error.message}`, { cause: error });
  }
}

/** The method of tar-stream for the content of a long header. */
interface LongHeaders {
  _header: { readonly type: string };
  _decodeLongHeader(content: Uint8Array): void;
}

/** Without global headers, as containerd reads layers: tar-stream copies them for every entry. */
function boundedExtract() {
  const tar = extract();
  const inner = asserted<LongHeaders>(tar, 'a method of tar-stream, which a test covers');
  const decode = inner._decodeLongHeader.bind(tar);
  inner._decodeLongHeader = (content) => {
    if (content.length > longestHeader) throw new Error('a header has more than 1 MiB');
    if (inner._header.type !== 'pax-global-header') decode(content);
  };
  return tar;
}

async function decompress(input: Readable): Promise<Readable> {
  const iterator = input[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < 4) {
    const { value, done } = await iterator.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  const whole = Readable.from(
    (async function* () {
      yield head;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    })(),
    { objectMode: false },
  );
  const magic = head.subarray(0, 4).toString('hex');
  const decoder = magic.startsWith('1f8b')
    ? createGunzip()
    : magic === '28b52ffd'
      ? createZstdDecompress()
      : new PassThrough();
  pipeline(whole, decoder).catch((error) => decoder.destroy(error));
  return decoder;
}
