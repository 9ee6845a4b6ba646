// Keys of a key management service: a plugin behind a socket encrypts the seed from which each value's key is derived.
// https://kubernetes.io/docs/tasks/administer-cluster/kms-provider/ (v2)

import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import type { Metrics } from '../../machinery/metrics.ts';
import { must } from '../../machinery/must.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { encryptionMetrics } from '../encryption-metrics.ts';
import type { KeyService } from '../interface.ts';
import type { KmsConfiguration } from './configuration.ts';
import { type Decrypted, need, openGcm, sealGcm, type Transformer } from './providers.ts';

const proto = `syntax = "proto3"; package v2;
message StatusRequest {}
message StatusResponse { string version = 1; string healthz = 2; string key_id = 3; }
message DecryptRequest { bytes ciphertext = 1; string uid = 2; string key_id = 3; map<string, bytes> annotations = 4; }
message DecryptResponse { bytes plaintext = 1; }
message EncryptRequest { bytes plaintext = 1; string uid = 2; }
message EncryptResponse { bytes ciphertext = 1; string key_id = 2; map<string, bytes> annotations = 3; }
message EncryptedObject { bytes encryptedData = 1; string keyID = 2; bytes encryptedDEKSource = 3;
  map<string, bytes> annotations = 4; int32 encryptedDEKSourceType = 5; }`;
const { root } = protobuf.parse(proto, { keepCase: true });
const EncryptedObject = root.lookupType('v2.EncryptedObject');

