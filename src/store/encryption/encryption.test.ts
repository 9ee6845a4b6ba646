import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { afterEach, describe, expect, test } from 'vitest';
import { Metrics } from '../../machinery/metrics.ts';
import { mustBeClear, mutatedText } from '../../machinery/test-mutated.ts';
import fc from '../../machinery/test-property.ts';
import { systemClock, VirtualClock } from '../../machinery/time/clock.ts';
import { prefixRange, type Store } from '../interface.ts';
import { createMemoryStore } from '../memory.ts';
import { storeContract } from '../store.contract.ts';
import { textOf } from '../store.ts';
import { bytesOf } from '../value.ts';
import {
  EncryptionConfigurationError,
  encryptedStore,
  openTransformers,
  parseEncryptionConfiguration,
} from './encryption.ts';
import { aescbc, aesgcm, secretbox } from './providers.ts';

const head = 'apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n';
const secretOf = (byte: number) => Buffer.alloc(32, byte).toString('base64');
const keys = (...bytes: number[]) =>
  `keys: [${bytes.map((byte) => `{name: k${byte}, secret: ${secretOf(byte)}}`).join(', ')}]`;
const configOf = (...providers: string[]) =>
  `${head}- resources: [secrets]\n  providers: [${providers.map((one) => `{${one}}`).join(', ')}]`;
/** Of keys such as /registry/secrets/default/a. */
const resourceOf = (key: string) => ({ group: '', resource: key.split('/')[2] });
const open = async (store: Store, config: string) =>
  encryptedStore(
    store,
    (await openTransformers(parseEncryptionConfiguration(config), resourceOf, systemClock)).transformersFor,
  );

let clock = new VirtualClock();
storeContract('memory, encrypted', {
  async open() {
    clock = new VirtualClock();
    const { transformersFor } = await openTransformers(
      parseEncryptionConfiguration(configOf(`secretbox: {${keys(1)}}`).replace('secrets', "'*.*'")),
      resourceOf,
      clock,
    );
    return encryptedStore(createMemoryStore({ clock }), transformersFor);
  },
  pass: (ms) => clock.advance(ms),
});

const key = '/registry/secrets/default/a';
const value = '{"kind":"Secret","data":{"a":"Z3LDvMOfZQ=="}}';

describe.each(['aescbc', 'aesgcm', 'secretbox'])('%s', (kind) => {
  test('stored values are encrypted and decrypted; other resources stay plain', async () => {
    const inner = createMemoryStore({ clock: systemClock });
    const store = await open(inner, configOf(`${kind}: {${keys(1)}}`));
    await store.commit([
      { key, value },
      { key: '/registry/configmaps/default/a', value },
    ]);
    const stored = bytesOf((await inner.get(key))!.value);
    expect(Buffer.from(stored).toString('latin1')).toMatch(new RegExp(`^k8s:enc:${kind}:v1:k1:`));
    expect(Buffer.from(stored).includes('Secret')).toBe(false);
    expect(textOf((await inner.get('/registry/configmaps/default/a'))!.value)).toBe(value);
    expect(textOf((await store.get(key))!.value)).toBe(value);
    const { entries } = await store.range(prefixRange('/registry/'));
    expect(entries.map((entry) => textOf(entry.value))).toEqual([value, value]);
  });

  test('a damaged value is refused by the name of its key', async () => {
    const inner = createMemoryStore({ clock: systemClock });
    const store = await open(inner, configOf(`${kind}: {${keys(1)}}`));
    await store.commit([{ key, value }]);
    const stored = Buffer.from(bytesOf((await inner.get(key))!.value));
    await inner.commit([{ key, value: stored.subarray(0, stored.length - 5) }]);
    await expect(store.get(key)).rejects.toThrow(`the value of ${key} cannot be decrypted`);
  });

  test('keys are rotated: the first writes, all read, and old values are rewritten', async () => {
    const inner = createMemoryStore({ clock: systemClock });
    await (await open(inner, configOf('identity: {}'))).commit([{ key: '/registry/secrets/x/plain', value }]);
    await (await open(inner, configOf(`${kind}: {${keys(1)}}`))).commit([{ key, value }]);
    const rotated = await open(inner, configOf(`${kind}: {${keys(2, 1)}}`, 'identity: {}'));
    expect(textOf((await rotated.get(key))!.value)).toBe(value);
    expect(await rotated.rewriteStale(new AbortController().signal)).toBe(2);
    expect(await rotated.rewriteStale(new AbortController().signal)).toBe(0);
    const alone = await open(inner, configOf(`${kind}: {${keys(2)}}`));
    const { entries } = await alone.range(prefixRange('/registry/secrets/'));
    expect(entries.map((entry) => textOf(entry.value))).toEqual([value, value]);
    const without = await open(inner, configOf(`${kind}: {${keys(1)}}`));
    await expect(without.get(key)).rejects.toThrow('cannot be decrypted');
  });
});

