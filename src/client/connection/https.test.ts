import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { createClient, type HttpsTransport, httpsTransport, inClusterConfig, loadKubeconfig } from '../client.ts';

let server: Server;
let transport: HttpsTransport;
let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void;

beforeEach(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    answer(request, response, body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  transport = httpsTransport({ server: `http://127.0.0.1:${port}`, token: () => 'secret', clock: systemClock });
});
afterEach(async () => {
  transport.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const json = (response: ServerResponse, code: number, body: object, headers: Record<string, string> = {}) =>
  response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

test("paths, queries, bodies and the token arrive in the API's form", async () => {
  const seen: string[] = [];
  answer = (request, response, body) => {
    seen.push(
      `${request.method} ${request.url} ${request.headers.authorization} ${request.headers['content-type']} ${body}`,
    );
    json(response, 200, {
      metadata: { resourceVersion: '7' },
      kind: 'PodList',
      apiVersion: 'v1',
      items: [{ metadata: {} }],
    });
  };
  const client = createClient(transport);
  const list = await client.list('pods', { namespace: 'a', labelSelector: 'x=y', limit: 5 });
  expect(list).toMatchObject({ resourceVersion: '7', items: [{ kind: 'Pod', apiVersion: 'v1' }] });
  const patch = { type: 'merge', body: { a: 1 } } as const;
  await client.patch('deployments', { namespace: 'a', name: 'b' }, patch, { subresource: 'scale', dryRun: true });
  expect(seen).toEqual([
    'GET /api/v1/namespaces/a/pods?labelSelector=x%3Dy&limit=5 Bearer secret undefined ',
    'PATCH /apis/apps/v1/namespaces/a/deployments/b/scale?dryRun=All Bearer secret application/merge-patch+json {"a":1}',
  ]);
});

test('a refusal becomes an ApiError, with or without a Status', async () => {
  const status = { kind: 'Status', code: 409, reason: 'Conflict', message: 'later', metadata: {} };
  answer = (_, response) => json(response, 409, status);
  const client = createClient(transport);
  await expect(client.get('pods', { namespace: 'a', name: 'b' })).rejects.toMatchObject({
    code: 409,
    reason: 'Conflict',
  });
  answer = (_, response) => response.writeHead(502).end('bad gateway\n');
  await expect(client.get('pods', { namespace: 'a', name: 'b' })).rejects.toMatchObject({
    code: 502,
    message: 'bad gateway',
  });
});

test('429 responses are retried', async () => {
  let asked = 0;
  answer = (_, response) => json(response, ++asked < 3 ? 429 : 200, { asked }, { 'retry-after': '0' });
  expect(await createClient(transport).raw('GET', '/version')).toEqual({ asked: 3 });
});

test('a watch streams events however they are cut, and ends when aborted', async () => {
  answer = async (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const text = `${JSON.stringify({ type: 'ADDED', object: { metadata: { name: 'ä' } } })}\n{"type":"BOOKMARK","object":{}}\n`;
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 7) {
      response.write(bytes.subarray(at, at + 7));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const event of createClient(transport).watch('pods', {}, stop.signal)) {
    seen.push(`${event.type} ${(event.object as any).metadata?.name ?? ''}`);
    if (seen.length === 2) stop.abort();
  }
  expect(seen).toEqual(['ADDED ä', 'BOOKMARK ']);
});

test('a server that does not exist is an error', async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await expect(createClient(transport).raw('GET', '/version')).rejects.toThrow(/ECONNREFUSED/);
});

test('kubeconfig and service account files are read; errors name missing entries', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'coracle-kubeconfig-'));
  const file = join(directory, 'config');
  const write = (user: object, context: string | undefined = 'c') =>
    writeFileSync(
      file,
      JSON.stringify({
        'current-context': context,
        contexts: [{ name: 'c', context: { cluster: 'k', user: 'u', namespace: 'n' } }],
        clusters: [{ name: 'k', cluster: { server: 'https://h:1', 'certificate-authority': 'ca.crt' } }],
        users: [{ name: 'u', user }],
      }),
    );
  writeFileSync(join(directory, 'ca.crt'), 'CA');
  writeFileSync(join(directory, 'token'), 'T\n');
  write({ 'client-certificate-data': Buffer.from('CERT').toString('base64'), tokenFile: 'token' });
  const config = await loadKubeconfig(file);
  expect(config).toMatchObject({ server: 'https://h:1', ca: 'CA', cert: 'CERT', namespace: 'n' });
  expect(await (config.token as () => Promise<string>)()).toBe('T');
  await expect(loadKubeconfig(file, { context: 'other' })).rejects.toThrow('has no context "other"');
  const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
  expect(await inClusterConfig(environment, directory)).toMatchObject({
    server: 'https://[fd00::1]:443',
    namespace: 'default',
  });
  await expect(inClusterConfig({}, directory)).rejects.toThrow('not in a cluster');
  rmSync(directory, { recursive: true });
});
