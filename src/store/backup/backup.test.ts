import { randomBytes } from 'node:crypto';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../machinery/random.ts';
import type { Entry } from '../interface.ts';
import { type BackupPart, decodeBackup, encodeBackup } from './format.ts';
import { type Decryption, type Encryption, pack, unpack } from './packing.ts';

const header = {
  cluster: 'c1',
  revision: 42,
  time: '2026-01-02T03:04:05Z',
  coracle: '1.2.3',
  kubernetes: 'v1.36.2',
  store: 'embedded',
  settings: { port: '7000' },
};
const entry = (key: string, value: Uint8Array | string, lease = 0): Entry => ({
  ...{ key, value, lease },
  ...{ createRevision: 0, modRevision: 0 },
});
const parts: BackupPart[] = [
  { type: 'file', path: 'pki/ca.crt', content: Buffer.from('-----BEGIN\n') },
  { type: 'lease', lease: 7, seconds: 3600 },
  {
    type: 'entries',
    entries: [
      entry('/registry/pods/a/b', Buffer.from('{}')),
      entry('/registry/pods/naïve', Buffer.from('漢字'), 7),
      entry('/registry/pods/z', Buffer.alloc(0)),
    ],
  },
];

async function* pieces(bytes: Buffer, size = 1000): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* streamed<T>(items: Iterable<T>): AsyncIterable<T> {
  yield* items;
}

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function collected(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await listOf(bytes));
}

const made = (encryption: Encryption = {}, content = parts) =>
  collected(pack(encodeBackup(header, streamed(content)), encryption));

async function read(bytes: Buffer, decryption: Decryption = {}, size?: number) {
  const unpacked = await unpack(pieces(bytes, size), decryption);
  const backup = await decodeBackup(unpacked.bytes);
  return { encryption: unpacked.encryption, header: backup.header, parts: await listOf(backup.parts) };
}

describe('a backup', () => {
  test.each([1, 7, 1_000_000])('is read as it was written, in pieces of %i bytes', async (size) =>
    expect(await read(await made(), {}, size)).toEqual({ encryption: 'none', header, parts }),
  );

  test('of nothing is whole', async () => expect((await read(await made({}, []))).parts).toEqual([]));

  test('of many megabytes is streamed', async () => {
    let most = 0;
    let written = 0;
    const large = async function* (): AsyncIterable<BackupPart> {
      for (let i = 0; i < 500; i++) {
        written += 100_000;
        yield { type: 'entries', entries: [entry(`/registry/${i}`, randomBytes(100_000))] };
      }
    };
    let taken = 0;
    for await (const part of (await decodeBackup((await unpack(pack(encodeBackup(header, large()), {}), {})).bytes))
      .parts) {
      taken += part.type === 'entries' ? part.entries[0].value.length : 0;
      most = Math.max(most, written - taken);
    }
    expect(taken).toBe(50_000_000);
    expect(most).toBeLessThan(10_000_000);
  });

  test('with any flipped bit is refused, or is the same', async () => {
    const bytes = await made();
    for (let at = 0; at < bytes.length; at++)
      for (const bit of [0, 3, 7]) {
        const flipped = Buffer.from(bytes);
        flipped[at] ^= 1 << bit;
        const found = await read(flipped).catch((error) => error);
        if (found instanceof Error) expect(found, `byte ${at} bit ${bit}`).toMatchObject({ name: 'BackupUnusable' });
        else expect(found).toEqual({ encryption: 'none', header, parts });
      }
  });

  test('that is cut off, or has more at its end, is refused', async () => {
    const bytes = await made();
    const whole = { encryption: 'none', header, parts };
    for (let length = 0; length < bytes.length; length++) {
      const found = await read(bytes.subarray(0, length)).catch((error) => error);
      if (found instanceof Error) expect(found, `${length} bytes`).toMatchObject({ name: 'BackupUnusable' });
      // The last bytes are a checksum of zstd: all content is there, and has its own checksums.
      else expect({ length, found }).toEqual({ length: expect.toSatisfy((n) => n > bytes.length - 40), found: whole });
    }
    const longer = collected(
      pack(pieces(Buffer.concat([await collected(encodeBackup(header, streamed(parts))), bytes])), {}),
    );
    await expect(read(await longer)).rejects.toThrow('there is more after its end');
  });

  test.each([
    [
      'of a newer format',
      'coracle-backup/2 {"cluster":"c","revision":1,"coracle":"9.0.0"}\n',
      /Coracle 9.0.0 in format 2.*reads format 1/,
    ],
    ['of a format without a known description', 'coracle-backup/7 ?\n', /another version in format 7/],
    ['whose description is none', 'coracle-backup/1 {"cluster":1}\n', /description cannot be read/],
    ['that is another text', 'hello\n', /not a backup of Coracle/],
    [
      'with an impossible length',
      'coracle-backup/1 {"cluster":"c","revision":1}\n\x03\xff\xff\xff\xff\0\0\0\0',
      /length in it is impossible/,
    ],
  ])('%s is refused', async (_, text, message) => {
    const bytes = await collected(pack(pieces(Buffer.from(text, 'latin1')), {}));
    await expect(read(bytes)).rejects.toThrow(message);
  });

  test.each([
    ['nothing', '', /it is empty/],
    ['another file', 'PK\x03\x04 and more', /not a backup of Coracle/],
  ])('%s is no backup', async (_, text, message) => {
    await expect(read(Buffer.from(text))).rejects.toThrow(message);
  });
});

describe('an encrypted backup', () => {
  let identity: string;
  let recipient: string;
  beforeAll(async () => {
    identity = await generateX25519Identity();
    recipient = await identityToRecipient(identity);
  });

  test('is read with the private key of a recipient', async () => {
    const stranger = await generateX25519Identity();
    const bytes = await made({ recipients: [recipient, await identityToRecipient(stranger)] });
    expect(bytes.includes('pki')).toBe(false);
    for (const identities of [[identity], [stranger]])
      expect(await read(bytes, { identities })).toEqual({ encryption: 'recipients', header, parts });
    await expect(read(bytes)).rejects.toThrow(/give the private key/);
    await expect(read(bytes, { identities: [await generateX25519Identity()] })).rejects.toThrow(/can decrypt it/);
  });

  test('is read with its passphrase', async () => {
    const bytes = await made({ passphrase: 'correct horse' });
    expect(await read(bytes, { passphrase: async () => 'correct horse' })).toEqual({
      encryption: 'passphrase',
      header,
      parts,
    });
    await expect(read(bytes, { passphrase: async () => 'wrong' })).rejects.toThrow(/passphrase is not the one/);
    await expect(read(bytes)).rejects.toThrow(/--passphrase-file/);
  }, 30_000);

  test('with a flipped bit, or cut off, is refused', async () => {
    const bytes = await made({ recipients: [recipient] });
    const random = seededRandom(5);
    for (let round = 0; round < 40; round++) {
      const flipped = Buffer.from(bytes);
      flipped[random.int(bytes.length)] ^= 1 << random.int(8);
      await expect(read(flipped, { identities: [identity] })).rejects.toMatchObject({ name: 'BackupUnusable' });
      const cut = bytes.subarray(0, random.int(bytes.length));
      await expect(read(cut, { identities: [identity] })).rejects.toMatchObject({ name: 'BackupUnusable' });
    }
  });
});