test('a value that was moved to another key is not read', async () => {
  const inner = createMemoryStore({ clock: systemClock });
  const store = await open(inner, configOf(`aesgcm: {${keys(1)}}`));
  await store.commit([{ key, value }]);
  await inner.commit([{ key: '/registry/secrets/default/b', value: (await inner.get(key))!.value }]);
  await expect(store.get('/registry/secrets/default/b')).rejects.toThrow('cannot be decrypted');
});

test('identity first: encrypted values are still read, and new ones are plain', async () => {
  const inner = createMemoryStore({ clock: systemClock });
  await (await open(inner, configOf(`aescbc: {${keys(1)}}`))).commit([{ key, value }]);
  const leaving = await open(inner, configOf('identity: {}', `aescbc: {${keys(1)}}`));
  expect(await leaving.rewriteStale(new AbortController().signal)).toBe(1);
  expect(textOf((await inner.get(key))!.value)).toBe(value);
});

// Made with the same keys by Go's crypto/aes and golang.org/x/crypto/nacl/secretbox have this layout: nonce, then data.
test.each([
  { transformer: aescbc({ name: 'k', secret: Buffer.alloc(16, 1) }), overhead: [17, 32] },
  { transformer: aesgcm({ name: 'k', secret: Buffer.alloc(24, 1) }), overhead: [28, 28] },
  { transformer: secretbox({ name: 'k', secret: Buffer.alloc(32, 1) }), overhead: [40, 40] },
])('$transformer.prefix adds a nonce and a tag, or padding', async ({ transformer, overhead: [least, most] }) => {
  for (let length = 0; length < 40; length++) {
    const plain = Buffer.alloc(length, 7);
    const encrypted = await transformer.encrypt(plain, key);
    expect(encrypted.length - length).toBeGreaterThanOrEqual(least);
    expect(encrypted.length - length).toBeLessThanOrEqual(most);
    const decrypted = await transformer.decrypt(encrypted, key);
    expect(Buffer.from(decrypted.value)).toEqual(plain);
  }
});

describe('a configuration is refused, with the reason and without its secrets', () => {
  test.each([
    ['', 'it is empty'],
    ['kind: Policy', 'apiVersion must be apiserver.config.k8s.io/v1'],
    [head, 'resources: at least one resource is required'],
    [configOf(), 'resources[0].providers: at least one is required'],
    [configOf(''), 'does not contain any of the expected providers'],
    [configOf(`identity: {}, aescbc: {${keys(1)}}`), 'more than one provider'],
    [configOf('rot13: {}'), 'unknown provider rot13'],
    [configOf('aescbc: {keys: []}'), 'resources[0].providers[0].aescbc.keys: at least one key is required'],
    [configOf('aescbc: {keys: [{secret: AAAA}]}'), 'keys[0].name: a name is required'],
    [configOf('aescbc: {keys: [{name: a}]}'), 'keys[0].secret: a secret is required'],
    [configOf('aescbc: {keys: [{name: a, secret: "?!"}]}'), 'secrets must be base64 encoded'],
    [configOf('aescbc: {keys: [{name: a, secret: c2VjcmV0}]}'), 'got 6, expected one of [16 24 32]'],
    [configOf('secretbox: {keys: [{name: a, secret: MDEyMzQ1Njc4OWFiY2RlZg==}]}'), 'expected one of [32]'],
    [configOf('kms: {name: a, endpoint: "unix:///x"}'), 'unsupported apiVersion "v1"'],
    [configOf('kms: {apiVersion: v2, name: "a:b", endpoint: "unix:///x"}'), "must not contain ':'"],
    [configOf('kms: {apiVersion: v2, name: a, endpoint: "http://x"}'), 'must be a unix:// socket'],
    [configOf('identity: {}').replace('secrets', "'*'"), "use '*.' to encrypt"],
    [configOf('identity: {}').replace('secrets', 'Secrets'), 'should not contain capital letters'],
    [configOf('identity: {}').replace('secrets', "secrets, '*.'"), 'overlapping resources'],
    [configOf('identity: {}').replace('secrets', 'secrets, secrets'), 'specified multiple times'],
    [configOf('identity: {}').replace('secrets', "'pods.*'"), 'across groups is not supported'],
  ])('%#: %s', (text, says) => {
    expect(() => parseEncryptionConfiguration(text)).toThrow(says);
  });
});

