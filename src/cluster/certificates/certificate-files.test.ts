import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { discardCertificates, listCertificates } from './certificate-files.ts';
import { ensureCertificates, issue, makeAuthority } from './certificates.ts';

let root: string;
const now = Date.parse('2026-06-01T00:00:00Z');
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'coracle-certificates-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const admin = { name: 'admin', commonName: 'jane', organizations: ['ops'], usage: 'client' } as const;

test('certificates are listed with subject and life, also those beside a key in one file', async () => {
  const { ca } = await ensureCertificates(path.join(root, 'pki'), [admin], now);
  mkdirSync(path.join(root, 'pki/node'));
  const { cert, key } = await issue(ca, { name: 'k', commonName: 'kubelet', usage: 'client' }, now);
  writeFileSync(path.join(root, 'pki/node/kubelet-client.pem'), cert + key);
  writeFileSync(path.join(root, 'pki/broken.crt'), 'no certificate');
  const found = await listCertificates({ root });
  expect(found.map(({ file, subject, isAuthority }) => [file, subject, isAuthority])).toEqual([
    ['pki/admin.crt', 'O=ops, CN=jane', false],
    ['pki/ca.crt', 'CN=kubernetes', true],
    ['pki/node/kubelet-client.pem', 'CN=kubelet', false],
  ]);
  expect(found[0].notAfter - now).toBe(365 * 86_400_000);
});

test.each([
  [true, 'etcd keeps its files'],
  [false, 'also those of etcd'],
])('certificates that can be made again are removed, and no authority (running: %s): %s', async (isRunning) => {
  await ensureCertificates(path.join(root, 'pki'), [admin], now);
  mkdirSync(path.join(root, 'etcd/pki'), { recursive: true });
  const ca = await makeAuthority(now);
  const { cert } = await issue(ca, { name: 'm', commonName: 'member', usage: 'both' }, now);
  writeFileSync(path.join(root, 'etcd/pki/server.crt'), cert);
  writeFileSync(path.join(root, 'etcd/pki/ca.crt'), ca.cert);
  expect(await discardCertificates({ root }, { isRunning })).toEqual(['pki/admin.crt', 'etcd/pki/server.crt']);
  expect(existsSync(path.join(root, 'pki/admin.crt'))).toBe(false);
  for (const file of ['pki/ca.crt', 'etcd/pki/ca.crt']) expect(existsSync(path.join(root, file))).toBe(true);
  expect(existsSync(path.join(root, 'etcd/pki/server.crt'))).toBe(isRunning);
});

test('a directory without certificates has none', async () => expect(await listCertificates({ root })).toEqual([]));
