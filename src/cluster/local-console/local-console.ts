// The console on the loopback interface, for any cluster: its requests for the API go to the server of a kubeconfig, with
// the credentials of that file. `coracle console --kubeconfig`.

import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createClient, httpsTransport, type Kubeconfig, loadKubeconfig } from '../../client/client.ts';
import { createDashboard, type Dashboard } from '../../dashboard/dashboard.ts';
import type { Page } from '../../machinery/pages.ts';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { assetsDirectory } from '../assets-directory.ts';
import { issue, makeAuthority } from '../certificates/certificates.ts';
import { version } from '../version.ts';
import { Upstream } from './upstream.ts';

interface LocalConsole {
  readonly server: string;
  readonly user: string;
  /** A link that signs in once. */
  link(): { readonly url: string; readonly expiresMs: number };
  stop(): Promise<void>;
}

interface Options {
  readonly kubeconfig: string;
  readonly context?: string;
  /** 0: any free port. */
  readonly port: number;
  readonly clock: Clock;
}

const host = '127.0.0.1';
const mostBodyBytes = 1 << 20;

/** Rejects when the server of the kubeconfig does not answer, or refuses its credentials. */
export async function startLocalConsole({ kubeconfig, context, port, clock }: Options): Promise<LocalConsole> {
  const config = await loadKubeconfig(kubeconfig, {
    ...{ clock, environment: process.env, hasTerminal: process.stdin.isTTY === true },
    ...(context !== undefined && { context }),
  });
  const { user, kubernetesVersion } = await introduce(config);
  const upstream = new Upstream(config);
  const dashboard = createDashboard({
    clock,
    assets: assetsDirectory(),
    cluster: { name: context ?? new URL(config.server).hostname, version, kubernetesVersion, isCoracle: false },
    userOfToken: () => Promise.reject(new Error('tokens are not taken here')),
    clientFor: () => {
      throw new Error('the insights of this console need no client');
    },
  });
  const server = createSecureServer({ allowHTTP1: true, ...(await loopbackCertificate(clock)) });
  const sockets = new Set<Socket>();
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  let origins: readonly string[] = [];
  server.on('request', (incoming, outgoing) => void answer({ dashboard, upstream, origins }, incoming, outgoing));
  server.on(
    'upgrade',
    (incoming, socket, head) =>
      void upgrade({ dashboard, upstream, origins }, incoming, socket, head).catch(() => socket.destroy()),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  origins = [`${host}:${bound}`, `localhost:${bound}`];
  return {
    ...{ server: config.server, user },
    link() {
      const { path, expiresMs } = dashboard.createLink({ name: user, groups: [] });
      return { url: `https://${host}:${bound}${path}`, expiresMs };
    },
    async stop() {
      dashboard.stop();
      upstream.close();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The name that the server knows, and its version. Old servers do not have the review. */
async function introduce(config: Kubeconfig): Promise<{ user: string; kubernetesVersion: string }> {
  const transport = httpsTransport(config);
  const client = createClient(transport);
  try {
    const { gitVersion } = fieldsIn(await client.raw<unknown>('GET', '/version'));
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: {} };
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const answered = await client.raw<unknown>('POST', path, review).catch((error) => {
      if (fieldsIn(error)['code'] !== 404) throw error;
      return undefined;
    });
    const name = textIn(fieldsIn(fieldsIn(fieldsIn(answered)['status'])['userInfo'])['username']);
    return { user: name || 'kubeconfig', kubernetesVersion: textIn(gitVersion) };
  } finally {
    transport.close();
  }
}

async function loopbackCertificate(clock: Clock): Promise<{ cert: string; key: string }> {
  const authority = await makeAuthority(clock.now(), 'coracle console');
  const request = {
    name: 'console',
    commonName: 'coracle console',
    usage: 'server',
    hosts: [host, 'localhost'],
  } as const;
  return issue(authority, request, clock.now());
}

interface Serving {
  readonly dashboard: Dashboard;
  readonly upstream: Upstream;
  /** Host headers that are answered: a name of another site may lead to this machine. */
  readonly origins: readonly string[];
}

type Incoming = Pick<Http2ServerRequest, 'method' | 'url' | 'headers'> & AsyncIterable<unknown>;

async function ask({ dashboard, origins }: Serving, incoming: Incoming, isUpgrade: boolean) {
  const headers = incoming.headers as Readonly<Record<string, string | undefined>>;
  const url = new URL(incoming.url ?? '/', 'https://console');
  if (!origins.includes(headers[':authority'] ?? headers['host'] ?? '')) return refused(421, 'unknown host');
  if (!/^\/console(\/|$)/.test(url.pathname)) return refused(404, 'the console is at /console/');
  const answered = await dashboard.answer({
    ...{ method: incoming.method ?? 'GET', path: url.pathname, query: url.searchParams, headers, isUpgrade },
    body: () => bytesOf(incoming),
  });
  return { answered, rawQuery: url.search };
}

const refused = (code: number, text: string): { answered: Page; rawQuery: string } => ({
  answered: { type: 'page', code, headers: { 'Content-Type': 'text/plain' }, body: text },
  rawQuery: '',
});

async function answer(serving: Serving, incoming: Http2ServerRequest, outgoing: Http2ServerResponse): Promise<void> {
  outgoing.on('error', () => {});
  try {
    const { answered, rawQuery } = await ask(serving, incoming, false);
    if (answered.type === 'forward') return serving.upstream.forward(incoming, outgoing, answered, rawQuery);
    outgoing.writeHead(answered.code, { ...answered.headers });
    outgoing.end(incoming.method === 'HEAD' ? '' : answered.body);
  } catch {
    outgoing.stream?.destroy();
    outgoing.destroy();
  }
}

async function upgrade(serving: Serving, incoming: Http2ServerRequest, socket: Duplex, head: Buffer): Promise<void> {
  socket.on('error', () => {});
  const { answered, rawQuery } = await ask(serving, incoming, true);
  if (answered.type === 'forward') return serving.upstream.upgrade(incoming, socket, head, answered, rawQuery);
  socket.end(`HTTP/1.1 ${answered.code} Refused\r\nConnection: close\r\n\r\n`);
}

async function bytesOf(incoming: Incoming): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of incoming) {
    const bytes = Buffer.from(piece as Uint8Array);
    length += bytes.length;
    if (length > mostBodyBytes) throw new Error('the body is too large');
    pieces.push(bytes);
  }
  return Buffer.concat(pieces);
}
