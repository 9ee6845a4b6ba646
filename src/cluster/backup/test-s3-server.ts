// An S3 server for tests: it keeps objects in memory, and checks the signature of every request (Signature Version 4:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).

import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TestS3 {
  readonly url: string;
  /** By bucket and key. */
  readonly objects: Map<string, Buffer>;
  /** Answers the next requests with these statuses, before all else. */
  readonly failures: number[];
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const accessKey = 'AKIDTEST';
const secretKey = 'secret/key+of=test';
/** Keys in one answer to a list. */
const pageKeys = 2;

export async function startTestS3(): Promise<TestS3> {
  const objects = new Map<string, Buffer>();
  const failures: number[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const failure = failures.shift();
    const {
      status,
      text = '',
      content,
    } = failure ? { status: failure } : (faultOf(request, body) ?? answerOf(request, body, objects));
    response.writeHead(status).end(request.method === 'HEAD' ? undefined : (content ?? text));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    failures,
    environment: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

interface Answer {
  readonly status: number;
  readonly text?: string;
  readonly content?: Buffer;
}

const errorXml = (code: string, message: string) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;

function faultOf(request: IncomingMessage, body: Buffer): Answer | undefined {
  const denied = (message: string) => ({ status: 403, text: errorXml('SignatureDoesNotMatch', message) });
  const found =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^/]+\/([^/]+)\/s3\/aws4_request), SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
      request.headers.authorization ?? '',
    );
  if (!found) return denied('no signature');
  const [, key, scope, , names, signature] = found;
  if (key !== accessKey) return { status: 403, text: errorXml('InvalidAccessKeyId', 'unknown key') };
  const sent = String(request.headers['x-amz-content-sha256']);
  const isUnsigned = sent === 'UNSIGNED-PAYLOAD' && body.length === 0;
  if (!isUnsigned && sent !== sha256(body)) return denied('the body has another hash');
  if (request.method === 'PUT' && !request.headers['content-length'])
    return { status: 411, text: errorXml('MissingContentLength', 'no length') };
  const url = new URL(request.url ?? '', 'http://x');
  const query = [...url.searchParams].map((pair) => pair.map(encode).join('=')).sort();
  const headers = names.split(';').map((name) => `${name}:${String(request.headers[name]).trim()}\n`);
  const canonical = [request.method, url.pathname, query.join('&'), headers.join(''), names, sent].join('\n');
  const time = String(request.headers['x-amz-date']);
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const signing = scope.split('/').reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${secretKey}`);
  return hmac(signing, toSign).toString('hex') === signature ? undefined : denied('the signature differs');
}

const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
const hmac = (secret: string | Buffer, text: string) => createHmac('sha256', secret).update(text).digest();

function answerOf(request: IncomingMessage, body: Buffer, objects: Map<string, Buffer>): Answer {
  const url = new URL(request.url ?? '', 'http://x');
  const [bucket, ...rest] = decodeURIComponent(url.pathname.slice(1)).split('/');
  const key = `${bucket}/${rest.join('/')}`;
  if (bucket !== 'bucket') return { status: 404, text: errorXml('NoSuchBucket', 'there is no such bucket') };
  if (rest.length === 0) return { status: 200, text: listing(url.searchParams, bucket, objects) };
  switch (request.method) {
    case 'PUT':
      objects.set(key, body);
      return { status: 200 };
    case 'DELETE':
      objects.delete(key);
      return { status: 204 };
    default: {
      const content = objects.get(key);
      return content ? { status: 200, content } : { status: 404, text: errorXml('NoSuchKey', 'there is no such key') };
    }
  }
}

function listing(query: URLSearchParams, bucket: string, objects: Map<string, Buffer>): string {
  const keys = [...objects.keys()]
    .map((key) => key.slice(bucket.length + 1))
    .filter((key) => key.startsWith(query.get('prefix') ?? ''))
    .sort();
  const from = Number(query.get('continuation-token') ?? 0);
  const page = keys.slice(from, from + pageKeys).map((key) => `<Contents><Key>${escaped(key)}</Key></Contents>`);
  const next = from + pageKeys < keys.length && `<NextContinuationToken>${from + pageKeys}</NextContinuationToken>`;
  return `<?xml version="1.0"?><ListBucketResult><Name>${bucket}</Name>${next || ''}${page.join('')}</ListBucketResult>`;
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