describe('kms', () => {
  const { root } = protobuf.parse(
    `syntax = "proto3"; package v2; service KeyManagementService {
      rpc Status(StatusRequest) returns (StatusResponse); rpc Decrypt(DecryptRequest) returns (DecryptResponse);
      rpc Encrypt(EncryptRequest) returns (EncryptResponse); }
    message StatusRequest {} message StatusResponse { string version = 1; string healthz = 2; string key_id = 3; }
    message DecryptRequest { bytes ciphertext = 1; string uid = 2; string key_id = 3; map<string, bytes> annotations = 4; }
    message DecryptResponse { bytes plaintext = 1; }
    message EncryptRequest { bytes plaintext = 1; string uid = 2; }
    message EncryptResponse { bytes ciphertext = 1; string key_id = 2; map<string, bytes> annotations = 3; }`,
    { keepCase: true },
  );
  let stop = () => {};
  afterEach(() => stop());

  /** A plugin that turns bytes over with a key of one byte, which a test can rotate. */
  async function plugin(state: { keyId: number; healthz: string }) {
    const directory = mkdtempSync(join(tmpdir(), 'coracle-kms-'));
    const service: any = {};
    for (const { name, requestType, responseType } of root.lookupService('v2.KeyManagementService').methodsArray) {
      const [request, response] = [root.lookupType(`v2.${requestType}`), root.lookupType(`v2.${responseType}`)];
      service[name] = {
        path: `/v2.KeyManagementService/${name}`,
        requestStream: false,
        responseStream: false,
        requestDeserialize: (bytes: Buffer) => request.decode(bytes),
        responseSerialize: (message: object) => Buffer.from(response.encode(response.create(message)).finish()),
      };
    }
    const turn = (bytes: Uint8Array, by: number) => Buffer.from(bytes.map((byte) => byte ^ by));
    const server = new grpc.Server();
    server.addService(service, {
      Status: (_: unknown, answer: any) =>
        answer(null, { version: 'v2', healthz: state.healthz, key_id: String(state.keyId) }),
      Encrypt: ({ request }: any, answer: any) =>
        answer(null, { ciphertext: turn(request.plaintext, state.keyId), key_id: String(state.keyId) }),
      Decrypt: ({ request }: any, answer: any) =>
        answer(null, { plaintext: turn(request.ciphertext, Number(request.key_id)) }),
    });
    const endpoint = `unix://${directory}/kms.sock`;
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(endpoint, grpc.ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      ),
    );
    stop = () => {
      server.forceShutdown();
      rmSync(directory, { recursive: true, force: true });
    };
    return configOf(`kms: {apiVersion: v2, name: mine, endpoint: "${endpoint}"}`);
  }

  test('a plugin encrypts the seed; values outlive the process and the rotation of its key', async () => {
    const state = { keyId: 1, healthz: 'ok' };
    const config = await plugin(state);
    const inner = createMemoryStore({ clock: systemClock });
    await (await open(inner, config)).commit([{ key, value }]);
    expect(Buffer.from(bytesOf((await inner.get(key))!.value)).toString('latin1')).toMatch(/^k8s:enc:kms:v2:mine:/);
    state.keyId = 2;
    const later = await open(inner, config);
    expect(textOf((await later.get(key))!.value)).toBe(value);
    expect(await later.rewriteStale(new AbortController().signal)).toBe(1);
  });

  test('an unhealthy or missing plugin is reported by name', async () => {
    const config = await plugin({ keyId: 1, healthz: 'broken' });
    const inner = createMemoryStore({ clock: systemClock });
    await expect(open(inner, config)).rejects.toThrow('kms plugin mine is not healthy: broken');
    stop();
    await expect(open(inner, config)).rejects.toThrow('kms plugin mine: Status');
  });

  test('the health of a plugin is checked every 20 s, and every 3 s while it is broken', async () => {
    const state = { keyId: 1, healthz: 'ok' };
    const configurations = parseEncryptionConfiguration(await plugin(state));
    let nowMs = 0;
    const clock = { ...systemClock, monotonic: () => nowMs };
    const { keyServices, close } = await openTransformers(configurations, () => undefined, clock);
    const [service] = keyServices;
    expect(await service.health()).toBeUndefined();
    state.healthz = 'broken';
    nowMs += 19_999;
    expect(await service.health()).toBeUndefined();
    nowMs += 1;
    expect(await service.health()).toBe('kms plugin mine is not healthy: broken');
    state.healthz = 'ok';
    nowMs += 2_999;
    expect(await service.health()).toBe('kms plugin mine is not healthy: broken');
    nowMs += 1;
    expect(await service.health()).toBeUndefined();
    close();
  });
});

