// Starts the programs of `coracle envtest` as envtest of controller-runtime does: the same flags in the same order, the
// same health checks at the same intervals, the same signal.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type TestAuthority, testAuthority } from '../../src/kube-apiserver/testing/test-certificates.ts';

const pollMs = 100;
const startTimeoutMs = 20_000;

export interface Answer {
  readonly code: number;
  readonly body: any;
}

/** One program, from its start to its end. */
class Program {
  readonly child: ChildProcess;
  readonly output: string[] = [];
  readonly ended: Promise<number | null>;

  constructor(file: string, args: readonly string[]) {
    this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (part) => this.output.push(String(part)));
    this.ended = new Promise((resolve) => this.child.once('exit', (code) => resolve(code)));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Polls its health check; rejects when it ends before it is healthy, or is too slow. */
  async ready(url: string): Promise<void> {
    let isOver = false;
    void this.ended.then(() => (isOver = true));
    for (let waitedMs = 0; waitedMs < startTimeoutMs; waitedMs += pollMs) {
      if ((await get(url).catch(() => undefined))?.code === 200) return;
      if (isOver) break;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    throw new Error(`${url} was never healthy:\n${this.output.join('')}`);
  }

  async stop(): Promise<{ code: number | null; ms: number }> {
    const begin = performance.now();
    this.child.kill('SIGTERM');
    const code = await this.ended;
    return { code, ms: performance.now() - begin };
  }
}

export interface StartOptions {
  /** Of `coracle envtest`. */
  readonly assets: string;
  readonly extraFlags?: Readonly<Record<string, string>>;
}

export class Environment {
  readonly #assets: string;
  readonly #extraFlags: Readonly<Record<string, string>>;
  readonly #directories: string[] = [];
  #clients!: TestAuthority;
  #certificates = '';
  etcd!: Program;
  apiServer!: Program;
  etcdUrl = '';
  port = 0;
  /** Milliseconds from the start of the API server to its health. */
  startMs = 0;

  constructor({ assets, extraFlags = {} }: StartOptions) {
    this.#assets = assets;
    this.#extraFlags = extraFlags;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    this.etcdUrl = `http://127.0.0.1:${await freePort()}`;
    this.etcd = new Program(path.join(this.#assets, 'etcd'), [
      `--advertise-client-urls=${this.etcdUrl}`,
      `--data-dir=${this.#directory()}`,
      `--listen-client-urls=${this.etcdUrl}`,
      `--listen-peer-urls=http://127.0.0.1:${await freePort()}`,
      ...(this.#hasFlag('etcd', 'unsafe-no-fsync') ? ['--unsafe-no-fsync=true'] : []),
    ]);
    await this.etcd.ready(`${this.etcdUrl}/health`);
    this.port = await freePort();
    await this.#writeCertificates();
    await this.startApiServer();
    return this;
  }

  async startApiServer(): Promise<void> {
    if (this.#hasFlag('kube-apiserver', 'insecure-port')) throw new Error('the flag --insecure-port has come back');
    const flags = {
      'allow-privileged': 'true',
      'authorization-mode': 'RBAC',
      'bind-address': '127.0.0.1',
      'cert-dir': this.#certificates,
      'client-ca-file': path.join(this.#certificates, 'client-cert-auth-ca.crt'),
      'disable-admission-plugins': 'ServiceAccount',
      'etcd-servers': this.etcdUrl,
      'secure-port': String(this.port),
      'service-account-issuer': `${this.url}/`,
      'service-account-key-file': path.join(this.#certificates, 'sa-signer.crt'),
      'service-account-signing-key-file': path.join(this.#certificates, 'sa-signer.key'),
      'service-cluster-ip-range': '10.0.0.0/24',
      ...this.#extraFlags,
    };
    const begin = performance.now();
    const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    this.apiServer = new Program(path.join(this.#assets, 'kube-apiserver'), words);
    await this.apiServer.ready(`${this.url}/healthz`);
    this.startMs = performance.now() - begin;
  }

  /** The API server first, then etcd; rejects when one of them takes more than a second, or fails. */
  async stop(): Promise<void> {
    try {
      for (const [name, program] of Object.entries({ 'kube-apiserver': this.apiServer, etcd: this.etcd })) {
        const { code, ms } = (await program?.stop()) ?? { code: 0, ms: 0 };
        if (code !== 0 || ms > 1_000) throw new Error(`${name} ended with ${code} after ${Math.round(ms)} ms`);
      }
    } finally {
      for (const directory of this.#directories) rmSync(directory, { recursive: true, force: true });
    }
  }

  /** A caller with a client certificate. */
  async user(
    name: string,
    ...groups: string[]
  ): Promise<(method: string, url: string, body?: object) => Promise<Answer>> {
    const as = await this.#clients.issue([`CN=${name}`, ...groups.map((group) => `O=${group}`)].join(','));
    return (method, url, body) => call(`${this.url}${url}`, { method, ...as }, body);
  }

  async kubeconfig(name: string, ...groups: string[]): Promise<string> {
    const { cert, key } = await this.#clients.issue([`CN=${name}`, ...groups.map((group) => `O=${group}`)].join(','));
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster: { server: this.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } }],
    };
    const file = path.join(this.#certificates, `${name}.kubecfg`);
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  #hasFlag(program: string, flag: string): boolean {
    const help = execFileSync(path.join(this.#assets, program), ['--help'], { encoding: 'utf8' });
    return new RegExp(`^\\s*--${flag}\\b`, 'm').test(help);
  }

  #directory(): string {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'k8s_test_framework_'));
    this.#directories.push(directory);
    return directory;
  }

  async #writeCertificates(): Promise<void> {
    this.#certificates = this.#directory();
    const write = (name: string, text: string) => writeFileSync(path.join(this.#certificates, name), text);
    const [serving, accounts] = [await testAuthority('CN=serving'), await testAuthority('CN=accounts')];
    this.#clients = await testAuthority('CN=clients');
    for (const [name, pair] of [
      ['apiserver', await serving.issue('CN=localhost', ['localhost', '127.0.0.1'])],
      ['sa-signer', await accounts.issue('CN=sa')],
    ] as const) {
      write(`${name}.crt`, pair.cert);
      write(`${name}.key`, pair.key);
    }
    write('client-cert-auth-ca.crt', this.#clients.ca);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const get = (url: string): Promise<Answer> => call(url, { method: 'GET' });

function call(url: string, options: object, body?: object): Promise<Answer> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  const headers = { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) };
  return new Promise((resolve, reject) => {
    const sent = send(url, { ...options, headers, agent: false, rejectUnauthorized: false } as object, (answer) => {
      let text = '';
      answer.on('data', (part) => (text += part));
      answer.on('end', () =>
        resolve({ code: answer.statusCode ?? 0, body: text.startsWith('{') ? JSON.parse(text) : text }),
      );
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}
