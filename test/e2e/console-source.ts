// The console over a simulated API: pods in any number, and a watch that changes them at any rate. So the page is measured
// without a cluster's own work beside it.

import 'reflect-metadata';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import * as x509 from '@peculiar/x509';
import { createDashboard, type Dashboard } from '../../src/dashboard/dashboard.ts';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { checkout } from './machine.ts';

interface SourceOptions {
  readonly nodes: number;
  readonly pods: number;
  readonly changesPerSecond: number;
}

const columns = ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP', 'Node'].map((name, index) => ({
  ...{ name, type: 'string', format: index === 0 ? 'name' : '', description: '', priority: index > 4 ? 1 : 0 },
}));
const states = ['Running', 'Running', 'Running', 'Running', 'Pending', 'CrashLoopBackOff'] as const;
/** Changes of this time are one piece of the stream. */
const tickMs = 50;

export class ConsoleSource {
  readonly #options: SourceOptions;
  readonly #dashboard: Dashboard;
  readonly #streams = new Set<ServerResponse>();
  #server: Server | undefined;
  #version = 1_000;
  #timer: NodeJS.Timeout | undefined;
  #changed = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#dashboard = createDashboard({
      clock: systemClock,
      assets: path.join(checkout, 'dist/console'),
      cluster: { name: 'simulated', version: '0', kubernetesVersion: 'v1.36.2', isCoracle: true },
      userOfToken: async () => ({ name: 'admin', groups: [] }),
      clientFor: () => {
        throw new Error('there is no API');
      },
      insights: {
        decision: () => undefined,
        trace: () => [],
        history: async () => undefined,
        usage: () => [],
        refusals: () => [],
        deletions: () => [],
      },
    });
  }

  /** Changes that were sent so far. */
  get changed(): number {
    return this.#changed;
  }

  /** Returns a link that signs in. */
  async start(): Promise<string> {
    const tls = await selfSigned();
    this.#server = createServer(tls, (request, response) => {
      this.#serve(request, response).catch((error) => response.writeHead(500).end(String(error)));
    });
    await new Promise<void>((resolve) => void this.#server?.listen(0, '127.0.0.1', resolve));
    const { changesPerSecond } = this.#options;
    if (changesPerSecond > 0)
      this.#timer = setInterval(() => this.#change(Math.round((changesPerSecond * tickMs) / 1_000)), tickMs);
    const { path: link } = this.#dashboard.createLink({ name: 'admin', groups: [] });
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}${link}`;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#dashboard.stop();
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://localhost');
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const answer = await this.#dashboard.answer({
      ...{ method: request.method ?? 'GET', path: url.pathname, query: url.searchParams, headers, isUpgrade: false },
      body: () => buffer(request),
    });
    if (answer.type === 'page') {
      response.writeHead(answer.code, answer.headers);
      response.end(answer.body);
    } else this.#answerApi(answer.path, url.searchParams, response);
  }

  #answerApi(to: string, query: URLSearchParams, response: ServerResponse): void {
    const json = (value: object, code = 200) => {
      response.writeHead(code, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (to === '/api') return json(discovery);
    if (to === '/apis') return json({ items: [] });
    const count = { '/api/v1/pods': this.#options.pods, '/api/v1/nodes': this.#options.nodes }[to];
    if (count === undefined) return json({ kind: 'Status', code: 404, message: 'there is no such resource' }, 404);
    if (query.get('watch')) {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.flushHeaders();
      if (to !== '/api/v1/pods') return;
      this.#streams.add(response);
      response.on('close', () => this.#streams.delete(response));
      return;
    }
    const begin = Number(query.get('continue') ?? 0);
    const end = Math.min(count, begin + Number(query.get('limit')));
    const row = to === '/api/v1/pods' ? (index: number) => this.#pod(index, 'Running') : nodeRow;
    const rows = Array.from({ length: end - begin }, (_, offset) => row(begin + offset));
    const metadata = { resourceVersion: String(this.#version), ...(end < count && { continue: String(end) }) };
    json({ kind: 'Table', metadata, columnDefinitions: begin === 0 ? columns : null, rows });
  }

  #pod(index: number, status: string): object {
    const name = `pod-${String(index).padStart(6, '0')}`;
    const ready = status === 'Running' ? '1/1' : '0/1';
    const node = `node-${index % this.#options.nodes}`;
    const created = new Date(Date.UTC(2026, 0, 1) + index * 1_000).toISOString();
    return {
      cells: [name, ready, status, index % 7, '5d', `10.0.${(index >> 8) & 255}.${index & 255}`, node],
      object: { metadata: { name, namespace: 'default', uid: `uid-${index}`, creationTimestamp: created } },
    };
  }

  /** Pods spread over all of them get another state. */
  #change(count: number): void {
    if (this.#streams.size === 0) return;
    let text = '';
    for (let i = 0; i < count; i++) {
      const index = (this.#changed++ * 7_919) % this.#options.pods;
      const row = this.#pod(index, states[this.#changed % states.length]) as { object: { metadata: object } };
      Object.assign(row.object.metadata, { resourceVersion: String(++this.#version) });
      text += `${JSON.stringify({ type: 'MODIFIED', object: { kind: 'Table', rows: [row] } })}\n`;
    }
    for (const stream of this.#streams) stream.write(text);
  }
}

const nodeRow = (index: number): object => ({
  cells: [`node-${index}`, '', 'Ready'],
  object: { metadata: { name: `node-${index}`, uid: `node-${index}` } },
});

const verbs = ['get', 'list', 'watch'];
const resourceOf = (resource: string, kind: string, scope: string) => ({
  resource,
  responseKind: { kind },
  scope,
  verbs,
});
const resources = [resourceOf('pods', 'Pod', 'Namespaced'), resourceOf('nodes', 'Node', 'Cluster')];
const discovery = { items: [{ metadata: { name: '' }, versions: [{ version: 'v1', resources }] }] };

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ serialNumber: '01', name: 'CN=simulated', keys, signingAlgorithm: algorithm },
    ...{ notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + 86_400_000) },
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { key, cert: certificate.toString('pem') };
}