/** The plaintext of encryptedDEKSource is a seed (HKDF_SHA256_XNONCE_AES_GCM_SEED), or the key itself (AES_GCM_KEY). */
const seedType = 1;
const seedSize = 32;
const infoSize = 32;
/** Interval of checking whether the plugin's key was rotated. */
const statusMs = 60_000;
const mostSeeds = 1000;
/** A health check asks the plugin again after that, as Kubernetes' does. */
const healthyMs = 20_000;
const unhealthyMs = 3_000;
const annotationName = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\.[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

/** The seed for new values. */
interface Current {
  readonly source: Source;
  readonly seed: Uint8Array;
}

interface Source {
  readonly keyID: string;
  readonly encryptedDEKSource: Uint8Array;
  readonly annotations: Readonly<Record<string, Uint8Array>>;
}

/** The fields of stored values and responses, which protobufjs decodes by the schema above. */
interface Stored extends Source {
  readonly encryptedData: Uint8Array;
  readonly encryptedDEKSourceType: number;
}
interface StatusResponse {
  readonly version: string;
  readonly healthz: string;
  readonly key_id: string;
}
interface EncryptResponse {
  readonly ciphertext: Uint8Array;
  readonly key_id: string;
  readonly annotations?: Source['annotations'];
}
interface DecryptResponse {
  readonly plaintext: Uint8Array;
}

interface KmsContext {
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Rejects if the plugin does not respond or is unhealthy. */
export async function openKms(
  config: KmsConfiguration,
  measuring: KmsContext,
): Promise<Transformer & KeyService & { close(): void }> {
  const kms = new Kms(config, measuring);
  try {
    await kms.refresh();
  } catch (error) {
    kms.close();
    throw error;
  }
  return kms;
}

/** T is the message of the type above. */
const decoded = <T>(type: protobuf.Type, bytes: Uint8Array): T => type.decode(bytes) as T;

class Kms implements Transformer, KeyService {
  readonly prefix: string;
  readonly #config: KmsConfiguration;
  readonly #clock: Clock;
  readonly #metrics: ReturnType<typeof encryptionMetrics>;
  readonly #client: grpc.Client;
  /** Decrypted seeds and keys by their encrypted form. */
  readonly #seeds = new Map<string, Uint8Array>();
  #current: Current | undefined;
  #checkedAt = 0;
  #refreshing: Promise<void> | undefined;
  #health: { readonly problem: string | undefined; readonly untilMs: number } | undefined;

  constructor(config: KmsConfiguration, { clock, metrics }: KmsContext) {
    this.#clock = clock;
    this.#metrics = encryptionMetrics(metrics);
    this.prefix = `k8s:enc:kms:v2:${config.name}:`;
    this.#config = config;
    this.#client = new grpc.Client(config.endpoint, grpc.credentials.createInsecure(), {
      'grpc.default_authority': 'localhost',
    });
  }

  close(): void {
    this.#client.close();
  }

  async health(): Promise<string | undefined> {
    if (this.#health && this.#clock.monotonic() < this.#health.untilMs) return this.#health.problem;
    const problem = await this.#refreshOnce().then(
      () => undefined,
      (error: Error) => error.message,
    );
    const untilMs = this.#clock.monotonic() + (problem === undefined ? healthyMs : unhealthyMs);
    this.#health = { problem, untilMs };
    return problem;
  }

  /** Concurrent callers share one call of the plugin. */
  #refreshOnce(): Promise<void> {
    this.#refreshing ??= this.refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Makes a new seed when the service's key was rotated. */
  async refresh(): Promise<void> {
    const status = await this.#call<StatusResponse>('Status', {}, 'StatusRequest', 'StatusResponse');
    if (status.healthz !== 'ok') throw new Error(`kms plugin ${this.#config.name} is not healthy: ${status.healthz}`);
    if (status.version !== 'v2' && status.version !== 'v2beta1')
      throw new Error(`kms plugin ${this.#config.name} has version ${JSON.stringify(status.version)}, and not v2`);
    this.#checkedAt = this.#clock.monotonic();
    if (this.#current?.source.keyID === status.key_id) return;
    const startMs = this.#clock.monotonic();
    const made = await this.#makeSeed().catch((error) => {
      this.#metrics.keyGenerationFailures.add();
      throw error;
    });
    this.#metrics.keyGeneration.observe((this.#clock.monotonic() - startMs) / 1_000);
    this.#current = made;
    this.#seeds.set(idOf(made.source), made.seed);
  }

  async #makeSeed(): Promise<Current> {
    const seed = randomBytes(seedSize);
    const request = { plaintext: seed, uid: randomUUID() };
    const answer = await this.#call<EncryptResponse>('Encrypt', request, 'EncryptRequest', 'EncryptResponse');
    const source = {
      keyID: answer.key_id,
      encryptedDEKSource: answer.ciphertext,
      annotations: answer.annotations ?? {},
    };
    checkSource(source, this.#config.name);
    return { source, seed };
  }

  async encrypt(value: Uint8Array, key: string): Promise<Uint8Array> {
    if (this.#clock.monotonic() - this.#checkedAt > statusMs) await this.#refreshOnce();
    const { source, seed } = this.#current as Current; // set before this object is returned
    const info = randomBytes(infoSize);
    const encryptedData = Buffer.concat([info, sealGcm(expand(seed, info), value, key)]);
    return EncryptedObject.encode({ ...source, encryptedData, encryptedDEKSourceType: seedType }).finish();
  }

  async decrypt(bytes: Uint8Array, key: string): Promise<Decrypted> {
    const source = decoded<Stored>(EncryptedObject, bytes);
    checkSource(source, this.#config.name);
    const secret = await this.#secretOf(source);
    const isSeed = source.encryptedDEKSourceType === seedType;
    const isStale = !isSeed || source.keyID !== this.#current?.source.keyID;
    const data = source.encryptedData;
    if (!isSeed) return { value: openGcm(secret, data, key), isStale };
    need(data, infoSize);
    const derived = expand(secret, data.subarray(0, infoSize));
    return { value: openGcm(derived, data.subarray(infoSize), key), isStale };
  }

  async #secretOf(source: Source): Promise<Uint8Array> {
    const id = idOf(source);
    const cached = this.#seeds.get(id);
    if (cached) return cached;
    this.#metrics.keyMisses.add();
    const request = {
      ciphertext: source.encryptedDEKSource,
      uid: randomUUID(),
      key_id: source.keyID,
      annotations: source.annotations,
    };
    const { plaintext } = await this.#call<DecryptResponse>('Decrypt', request, 'DecryptRequest', 'DecryptResponse');
    if (this.#seeds.size >= mostSeeds) this.#seeds.clear();
    this.#seeds.set(id, plaintext);
    return plaintext;
  }

  #call<R>(method: string, message: object, request: string, response: string): Promise<R> {
    const [Request, Response] = [root.lookupType(`v2.${request}`), root.lookupType(`v2.${response}`)];
    const { name, timeoutMs } = this.#config;
    const encode = (value: object) => Buffer.from(Request.encode(Request.create(value)).finish());
    const decode = (bytes: Buffer) => decoded<R>(Response, bytes);
    const deadline = this.#clock.now() + timeoutMs;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/v2.KeyManagementService/${method}`,
        encode,
        decode,
        message,
        { deadline },
        (error, answer) => {
          if (error) reject(new Error(`kms plugin ${name}: ${method}: ${error.details || error.message}`));
          else resolve(must(answer, `response of ${method}`));
        },
      );
    });
  }
}

/** HKDF-Expand (RFC 5869) with SHA-256 for one block: a key of 32 bytes. */
const expand = (seed: Uint8Array, info: Uint8Array): Buffer =>
  createHmac('sha256', seed)
    .update(info)
    .update(Buffer.from([1]))
    .digest();

function idOf({ keyID, encryptedDEKSource, annotations }: Source): string {
  const hash = createHash('sha256').update(`${keyID.length}:${keyID}`).update(encryptedDEKSource);
  for (const name of Object.keys(annotations).sort()) hash.update(`${name.length}:${name}`).update(annotations[name]);
  return hash.digest('hex');
}

function checkSource({ keyID, encryptedDEKSource, annotations }: Source, plugin: string): void {
  const fail = (why: string) => new Error(`kms plugin ${plugin}: ${why}`);
  if (!keyID || Buffer.byteLength(keyID) > 1024) throw fail('keyID must have 1 to 1024 bytes');
  if (!encryptedDEKSource?.length || encryptedDEKSource.length > 1024)
    throw fail('the encrypted seed must have 1 to 1024 bytes');
  let size = 0;
  for (const [name, value] of Object.entries(annotations)) {
    if (!annotationName.test(name)) throw fail(`the annotation ${JSON.stringify(name)} is no qualified domain name`);
    size += Buffer.byteLength(name) + value.length;
  }
  if (size > 32 * 1024) throw fail('its annotations take more than 32 kB');
}
