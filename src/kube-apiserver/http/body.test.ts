// Bodies that are too large, endless, or truncated.

import { connect as connectH2, constants } from 'node:http2';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { Listener } from '../kube-apiserver.ts';
import { testAuthority } from '../testing/test-certificates.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';

describe('over HTTP/2', () => {
  let server: TestServer;
  let listener: Listener;
  let session: ReturnType<typeof connectH2>;

  beforeAll(async () => {
    const authority = await testAuthority();
    const own = await authority.issue('CN=server', ['127.0.0.1']);
    server = await startTestServer();
    listener = await server.listen({ port: 0, tls: { ...own, clientCa: authority.ca } });
    const certificate = await authority.issue('CN=jane,O=crew');
    // Pending output counts as memory of the client's session, in megabytes.
    session = connectH2(listener.url, { ca: authority.ca, ...certificate, maxSessionMemory: 1_000 });
  });
  afterAll(async () => {
    session.destroy();
    await server.stop();
  });

  /** The status; also for a stream that is reset after its response. */
  const send = (headers: object, body?: Buffer) =>
    new Promise<number>((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': maps,
        'content-type': 'application/json',
        ...headers,
      });
      let status = 0;
      stream.on('response', (answer) => {
        status = Number(answer[constants.HTTP2_HEADER_STATUS]);
      });
      stream.on('error', () => {});
      stream.on('close', () => (status ? resolve(status) : reject(new Error('no answer'))));
      stream.resume();
      if (body) stream.end(body);
    });

  test.each([
    { case: 'a Content-Length', length: true },
    { case: 'a length that is not', length: false },
  ])('after bodies of sixty-four megabytes, with $case, the connection is as good as before', async ({ length }) => {
    const body = Buffer.alloc(64 << 20, 32);
    for (let i = 0; i < 3; i++)
      expect(await send(length ? { 'content-length': String(body.length) } : {}, body)).toBe(413);
    const small = Buffer.from('{"metadata":{"generateName":"small-"},"data":{"a":"'.concat('x'.repeat(500_000), '"}}'));
    for (let i = 0; i < 8; i++) expect(await send({}, small)).toBe(201);
  });
});

test('a body that does not end is waited for no longer than a minute', async () => {
  const clock = new VirtualClock();
  const server = await startTestServer({ clock });
  const listener = await server.listen({ port: 0 });
  const socket = connect(listener.port, '127.0.0.1');
  try {
    let answer = '';
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text;
    });
    socket.write(`POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`);
    await expect
      .poll(async () => {
        await clock.advance(61_000);
        return answer;
      })
      .toContain('HTTP/1.1 504');
    expect(answer).toContain('request did not complete within the allotted timeout');
  } finally {
    socket.destroy();
    await server.stop();
  }
});
