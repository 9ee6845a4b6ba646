import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createApiServer } from '../../kube-apiserver/kube-apiserver.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { seededRandom } from '../../machinery/random.ts';
import { systemClock, VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore } from '../../store/store.ts';
import { renewCertificates, rotateCertificates } from './certificate-rotation.ts';
import { type CertificateRequest, ensureCertificates, type KeyPair } from './certificates.ts';

const dayMs = 86_400_000;
const requests: CertificateRequest[] = [
  { name: 'server', commonName: 'kube-apiserver', usage: 'server', hosts: ['127.0.0.1'] },
  { name: 'client', commonName: 'jane', usage: 'client' },
];

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'rotation-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('a certificate is renewed a quarter before its end, in place and on disk', async () => {
  const startMs = Date.now();
  const { certificates, ca } = await ensureCertificates(directory, requests, startMs);
  const told: string[][] = [];
  const check = (nowMs: number) =>
    renewCertificates({
      current: certificates,
      ensure: async () => (await ensureCertificates(directory, requests, nowMs)).certificates,
      renewed: (names) => void told.push([...names].sort()),
    });
  const held = certificates.get('server') as KeyPair;
  const { cert } = held;
  await check(startMs + 270 * dayMs);
  expect([held.cert, told]).toEqual([cert, []]);
  await check(startMs + 280 * dayMs);
  expect(told).toEqual([['client', 'server']]);
  expect(held.cert).not.toBe(cert);
  expect(await readFile(path.join(directory, 'server.crt'), 'utf8')).toBe(held.cert);
  const renewed = new X509Certificate(held.cert);
  expect(renewed.checkIssued(new X509Certificate(ca.cert))).toBe(true);
  expect(Date.parse(renewed.validTo) - startMs).toBeGreaterThan(640 * dayMs);
});

test('a failed check is repeated half a day later', async () => {
  const clock = new VirtualClock();
  const current = new Map([['a', { cert: 'old', key: 'old' }]]);
  let attempts = 0;
  const rotation = rotateCertificates({
    clock,
    logger: silentLogger,
    current,
    async ensure() {
      if (attempts++ === 0) throw new Error('the disk is full');
      return new Map([['a', { cert: 'new', key: 'new' }]]);
    },
    renewed: () => {},
  });
  await clock.advance(dayMs / 2);
  expect([attempts, current.get('a')?.cert]).toEqual([1, 'old']);
  await clock.advance(dayMs / 2);
  expect([attempts, current.get('a')?.cert]).toEqual([2, 'new']);
  await rotation.stop();
});

test('a server presents the new certificate to new connections, and keeps the old ones', async () => {
  const nowMs = Date.now();
  const { certificates, ca } = await ensureCertificates(directory, requests, nowMs);
  const pair = certificates.get('server') as KeyPair;
  const api = await createApiServer({
    store: createMemoryStore({ clock: systemClock }),
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
  });
  const listener = await api.listen({ port: 0, tls: { ...pair, clientCa: ca.cert } });
  const open = async () => {
    const socket = connect({ port: listener.port, host: '127.0.0.1', ca: ca.cert });
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return socket;
  };
  const before = await open();
  await rm(path.join(directory, 'server.crt'));
  const fresh = (await ensureCertificates(directory, requests, nowMs)).certificates.get('server') as KeyPair;
  listener.renew(fresh);
  const after = await open();
  const serial = ({ cert }: KeyPair) => new X509Certificate(cert).serialNumber;
  expect([before, after].map((socket) => socket.getPeerCertificate().serialNumber)).toEqual([
    serial(pair),
    serial(fresh),
  ]);
  expect(before.destroyed).toBe(false);
  before.destroy();
  after.destroy();
  await api.stop();
});