test('transformations are counted and timed by resource and prefix', async () => {
  const metrics = new Metrics();
  const inner = createMemoryStore({ clock: systemClock });
  const config = parseEncryptionConfiguration(configOf(`aesgcm: {${keys(1)}}`));
  const { transformersFor } = await openTransformers(config, resourceOf, systemClock, metrics);
  const store = encryptedStore(inner, transformersFor);
  await store.commit([{ key, value }]);
  await store.get(key);
  await inner.commit([{ key, value: 'k8s:enc:aesgcm:v1:k1:damaged' }]);
  await expect(store.get(key)).rejects.toThrow();
  const lines = metrics.text().split('\n');
  const labels = (type: string) => `transformation_type="${type}",transformer_prefix="k8s:enc:aesgcm:v1:k1:"`;
  const total = (type: string, status: string) =>
    `apiserver_storage_transformation_operations_total{resource="secrets",${labels(type)},status="${status}"} 1`;
  expect(lines).toContain(total('to_storage', 'OK'));
  expect(lines).toContain(total('from_storage', 'OK'));
  expect(lines).toContain(total('from_storage', 'unknown-non-grpc'));
  expect(lines).toContain(`apiserver_storage_transformation_duration_seconds_count{${labels('from_storage')}} 1`);
});

test('any configuration file is read or refused with a clear message that has no key', async () => {
  const secret = secretOf(7);
  const named = { keys: [{ name: 'a', secret }] };
  const sample = {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'EncryptionConfiguration',
    resources: [
      {
        resources: ['secrets', 'deployments.apps'],
        providers: [{ aescbc: named }, { aesgcm: named }, { identity: {} }],
      },
      { resources: ['*.*'], providers: [{ secretbox: named }] },
    ],
  };
  parseEncryptionConfiguration(JSON.stringify(sample));
  await fc.assert(
    fc.asyncProperty(mutatedText(sample), async (text) => {
      let parsed: ReturnType<typeof parseEncryptionConfiguration>;
      try {
        parsed = parseEncryptionConfiguration(text);
      } catch (error) {
        expect(error).toBeInstanceOf(EncryptionConfigurationError);
        mustBeClear((error as Error).message);
        expect((error as Error).message).not.toContain(secret);
        return;
      }
      const local = parsed.filter(({ providers }) => providers.every(({ kind }) => kind !== 'kms'));
      const { transformersFor } = await openTransformers(local, resourceOf, systemClock);
      const store = encryptedStore(createMemoryStore({ clock: systemClock }), transformersFor);
      await store.commit([{ key, value }]);
      expect(textOf((await store.get(key))?.value ?? '')).toBe(value);
    }),
    { numRuns: 600 },
  );
});
