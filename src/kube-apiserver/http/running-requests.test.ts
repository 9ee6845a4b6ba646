import { connect } from 'node:http2';
import { expect, test } from 'vitest';
import { testAuthority } from '../testing/test-certificates.ts';
import { startTestServer } from '../testing/test-server.ts';

test('a stop sends GOAWAY, ends watches, and lets requests finish', async () => {
  const authority = await testAuthority();
  const { cert, key } = await authority.issue('CN=server', ['127.0.0.1']);
  let release = () => {};
  const server = await startTestServer({
    admission: [
      {
        name: 'slow',
        admit: ({ object }) =>
          object?.metadata.name === 'late' ? new Promise<void>((resolve) => (release = resolve)) : undefined,
      },
    ],
  });
  const { url } = await server.listen({ port: 0, tls: { cert, key } });
  const session = connect(url, { rejectUnauthorized: false });
  const isAway = new Promise<number>((resolve) => session.on('goaway', resolve));
  const exchange = (method: string, path: string, body?: object) => {
    const stream = session.request({ ':method': method, ':path': path, 'content-type': 'application/json' });
    const began = new Promise<number>((resolve) =>
      stream.on('response', (headers) => resolve(headers[':status'] ?? 0)),
    );
    const ended = new Promise<void>((resolve) => stream.on('end', resolve).resume());
    stream.end(body && JSON.stringify(body));
    return { began, ended };
  };
  const watch = exchange('GET', '/api/v1/namespaces?watch=true');
  expect(await watch.began).toBe(200);
  const write = exchange('POST', '/api/v1/namespaces', { metadata: { name: 'late' } });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const begin = performance.now();
  const stopped = server.stop();
  expect(await isAway).toBe(0);
  await watch.ended;
  release();
  expect(await write.began).toBe(201);
  await stopped;
  expect(performance.now() - begin).toBeLessThan(1_000);
});
