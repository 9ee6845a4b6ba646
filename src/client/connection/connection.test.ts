import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { createClient, httpsTransport, type KubeconfigOptions, loadKubeconfig } from '../client.ts';

let server: Server;
let seen: IncomingMessage[];
let directory: string;
let code: number;

beforeEach(async () => {
  seen = [];
  code = 200;
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-connection-'));
  server = createServer((request, response) => {
    seen.push(request);
    response.writeHead(code, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

const portOf = (one: Server | TcpServer) => (one.address() as AddressInfo).port;
const load = (user: object, cluster: object = {}, options: KubeconfigOptions = {}) => {
  const file = path.join(directory, 'config');
  writeFileSync(
    file,
    JSON.stringify({
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
      clusters: [{ name: 'k', cluster: { server: `http://127.0.0.1:${portOf(server)}`, ...cluster } }],
      users: [{ name: 'u', user }],
    }),
  );
  return loadKubeconfig(file, options);
};
/** The headers of a request with this configuration. */
async function headersOf(...given: Parameters<typeof load>): Promise<IncomingMessage['headers']> {
  const transport = httpsTransport(await load(...given));
  await createClient(transport)
    .raw('GET', '/version')
    .finally(() => transport.close());
  return seen[0].headers;
}

describe('credentials of a kubeconfig', () => {
  test.each<[string, object, string]>([
    ['a token', { token: 'T' }, 'Bearer T'],
    ['a token, of which no file is there', { token: 'T', tokenFile: 'gone' }, 'Bearer T'],
    ['a name and a password', { username: 'jane', password: 'a:b' }, 'Basic amFuZTphOmI='],
    ['a token before a plugin', { token: 'T', exec: { command: 'false' } }, 'Bearer T'],
  ])('%s', async (_, user, authorization) => expect((await headersOf(user)).authorization).toBe(authorization));

  test('a plugin', async () => {
    const status = { token: 'P' };
    const text = JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status });
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'echo',
      args: [text],
      interactiveMode: 'Never',
    };
    const options = { clock: systemClock, environment: { PATH: process.env['PATH'] } };
    expect((await headersOf({ exec }, {}, options)).authorization).toBe('Bearer P');
    await expect(load({ exec })).rejects.toThrow('uses exec, which is not supported here');
  });

  test('another user, as whom requests are made', async () => {
    const user = { token: 'T', as: 'jane', 'as-groups': ['a', 'b'], 'as-user-extra': { 'x/Y': ['1'] } };
    expect(await headersOf(user)).toMatchObject({
      ...{ 'impersonate-user': 'jane', 'impersonate-group': 'a, b', 'impersonate-extra-x%2fy': '1' },
    });
  });

  test.each<[string, object, object, string]>([
    ['two methods', { token: 'T', username: 'u' }, {}, 'more than one authentication method found for u'],
    ['a provider of the past', { 'auth-provider': { name: 'gcp' } }, {}, 'uses auth-provider'],
    [
      'a CA that is not used',
      {},
      { 'certificate-authority-data': 'eA==', 'insecure-skip-tls-verify': true },
      'is not allowed',
    ],
    ['a proxy of another kind', {}, { 'proxy-url': 'ftp://p' }, 'proxy-url must be an http, https or socks5 URL'],
    ['a server that is none', {}, { server: 'h:1' }, 'must be an http or https URL'],
  ])('%s: refused', async (_, user, cluster, message) => await expect(load(user, cluster)).rejects.toThrow(message));
});

describe('a proxy', () => {
  let proxy: Server | TcpServer | undefined;
  const sockets = new Set<Socket>();
  const listen = async (one: Server | TcpServer): Promise<number> => {
    proxy = one;
    one.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
    await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
    return portOf(one);
  };
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await new Promise((resolve) => (proxy ? proxy.close(resolve) : resolve(undefined)));
  });

  test('of the kubeconfig gets the requests', async () => {
    const urls: string[] = [];
    const port = await listen(
      createServer((request, response) => {
        urls.push(`${request.url} ${request.headers['proxy-authorization']}`);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      }),
    );
    const transport = httpsTransport(
      await load({}, { server: 'http://far.invalid', 'proxy-url': `http://a:b@127.0.0.1:${port}` }),
    );
    await createClient(transport).raw('GET', '/version');
    transport.close();
    expect(urls).toEqual(['http://far.invalid/version Basic YTpi']);
  });

  test('of the environment is not used for this machine', async () => {
    await headersOf({}, {}, { environment: { HTTP_PROXY: 'http://127.0.0.1:1' } });
    expect(seen).toHaveLength(1);
  });

  /** Answers as the steps say, then connects to the server. */
  const socks = (reply: number) =>
    createTcpServer((socket) => {
      socket.once('data', (greeting) => {
        socket.write(Buffer.from([5, greeting.includes(2) ? 2 : 0]));
        const onRequest = (request: Buffer) => {
          const name = request.subarray(5, 5 + request[4]).toString();
          socket.write(Buffer.from([5, name === 'far.invalid' ? reply : 4, 0, 1]));
          // In two pieces.
          setImmediate(() => socket.write(Buffer.from([0, 0, 0, 0, 0, 0])));
          if (reply !== 0) return;
          const far = connect(portOf(server), '127.0.0.1');
          far.on('error', () => socket.destroy());
          far.pipe(socket).pipe(far);
        };
        socket.once('data', (next) => {
          if (!greeting.includes(2)) return onRequest(next);
          socket.write(Buffer.from([1, next.toString().endsWith('secret') ? 0 : 1]));
          socket.once('data', onRequest);
        });
      });
    });

  test.each<[string, string, number, string | undefined]>([
    ['connects', '', 0, undefined],
    ['connects with a password', 'jane:secret@', 0, undefined],
    ['refuses a password', 'jane:wrong@', 0, 'does not accept the user name and password'],
    ['refuses the server', '', 5, 'it refuses the connection to far.invalid:80 (code 5)'],
  ])('of SOCKS %s', async (_, user, reply, message) => {
    const port = await listen(socks(reply));
    const config = await load({}, { server: 'http://far.invalid', 'proxy-url': `socks5://${user}127.0.0.1:${port}` });
    const transport = httpsTransport(config);
    const asked = createClient(transport)
      .raw('GET', '/version')
      .finally(() => transport.close());
    if (message) await expect(asked).rejects.toThrow(message);
    else expect(await asked).toEqual({});
  });
});
