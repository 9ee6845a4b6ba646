import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { prefixRange } from '../interface.ts';
import { storeContract } from '../store.contract.ts';
import { openEtcdStore } from './etcd.ts';

const isInstalled = (() => {
  try {
    execFileSync('etcd', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a single-member etcd with `extra` options. Resolves with its stop function. */
function startEtcd(
  directory: string,
  endpoint: string,
  peer: string,
  extra: Record<string, string> = {},
): ChildProcess {
  const options = {
    'data-dir': directory,
    'listen-client-urls': endpoint,
    'advertise-client-urls': endpoint,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    ...extra,
  };
  const all = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  return spawn('etcd', all, { stdio: 'ignore' });
}

async function stopEtcd(etcd: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => etcd.on('exit', resolve));
  etcd.kill('SIGKILL');
  await gone;
}

async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++)
    try {
      return await attempt();
    } catch (error) {
      if (tries > 20) throw error;
      await systemClock.sleep(200);
    }
}

describe.skipIf(!isInstalled)('with a real etcd (skipped where the command etcd is not installed)', () => {
  let etcd: ChildProcess;
  let endpoint: string;
  const directory = mkdtempSync(join(tmpdir(), 'coracle-etcd-'));

  beforeAll(async () => {
    endpoint = `http://127.0.0.1:${await freePort()}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    etcd = startEtcd(directory, endpoint, peer);
    await eventually(async () => (await open()).close());
  }, 30_000);
  afterAll(async () => {
    await stopEtcd(etcd);
    rmSync(directory, { recursive: true, force: true });
  });

  const open = () => openEtcdStore({ endpoints: [endpoint], clock: systemClock });

  storeContract('etcd', {
    async open() {
      const store = await open();
      const { entries } = await store.range({ start: '', end: '\uffff' });
      if (entries.length > 0) for (const { key } of entries) await store.commit([{ key }]);
      return store;
    },
    pass: (ms) => systemClock.sleep(ms),
  });

  test('an endpoint that does not answer is passed over; none at all is unreachable', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    const store = await openEtcdStore({ endpoints: [dead, endpoint], clock: systemClock });
    await store.commit([{ key: '/registry/a', value: new Uint8Array(1) }]);
    expect(await store.get('/registry/a')).toBeDefined();
    await store.close();
    await expect(openEtcdStore({ endpoints: [dead], clock: systemClock })).rejects.toMatchObject({
      reason: 'unreachable',
    });
  }, 20_000);

  test('an etcd that does not answer is reported, and well again once it does', async () => {
    const store = await open();
    expect(await store.health()).toBeUndefined();
    etcd.kill('SIGSTOP');
    await systemClock.sleep(100); // until all its threads have stopped
    try {
      expect(await store.health()).toMatchObject({ canBeRead: false, message: expect.stringContaining('no etcd') });
    } finally {
      etcd.kill('SIGCONT');
    }
    await eventually(async () => expect(await store.health()).toBeUndefined());
    await store.close();
  }, 20_000);

  test('an etcd without space can be read and takes deletions only', async () => {
    const home = mkdtempSync(join(tmpdir(), 'coracle-etcd-full-'));
    const [address, peer] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
    const member = startEtcd(home, address, peer, { 'quota-backend-bytes': '2000000' });
    const store = await eventually(() => openEtcdStore({ endpoints: [address], clock: systemClock }));
    const write = async () => {
      for (let i = 0; i < 60; i++) await store.commit([{ key: `/registry/${i}`, value: new Uint8Array(100_000) }]);
    };
    await expect(write()).rejects.toMatchObject({
      reason: 'disk-full',
      message: 'mvcc: database space exceeded',
    });
    expect(await store.health()).toMatchObject({ canBeRead: true, message: expect.stringMatching(/space exceeded/) });
    expect(await store.get('/registry/0')).toBeDefined();
    expect(await store.commit([{ key: '/registry/0' }]), 'deletions go on').toMatchObject({ ok: true });
    await store.close();
    await stopEtcd(member);
    rmSync(home, { recursive: true, force: true });
  }, 20_000);

  test('a list far above the message limit of gRPC comes through', async () => {
    const store = await open();
    for (let i = 0; i < 10; i++) await store.commit([{ key: `/registry/big/${i}`, value: new Uint8Array(1_000_000) }]);
    expect((await store.range(prefixRange('/registry/big/'))).entries).toHaveLength(10);
    await store.close();
  }, 20_000);

  test('TLS with client certificates; a watch continues after its member was killed', async () => {
    const home = mkdtempSync(join(tmpdir(), 'coracle-etcd-tls-'));
    const [certFile, keyFile] = [join(home, 'cert.pem'), join(home, 'key.pem')];
    const request = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    const subject = ['-subj', '/CN=etcd', '-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync('openssl', ['req', ...request, '-keyout', keyFile, '-out', certFile, ...subject], { stdio: 'ignore' });
    const address = `https://127.0.0.1:${await freePort()}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    const extra = {
      'cert-file': certFile,
      'key-file': keyFile,
      'trusted-ca-file': certFile,
      'client-cert-auth': 'true',
    };
    let member = startEtcd(join(home, 'data'), address, peer, extra);
    const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')];
    const options = { endpoints: [address], clock: systemClock };
    const store = await eventually(() => openEtcdStore({ ...options, tls: { ca: cert, cert, key } }));
    await expect(openEtcdStore({ ...options, tls: { ca: cert } })).rejects.toMatchObject({ reason: 'unreachable' });
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { changes } of store.watch(prefixRange('/registry/'), await store.revision(), stop.signal))
        for (const change of changes) if (change.type === 'put') seen.push(change.entry.key);
    })();
    const value = new Uint8Array(1);
    await systemClock.sleep(300);
    await store.commit([{ key: '/registry/before', value }]);
    await stopEtcd(member);
    await expect(store.commit([{ key: '/registry/while', value }])).rejects.toMatchObject({ reason: 'unreachable' });
    member = startEtcd(join(home, 'data'), address, peer, extra);
    await eventually(() => store.commit([{ key: '/registry/after', value }]));
    await eventually(async () => expect(seen).toContain('/registry/after'));
    expect(seen.filter((key) => key === '/registry/before')).toHaveLength(1);
    stop.abort();
    await watching;
    await store.close();
    await stopEtcd(member);
    rmSync(home, { recursive: true, force: true });
  }, 40_000);
});
