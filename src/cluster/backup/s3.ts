// Backups in the bucket of an S3 server: one object each, sent when it is complete.

import { createHash } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { AwsClient } from 'aws4fetch';
import { Parser } from 'htmlparser2';
import { BackupError, type BackupFolder, partialSuffix } from './folder.ts';

export interface S3Options {
  /** URL of the S3 server; AWS when it is left out. */
  readonly s3Endpoint?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** S3's limit for one request. */
const mostBytes = 5 * 2 ** 30;

type WriteFile = (file: string, bytes: AsyncIterable<Uint8Array>) => Promise<number>;

/** `place` is s3://BUCKET or s3://BUCKET/PREFIX. Throws BackupError without credentials. */
export function s3Folder(
  place: string,
  { s3Endpoint, environment, scratch }: S3Options & { readonly scratch: string },
  writeFile: WriteFile,
): BackupFolder {
  const [, bucket, folder = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/.exec(place) ?? [];
  if (bucket === undefined) throw new BackupError(`${place} names no bucket: give s3://BUCKET/PREFIX`);
  const prefix = folder && !folder.endsWith('/') ? `${folder}/` : folder;
  const region = environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'] ?? 'us-east-1';
  const endpoint = (s3Endpoint ?? `https://s3.${region}.amazonaws.com`).replace(/\/+$/, '');
  const send = sender(region, environment, endpoint);
  const urlOf = (name: string) => `${endpoint}/${bucket}/${encodeKey(prefix + name)}`;
  const described = (name: string) => `s3://${bucket}/${prefix}${name}`;
  return {
    async write(name, bytes) {
      const found = await send('HEAD', urlOf(name), `look for ${described(name)}`, [200, 404]);
      if (found.status === 200)
        throw new BackupError(`${described(name)} exists: choose another name, or remove it first`);
      // Named as a partial file, so that the next backup removes it after a kill.
      const hash8 = createHash('sha256').update(name).digest('hex').slice(0, 8);
      const file = path.join(scratch, `.s3-${hash8}.${process.pid}${partialSuffix}`);
      const hash = createHash('sha256');
      try {
        const size = await writeFile(file, hashed(bytes, hash));
        if (size > mostBytes)
          throw new BackupError(`the backup has more than 5 GB, the most that S3 takes at once: ${size} bytes`);
        const headers = { 'x-amz-content-sha256': hash.digest('hex'), 'content-type': 'application/octet-stream' };
        await send('PUT', urlOf(name), `write ${described(name)}`, [200], { headers, body: await openAsBlob(file) });
        return size;
      } finally {
        await rm(file, { force: true });
      }
    },
    async *read(name) {
      const { body } = await send('GET', urlOf(name), `read ${described(name)}`, [200]);
      if (body) yield* body;
    },
    async list() {
      const names: string[] = [];
      for (let token: string | undefined, first = true; first || token; first = false) {
        const query = new URLSearchParams({ 'list-type': '2', prefix, ...(token && { 'continuation-token': token }) });
        const answer = await send('GET', `${endpoint}/${bucket}?${query}`, `list ${described('')}`, [200]);
        const found = parseListing(await answer.text());
        names.push(...found.keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)));
        token = found.next;
      }
      return names.filter((name) => !name.includes('/'));
    },
    async remove(name) {
      await send('DELETE', urlOf(name), `remove ${described(name)}`, [200, 204]);
    },
  };
}

const encodeKey = (key: string) => key.split('/').map(encodeURIComponent).join('/');

async function* hashed(bytes: AsyncIterable<Uint8Array>, hash: { update(bytes: Uint8Array): unknown }) {
  for await (const chunk of bytes) {
    hash.update(chunk);
    yield chunk;
  }
}

function sender(region: string, environment: S3Options['environment'], endpoint: string) {
  const accessKeyId = environment['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY'];
  const sessionToken = environment['AWS_SESSION_TOKEN'];
  if (!accessKeyId || !secretAccessKey)
    throw new BackupError('S3 needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment');
  const client = new AwsClient({
    ...{ accessKeyId, secretAccessKey, region, service: 's3', retries: 3 },
    ...(sessionToken && { sessionToken }),
  });
  return async (method: string, url: string, action: string, expected: readonly number[], init: RequestInit = {}) => {
    const answer = await client.fetch(url, { ...init, method }).catch((error: Error & { cause?: Error }) => {
      throw new BackupError(`cannot ${action}: ${endpoint} does not answer (${error.cause?.message ?? error.message})`);
    });
    if (expected.includes(answer.status)) return answer;
    const [, code, message] = /<Code>(.*?)<\/Code>[\s\S]*?<Message>(.*?)<\/Message>/.exec(await answer.text()) ?? [];
    throw new BackupError(
      `cannot ${action}: ${endpoint} answered ${answer.status}${code ? ` ${code}: ${message}` : ''}`,
    );
  };
}

/** Of ListObjectsV2. */
function parseListing(xml: string): { keys: string[]; next?: string } {
  const keys: string[] = [];
  let next: string | undefined;
  let text = '';
  const parser = new Parser(
    {
      onopentag: () => {
        text = '';
      },
      ontext: (data) => {
        text += data;
      },
      onclosetag: (name) => {
        if (name === 'Key') keys.push(text);
        if (name === 'NextContinuationToken') next = text;
      },
    },
    { xmlMode: true, decodeEntities: true },
  );
  parser.end(xml);
  return { keys, ...(next !== undefined && { next }) };
}
