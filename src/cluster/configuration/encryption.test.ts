import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { createMemoryStore, type Store, textOf } from '../../store/store.ts';
import { dataDirectory } from '../data-directory.ts';
import { withEncryption } from './encryption.ts';

let root: string;
let inner: Store;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'coracle-encryption-'));
  mkdirSync(join(root, 'pki'));
  inner = createMemoryStore({ clock: systemClock });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const open = (encryptionConfig?: string) =>
  withEncryption(inner, {
    config: { encryptionConfig },
    directory: dataDirectory(root),
    clock: systemClock,
    metrics: new Metrics(),
    logger: silentLogger,
  });
const secret = '/registry/secrets/default/a';
const raw = async (key: string) => textOf((await inner.get(key))!.value);
const own = () => join(root, 'pki', 'encryption.yaml');

test('auto encrypts secrets, those that were there too, and stays on', async () => {
  await inner.commit([{ key: secret, value: '{"old":1}' }]);
  const store = await open('auto');
  expect(statSync(own()).mode & 0o777).toBe(0o600);
  await vi.waitFor(async () => expect(await raw(secret)).toMatch(/^k8s:enc:secretbox:v1:key1:/));
  await store.commit([
    { key: '/registry/secrets/default/b', value: '{}' },
    { key: '/registry/configmaps/default/b', value: '{}' },
  ]);
  expect(await raw('/registry/configmaps/default/b')).toBe('{}');
  const later = await open();
  expect(textOf((await later.get(secret))!.value)).toBe('{"old":1}');
});

test('resources of groups and custom resources are found by their keys', async () => {
  const file = join(root, 'config.yaml');
  const key = Buffer.alloc(32, 1).toString('base64');
  writeFileSync(
    file,
    `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [deployments.apps, tabs.example.com, nodes]
  providers: [{aesgcm: {keys: [{name: k, secret: ${key}}]}}]`,
  );
  const store = await open(file);
  const keys = ['deployments/default/a', 'example.com/tabs/default/a', 'minions/a'].map((one) => `/registry/${one}`);
  for (const one of [...keys, '/registry/replicasets/default/a']) await store.commit([{ key: one, value: '{}' }]);
  for (const one of keys) expect(await raw(one)).toMatch(/^k8s:enc:aesgcm:v1:k:/);
  expect(await raw('/registry/replicasets/default/a')).toBe('{}');
});

test.each([
  {
    case: 'no configuration',
    config: () => undefined,
    says: 'give its configuration with --encryption-config',
  },
  {
    case: 'another key',
    config: () => 'auto',
    says: `encryption.yaml cannot be used: the value of ${secret} cannot be decrypted`,
  },
  { case: 'a file that does not exist', config: () => '/nowhere.yaml', says: '/nowhere.yaml cannot be used: ENOENT' },
])('encrypted data and $case is refused', async ({ config, says }) => {
  const store = await open('auto');
  await store.commit([{ key: secret, value: '{}' }]);
  renameSync(own(), join(root, 'away.yaml'));
  await expect(open(config())).rejects.toThrow(says);
});
