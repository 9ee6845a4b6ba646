// Cases after pkg/probe/http/http_test.go and request_test.go of Kubernetes.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Container, HTTPHeader, Probe } from '../../api/api.ts';
import type { ContainerRuntime } from '../../container-runtime/container-runtime.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { type ProbeOutcome, runProbe } from './probe-handlers.ts';

let server: Server | undefined;
afterEach(() => void server?.close().closeAllConnections());

/** The port of a server on the loopback interface. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
  const made = createServer(answer);
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return (made.address() as AddressInfo).port;
}

const target = { containerId: 'c', sandboxId: 's', podIP: '127.0.0.1', startedAt: 0 };
const runtime = {} as ContainerRuntime;

const probe = (port: number, httpGet: Partial<Probe['httpGet']> = {}, clock = new VirtualClock()) =>
  runProbe(runtime, clock, { httpGet: { port, ...httpGet } } as Probe, { name: 'c' } as Container, target);

const headers = (given: Readonly<Record<string, string>>): HTTPHeader[] =>
  Object.entries(given).map(([name, value]) => ({ name, value }));

describe('headers', () => {
  const usual = ['accept: */*', 'connection: close', 'host: 127.0.0.1', 'user-agent: kube-probe/1.36'];
  test.each<[string, HTTPHeader[], string[]]>([
    ['the usual ones', [], usual],
    ['an encoding', headers({ 'Accept-Encoding': 'gzip' }), ['accept-encoding: gzip', ...usual]],
    ['an own one', headers({ 'X-Muffins': 'm' }), [...usual, 'x-muffins: m']],
    ['an own agent', headers({ 'User-Agent': 'foo/1.0' }), [...usual.slice(0, 3), 'user-agent: foo/1.0']],
    ['an own agent in lower case', headers({ 'user-agent': 'foo/1.0' }), [...usual.slice(0, 3), 'user-agent: foo/1.0']],
    ['no agent', headers({ 'User-Agent': '' }), usual.slice(0, 3)],
    ['an own type', headers({ Accept: 'text/html' }), ['accept: text/html', ...usual.slice(1)]],
    ['no type', headers({ Accept: '' }), usual.slice(1)],
    ['an own host', headers({ Host: 'muffins' }), [...usual.slice(0, 2), 'host: muffins', ...usual.slice(3)]],
    [
      'two values',
      [...headers({ 'X-Muffins': 'a' }), ...headers({ 'x-muffins': 'b' })],
      [...usual, 'x-muffins: a', 'x-muffins: b'],
    ],
  ])('sends %s', async (_, httpHeaders, wanted) => {
    const port = await serve(({ rawHeaders }, response) => {
      const lines = rawHeaders.flatMap((name, i) => (i % 2 ? [] : [`${name.toLowerCase()}: ${rawHeaders[i + 1]}`]));
      response.end(lines.sort().join('\n'));
    });
    const { result, message } = await probe(port, { httpHeaders });
    expect([result, ...message.replace(`127.0.0.1:${port}`, '127.0.0.1').split('\n')]).toEqual(['success', ...wanted]);
  });

  test('a value that HTTP does not allow is a failure', async () => {
    const { result, message } = await probe(1, { httpHeaders: headers({ 'X-A': 'a\nb' }) });
    expect([result, message]).toEqual(['failure', expect.stringContaining('Get "http://127.0.0.1:1/": net/http:')]);
  });
});

describe('paths', () => {
  test.each([
    [undefined, '/'],
    ['', '/'],
    ['/path', '/path'],
    ['path', '/path'],
    ['?foo', '/?foo'],
    ['/path?bar=%', '/path?bar=%'],
    ['/a%zz?b', '/a%25zz%3Fb'],
  ])('%j is requested as %j', async (path, wanted) => {
    const port = await serve(({ url }, response) => response.end(url));
    expect(await probe(port, { path })).toEqual({ result: 'success', message: wanted });
  });
});

describe('answers', () => {
  test.each<[number, ProbeOutcome]>([
    [200, { result: 'success', message: 'body' }],
    [201, { result: 'success', message: 'body' }],
    [300, { result: 'warning', message: 'Probe terminated redirects, Response body: body' }],
    [302, { result: 'warning', message: 'Probe terminated redirects, Response body: body' }],
    [400, { result: 'failure', message: 'HTTP probe failed with statuscode: 400' }],
    [500, { result: 'failure', message: 'HTTP probe failed with statuscode: 500' }],
  ])('%d', async (code, wanted) => {
    const port = await serve((_, response) => response.writeHead(code).end('body'));
    expect(await probe(port)).toEqual(wanted);
  });

  test('of a long body 10 KiB are read', async () => {
    const port = await serve((_, response) => response.write('x'.repeat(20_000)));
    const { result, message } = await probe(port);
    expect([result, message.length]).toEqual(['success', 10_240]);
  });

  test('none within the timeout is a failure', async () => {
    const clock = new VirtualClock();
    const port = await serve(() => void clock.advance(1_000));
    expect(await probe(port, {}, clock)).toEqual({
      result: 'failure',
      message: `Get "http://127.0.0.1:${port}/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
    });
  });

  test('a body that does not end within the timeout is no result', async () => {
    const clock = new VirtualClock();
    const port = await serve((_, response) => {
      response.write('half');
      setImmediate(() => setTimeout(() => void clock.advance(1_000), 50));
    });
    expect(await probe(port, {}, clock)).toEqual({
      result: 'error',
      state: 'failure',
      message: 'context deadline exceeded (Client.Timeout or context cancellation while reading body)',
    });
  });

  test('a refused connection is a failure', async () => {
    const port = await serve(() => {});
    await new Promise((resolve) => server?.close(resolve));
    expect(await probe(port, { path: '/healthz' })).toEqual({
      result: 'failure',
      message: `Get "http://127.0.0.1:${port}/healthz": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    });
  });

  test('a server without TLS is a failure', async () => {
    const port = await serve(() => {});
    expect(await probe(port, { scheme: 'HTTPS' })).toEqual({
      result: 'failure',
      message: `Get "https://127.0.0.1:${port}/": http: server gave HTTP response to HTTPS client`,
    });
  });
});

describe('redirects', () => {
  const redirected = (code: number, location: string, atEnd: number) =>
    serve(({ url }, response) => {
      if (url === '/') response.writeHead(code, { location }).end('moved');
      else response.writeHead(atEnd).end(`at ${url}`);
    });

  test.each([
    [301, '/new', 200, 'success', 'at /new'],
    [301, '/new', 500, 'failure', 'HTTP probe failed with statuscode: 500'],
    [302, '/new', 200, 'success', 'at /new'],
    [303, 'new?a', 200, 'success', 'at /new?a'],
    [307, '/new', 500, 'failure', 'HTTP probe failed with statuscode: 500'],
    [308, '/new', 304, 'warning', 'Probe terminated redirects, Response body: '],
    [302, 'http://example.test/', 200, 'warning', 'Probe terminated redirects, Response body: moved'],
    [304, '/new', 500, 'warning', 'Probe terminated redirects, Response body: '],
  ])('%d to %s, which answers %d: %s', async (code, location, atEnd, result, message) => {
    const port = await redirected(code, location, atEnd);
    expect(await probe(port)).toEqual({ result, message });
  });

  test('the tenth is not followed', async () => {
    const port = await serve(({ url }, response) =>
      response.writeHead(302, { location: `/${Number(url?.slice(1) ?? 0) + 1}` }).end(),
    );
    expect(await probe(port)).toEqual({
      result: 'failure',
      message: `Get "http://127.0.0.1:${port}/9": stopped after 10 redirects`,
    });
  });
});
