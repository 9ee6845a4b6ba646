import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFolder, openPlace } from './place.ts';
import { startTestS3, type TestS3 } from './test-s3-server.ts';

const home = mkdtempSync(path.join(tmpdir(), 'coracle-place-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const scratch = path.join(home, 'scratch');

async function* streamed(...texts: string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}
async function* broken(): AsyncIterable<Uint8Array> {
  yield Buffer.from('half');
  throw new Error('the source ended');
}
async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('a file', () => {
  const at = (name: string) => openPlace(path.join(home, 'files', name), { scratch, environment: {} });

  test('is written for its owner alone, and read', async () => {
    const { folder, name } = at('one');
    expect(await folder.write(name, streamed('a', 'bc'))).toBe(3);
    expect(await textOf(folder.read(name))).toBe('abc');
    expect(statSync(path.join(home, 'files/one')).mode & 0o777).toBe(0o600);
    expect(await folder.list()).toEqual(['one']);
    await folder.remove(name);
    expect(await folder.list()).toEqual([]);
  });

  test('is never replaced', async () => {
    const { folder, name } = at('taken');
    await folder.write(name, streamed('first'));
    await expect(folder.write(name, streamed('second'))).rejects.toThrow(/exists: choose another name/);
    const late = async function* () {
      yield* streamed('second');
      writeFileSync(path.join(home, 'files/late'), 'of another');
    };
    await expect(at('late').folder.write('late', late())).rejects.toThrow(/exists/);
    expect(readFileSync(path.join(home, 'files/late'), 'utf8')).toBe('of another');
  });

  test('is not made if its source fails, and remains of killed programs are removed', async () => {
    const { folder, name } = at('broken');
    writeFileSync(path.join(home, 'files/.other.999999999.coracle-partial'), 'half');
    writeFileSync(path.join(home, `files/.other.${process.ppid}.coracle-partial`), 'half');
    await expect(folder.write(name, broken())).rejects.toThrow('the source ended');
    const hidden = readdirSync(path.join(home, 'files')).filter((each) => each.startsWith('.'));
    expect(hidden).toEqual([`.other.${process.ppid}.coracle-partial`]);
    expect(readdirSync(path.join(home, 'files'))).not.toContain('broken');
  });
});

describe('an object of an S3 server', () => {
  let s3: TestS3;
  beforeAll(async () => {
    s3 = await startTestS3();
  });
  afterAll(() => s3.stop());
  const options = () => ({ scratch, environment: s3.environment, s3Endpoint: s3.url });

  test('is written, listed, read and removed, with valid signatures', async () => {
    const folder = openFolder('s3://bucket/of/cluster', options());
    const names = ['a', 'b', 'c & <d>', 'e+f =', 'ü'];
    for (const name of names) expect(await folder.write(name, streamed('content of ', name))).toBeGreaterThan(11);
    s3.objects.set('bucket/of/cluster/deeper/x', Buffer.from('foreign'));
    s3.objects.set('bucket/of/other', Buffer.from('foreign'));
    expect([...(await folder.list())].sort()).toEqual([...names].sort());
    for (const name of names) expect(await textOf(folder.read(name))).toBe(`content of ${name}`);
    await folder.remove('c & <d>');
    expect(await folder.list()).not.toContain('c & <d>');
    expect(readdirSync(scratch)).toEqual([]);
  });

  test('is never replaced', async () => {
    const { folder, name } = openPlace('s3://bucket/taken', options());
    await folder.write(name, streamed('first'));
    await expect(folder.write(name, streamed('second'))).rejects.toThrow('s3://bucket/taken exists');
  });

  test('is not made if its source fails', async () => {
    const { folder, name } = openPlace('s3://bucket/broken', options());
    await expect(folder.write(name, broken())).rejects.toThrow('the source ended');
    expect(s3.objects.has('bucket/broken')).toBe(false);
    expect(readdirSync(scratch)).toEqual([]);
  });

  test('leaves no local file for long after a kill', async () => {
    writeFileSync(path.join(scratch, '.s3-01234567.999999999.coracle-partial'), 'keys');
    const { folder, name } = openPlace('s3://bucket/later', options());
    await folder.write(name, streamed('content'));
    expect(readdirSync(scratch)).toEqual([]);
  });

  test('is written although the server fails now and then', async () => {
    s3.failures.push(503, 500);
    const { folder, name } = openPlace('s3://bucket/retried', options());
    await folder.write(name, streamed('at last'));
    expect(s3.objects.get('bucket/retried')?.toString()).toBe('at last');
  });

  test.each([
    [
      'a wrong secret',
      { environment: { AWS_ACCESS_KEY_ID: 'AKIDTEST', AWS_SECRET_ACCESS_KEY: 'x' } },
      's3://bucket/x',
      /403 SignatureDoesNotMatch: the signature differs/,
    ],
    [
      'a bucket that does not exist',
      {},
      's3://nowhere/x',
      /cannot read s3:\/\/nowhere\/x: .* answered 404 NoSuchBucket/,
    ],
    ['an object that does not exist', {}, 's3://bucket/none', /404 NoSuchKey/],
    [
      'a server that does not answer',
      { s3Endpoint: 'http://127.0.0.1:9' },
      's3://bucket/x',
      /127\.0\.0\.1:9 does not answer/,
    ],
  ])('%s is named', async (_, change, place, message) => {
    const { folder, name } = openPlace(place, { ...options(), ...change });
    await expect(textOf(folder.read(name))).rejects.toThrow(message);
  });

  test.each([
    ['no credentials', 's3://bucket/x', {}, /set AWS_ACCESS_KEY_ID/],
    ['no key', 's3://bucket', undefined, /names no object/],
    ['a directory', 's3://bucket/x/', undefined, /names no object/],
  ])('%s is refused', (_, place, environment, message) => {
    expect(() => openPlace(place, { ...options(), ...(environment && { environment }) })).toThrow(message);
  });
});
