// The outer layers of a backup: zstd, and age's encryption for recipients or with a passphrase (https://age-encryption.org).

import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { ByteReader } from './byte-reader.ts';
import { BackupUnusable, damaged } from './format.ts';

export interface Encryption {
  /** Public keys of age: age1... */
  readonly recipients?: readonly string[];
  readonly passphrase?: string;
}

export interface Decryption {
  /** Private keys of age: AGE-SECRET-KEY-1... */
  readonly identities?: readonly string[];
  /** Asked only when the backup is encrypted with a passphrase; undefined: there is none. */
  passphrase?(): Promise<string | undefined>;
}

const ageMagic = 'age-encryption.org/v1';
const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** Throws SyntaxError or Error of age when a recipient is none. */
export async function checkRecipient(recipient: string): Promise<void> {
  const { Encrypter } = await import('age-encryption');
  new Encrypter().addRecipient(recipient);
}

export async function* pack(
  bytes: AsyncIterable<Uint8Array>,
  { recipients = [], passphrase }: Encryption,
): AsyncIterable<Uint8Array> {
  const compressed = through(bytes, createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } }));
  if (recipients.length === 0 && passphrase === undefined) return yield* compressed;
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  if (passphrase !== undefined) encrypter.setPassphrase(passphrase);
  else for (const recipient of recipients) encrypter.addRecipient(recipient);
  yield* await encrypter.encrypt(toWeb(compressed));
}

export interface Unpacked {
  readonly encryption: 'none' | 'passphrase' | 'recipients';
  /** Throws BackupUnusable. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Throws BackupUnusable. */
export async function unpack(bytes: AsyncIterable<Uint8Array>, decryption: Decryption): Promise<Unpacked> {
  const reader = new ByteReader(bytes);
  const start = await reader.peek(4096);
  const isEncrypted = start.toString('latin1').startsWith(ageMagic);
  if (!isEncrypted && !start.subarray(0, zstdMagic.length).equals(zstdMagic))
    throw new BackupUnusable(
      'foreign',
      start.length === 0 ? 'it is empty' : 'it is not a backup of Coracle, or its beginning is damaged',
    );
  const isByPassphrase = isEncrypted && start.toString('latin1').startsWith('-> scrypt', ageMagic.length + 1);
  const compressed = isEncrypted ? await decrypt(reader.remaining(), isByPassphrase, decryption) : reader.remaining();
  return {
    encryption: isByPassphrase ? 'passphrase' : isEncrypted ? 'recipients' : 'none',
    bytes: asDamage(through(compressed, createZstdDecompress())),
  };
}

async function decrypt(
  bytes: AsyncIterable<Uint8Array>,
  isByPassphrase: boolean,
  { identities = [], passphrase }: Decryption,
): Promise<AsyncIterable<Uint8Array>> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  const secret = isByPassphrase ? await passphrase?.() : undefined;
  if (isByPassphrase && secret === undefined)
    throw new BackupUnusable('encrypted', 'it is encrypted with a passphrase: give it with --passphrase-file');
  if (!isByPassphrase && identities.length === 0)
    throw new BackupUnusable(
      'encrypted',
      'it is encrypted: give the private key (AGE-SECRET-KEY-1...) with --identity',
    );
  if (secret !== undefined) decrypter.addPassphrase(secret);
  else for (const identity of identities) decrypter.addIdentity(identity);
  try {
    return await decrypter.decrypt(toWeb(bytes));
  } catch (error) {
    if (/no identity matched/i.test(String(error)))
      throw new BackupUnusable(
        'encrypted',
        isByPassphrase
          ? 'the passphrase is not the one that it was encrypted with'
          : 'no given --identity can decrypt it',
      );
    throw damaged(`its encryption is not intact (${(error as Error).message})`, error);
  }
}

const toWeb = (bytes: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> =>
  Readable.toWeb(Readable.from(bytes, { objectMode: false })) as ReadableStream<Uint8Array>;

/** The bytes after a transformation, at the reader's pace. */
async function* through(bytes: AsyncIterable<Uint8Array>, transformation: Duplex): AsyncIterable<Uint8Array> {
  // Input whose last bytes are missing is reported when iteration has ended: the backup's own checksums judge it.
  transformation.on('error', () => {});
  const done = pipeline(bytes, transformation);
  done.catch(() => {}); // the reader gets the error
  yield* transformation;
  await done;
}

/** Errors of zstd and of age about content say that the backup is damaged. */
async function* asDamage(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    const { code = '', message, syscall } = error as NodeJS.ErrnoException;
    if (error instanceof BackupUnusable || syscall) throw error;
    throw damaged(/^Z/.test(code) ? `it cannot be decompressed (${message})` : message, error);
  }
}
