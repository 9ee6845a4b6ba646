import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startCluster, type TestCluster } from '../../testing/testing.ts';
import { ensureCertificateKey, fetchKeys, keysName, publishKeys } from './control-plane-keys.ts';
import { isCertificateKey } from './join-values.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster({ components: ['kube-apiserver'], nodes: 0 });
});
afterAll(() => cluster.stop());

let root: string;
const pki = (name: string) => path.join(root, name);
const files = { 'ca.crt': 'certificate', 'ca.key': 'secret of the CA', 'sa.key': 'secret of tokens' };
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'coracle-keys-'));
  mkdirSync(pki('one'));
  for (const [name, text] of Object.entries({ ...files, 'admin.key': 'stays here' }))
    writeFileSync(path.join(pki('one'), name), text);
});
afterEach(async () => {
  rmSync(root, { recursive: true });
  await cluster.client.delete('secrets', keysName).catch(() => {});
});
const secret = () => cluster.client.get('secrets', keysName);

test('another server gets the shared keys and the endpoints of etcd, and no other file', async () => {
  await publishKeys(cluster.client, pki('one'), ['https://192.0.2.1:2379', 'https://192.0.2.2:2379']);
  const key = await ensureCertificateKey(pki('one'));
  const endpoints = await fetchKeys(cluster.client, pki('two'), key);
  expect(endpoints).toEqual(['https://192.0.2.1:2379', 'https://192.0.2.2:2379']);
  expect(readdirSync(pki('two')).sort()).toEqual(['ca.crt', 'ca.key', 'control-plane.key', 'sa.key']);
  for (const [name, text] of Object.entries(files))
    expect(readFileSync(path.join(pki('two'), name), 'utf8')).toBe(text);
  expect(statSync(path.join(pki('two'), 'ca.key')).mode & 0o777).toBe(0o600);
  expect(await ensureCertificateKey(pki('two'))).toBe(key);
});

test('the secret shows no key to its readers', async () => {
  await publishKeys(cluster.client, pki('one'), []);
  const { data } = await secret();
  expect(atob(String(data?.['keys']))).not.toContain('secret of');
});

test('the same keys are not written again, and changed ones are', async () => {
  await publishKeys(cluster.client, pki('one'), ['a']);
  const { metadata } = await secret();
  await publishKeys(cluster.client, pki('one'), ['a']);
  expect((await secret()).metadata.resourceVersion).toBe(metadata.resourceVersion);
  writeFileSync(path.join(pki('one'), 'sa.key'), 'rotated');
  await publishKeys(cluster.client, pki('one'), ['a']);
  await fetchKeys(cluster.client, pki('two'), await ensureCertificateKey(pki('one')));
  expect(readFileSync(path.join(pki('two'), 'sa.key'), 'utf8')).toBe('rotated');
});

test.each([
  ['another key', (): string => '0'.repeat(64), (keys: string) => keys],
  ['changed bytes', (key: string) => key, (keys: string) => keys.replace(/^...../, 'AAAAA')],
  ['no keys', (key: string) => key, () => ''],
])('%s is refused, and no file is written', async (_, keyOf, change) => {
  await publishKeys(cluster.client, pki('one'), []);
  const current = await secret();
  await cluster.client.update('secrets', {
    ...current,
    data: { ...current.data, keys: change(String(current.data?.['keys'])) },
  });
  const key = keyOf(await ensureCertificateKey(pki('one')));
  await expect(fetchKeys(cluster.client, pki('two'), key)).rejects.toThrow('is not that of this cluster');
  expect(readdirSync(root)).toEqual(['one']);
});

test('a cluster without the secret is named', async () => {
  await expect(fetchKeys(cluster.client, pki('two'), '0'.repeat(64))).rejects.toThrow(/token create --server/);
});

test.each([
  ['a'.repeat(64), true],
  ['g'.repeat(64), false],
  ['a'.repeat(63), false],
])('%s is a certificate key: %s', (text, isOne) => expect(isCertificateKey(text)).toBe(isOne));
