import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { grpcProbe } from './grpc-probe.ts';

let server: Http2Server | undefined;
afterEach(() => void server?.close());

/** Responds to each call; resolves with the port and the received requests. */
async function serve(answer: (stream: ServerHttp2Stream) => void) {
  const asked: string[] = [];
  server = createServer().on('stream', (stream, headers) => {
    const parts: Buffer[] = [];
    stream.on('data', (part) => parts.push(Buffer.from(part)));
    stream.on('end', () => {
      asked.push(`${headers[':path']} ${Buffer.concat(parts).subarray(5).toString('hex')}`);
      answer(stream);
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, asked };
}
const reply =
  (status: number[], code = '0', text = '') =>
  (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': code, 'grpc-message': text }));
    stream.end(code === '0' ? Buffer.from([0, 0, 0, 0, status.length, ...status]) : undefined);
  };
const probe = (port: number, service = '', timeoutMs = 1000) =>
  grpcProbe(systemClock, { host: '127.0.0.1', port, service }, timeoutMs);

test.each<[string, (stream: ServerHttp2Stream) => void, boolean, string]>([
  ['serves', reply([8, 1]), true, 'service healthy'],
  ['does not serve', reply([8, 2]), false, 'service unhealthy (responded with "NOT_SERVING")'],
  ['does not know', reply([]), false, 'service unhealthy (responded with "UNKNOWN")'],
  [
    'has no health service',
    reply([], '12', 'unknown service'),
    false,
    'error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service',
  ],
  ['fails', reply([], '5', 'not found'), false, 'error: health rpc probe failed: not found'],
])('a server that %s', async (_, answer, success, message) => {
  const { port } = await serve(answer);
  expect(await probe(port)).toEqual({ success, message });
});

test('the service is named in the request, also a long one', async () => {
  const { port, asked } = await serve(reply([8, 1]));
  await probe(port, 'db');
  await probe(port, 'x'.repeat(200));
  expect(asked).toEqual([
    '/grpc.health.v1.Health/Check 0a026462',
    `/grpc.health.v1.Health/Check 0ac801${'78'.repeat(200)}`,
  ]);
});

test('a server that does not answer in time', async () => {
  const { port } = await serve(() => {});
  expect(await probe(port, '', 200)).toEqual({
    success: false,
    message: expect.stringMatching(/^timeout: health rpc did not complete within /),
  });
});

test('a closed port', async () => {
  const { port } = await serve(() => {});
  await new Promise((resolve) => server!.close(resolve));
  expect(await probe(port, '', 1000)).toEqual({
    success: false,
    message: `timeout: failed to connect service "127.0.0.1:${port}" within 1s: context deadline exceeded`,
  });
});
