// Pulls images as the OCI distribution-spec (v1.1) has it: manifest by tag or digest, then config and layers.

import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Pieces } from '../../machinery/collections/pieces.ts';
import { must } from '../../machinery/must.ts';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { RuntimeError } from '../runtime-error.ts';
import {
  type Descriptor,
  type ImageRecord,
  type ImageStore,
  type Manifest,
  mostLayers,
  tooManyLayers,
} from './image-store.ts';
import { choosePlatform, isIndex } from './platform.ts';
import { type ImageReference, normalizeReference } from './reference.ts';
import { getFollowing, pacing, realmOf } from './registry-requests.ts';

export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
}

const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** A manifest larger than this is none (distribution-spec: registries should refuse them as well). */
const largestDocument = 4 * 2 ** 20;

/** Rejects with RuntimeError('image'), with containerd's wording; removes fetched data on failure. */
export async function pullFromRegistry(
  store: ImageStore,
  clock: Clock,
  name: string,
  auth?: RegistryAuth,
  signal?: AbortSignal,
): Promise<ImageRecord> {
  const reference = normalizeReference(name);
  const fetched = new Set<string>();
  const failing = new AbortController();
  const ends = signal ? AbortSignal.any([signal, failing.signal]) : failing.signal;
  try {
    return await pull(store, new Registry(reference, clock, ends, auth), reference, { fetched, failing, ends });
  } catch (error) {
    await store.discard(fetched);
    const why = error instanceof Error ? error.message : String(error);
    throw new RuntimeError('image', `failed to pull and unpack image "${reference.canonical}": ${why}`, {
      cause: error,
    });
  }
}

interface Pull {
  /** Digests of the blobs that are in the store. */
  readonly fetched: Set<string>;
  /** Ends the other downloads when one has failed. */
  readonly failing: AbortController;
  readonly ends: AbortSignal;
}

async function pull(
  store: ImageStore,
  registry: Registry,
  reference: ImageReference,
  { fetched, failing, ends }: Pull,
) {
  let { digest, document } = await registry.manifest(reference.digest ?? must(reference.tag, 'tag'));
  const top = digest;
  if (isIndex(document))
    ({ digest, document } = await registry.manifest(choosePlatform(document.manifests, reference.canonical).digest));
  const manifest = document as Manifest;
  if (!manifest.config?.digest || !Array.isArray(manifest.layers))
    throw new RuntimeError(
      'image',
      `unsupported manifest media type ${JSON.stringify(manifest.mediaType ?? '').slice(0, 200)}`,
    );
  checkSizes(manifest);
  await store.putBlob(registry.lastManifest);
  fetched.add(digest);
  await store.ingest(async (directory) => {
    // An image may list a layer twice.
    const blobs = new Map([manifest.config, ...manifest.layers].map((blob) => [blob.digest, blob]));
    const missing = [...blobs.values()].filter(({ digest }) => !store.hasBlob(digest));
    // Three at a time, as containerd does.
    const worker = async () => {
      for (let blob = missing.shift(); blob; blob = missing.shift()) {
        const path = join(directory, blob.digest.replace(':', '-'));
        await registry.blob(blob, path);
        fetched.add(blob.digest);
        await store.commitBlob(path, blob.digest);
      }
    };
    const failed = (error: unknown) => failing.abort(error);
    // None may write when its directory is removed.
    await Promise.all([1, 2, 3].map(() => worker().catch(failed)));
    failing.signal.throwIfAborted();
  });
  const tags = reference.digest ? [] : [reference.canonical];
  // Users see and write the digest of the index, if there is one.
  return store.addImage(
    manifest,
    digest,
    tags,
    [...new Set([top, digest])].map((each) => `${reference.name}@${each}`),
    ends,
  );
}

/** A blob without a size could be endless. */
function checkSizes({ config, layers }: Manifest): void {
  if (layers.length > mostLayers) throw tooManyLayers(layers.length);
  for (const blob of [config, ...layers]) {
    const { digest, size } = fieldsIn(blob);
    if (!Number.isSafeInteger(size) || Number(size) < 0)
      throw new RuntimeError('image', `the manifest has no size for ${JSON.stringify(digest)?.slice(0, 100)}`);
  }
  if (Number(config.size) > largestDocument) throw new RuntimeError('image', 'image config is larger than 4 MiB');
}

/** Calls `count` when data arrives. */
async function documentOf(response: Response, name: string, count: Count = () => {}): Promise<Buffer> {
  const pieces = new Pieces();
  for await (const chunk of response.body ?? []) {
    count(chunk.length);
    pieces.add(chunk);
    if (pieces.length > largestDocument) throw new RuntimeError('image', `${name} is larger than 4 MiB`);
  }
  return Buffer.concat(pieces.parts());
}

type Count = (bytes: number) => void;

/** The error has nothing of the content: the answer may come from a server that users cannot ask. */
function parsedDocument(content: Buffer, name: string): unknown {
  try {
    return JSON.parse(content.toString());
  } catch {
    throw new RuntimeError('image', `the ${name} is not JSON`);
  }
}

class Registry {
  lastManifest: Buffer = Buffer.alloc(0);
  readonly #base: string;
  readonly #reference: ImageReference;
  readonly #clock: Clock;
  readonly #auth?: RegistryAuth;
  #authorization?: string;

  readonly #cancelled: AbortSignal;

  constructor(reference: ImageReference, clock: Clock, cancelled: AbortSignal, auth?: RegistryAuth) {
    const host = reference.registry === 'docker.io' ? 'registry-1.docker.io' : reference.registry;
    const local = /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/.test(host);
    this.#base = `${local ? 'http' : 'https'}://${host}/v2/${reference.repository}`;
    this.#reference = reference;
    this.#clock = clock;
    this.#auth = auth;
    this.#cancelled = cancelled;
  }

  async manifest(tagOrDigest: string): Promise<{ digest: string; document: unknown }> {
    const content = await this.#get(`${this.#base}/manifests/${tagOrDigest}`, (response, count) =>
      documentOf(response, 'manifest', count),
    );
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    if (tagOrDigest.includes(':') && tagOrDigest !== digest)
      throw new RuntimeError('image', `manifest has digest ${digest}, ${tagOrDigest} was requested`);
    this.lastManifest = content;
    return { digest, document: parsedDocument(content, 'manifest') };
  }

  async blob(descriptor: Descriptor, path: string): Promise<void> {
    const hash = createHash('sha256');
    let size = 0;
    await this.#get(`${this.#base}/blobs/${descriptor.digest}`, async (response, count) => {
      const file = openSync(path, 'wx', 0o600);
      try {
        for await (const chunk of response.body ?? []) {
          count(chunk.length);
          hash.update(chunk);
          for (let done = 0; done < chunk.length; ) done += writeSync(file, chunk, done);
          size += chunk.length;
          if (descriptor.size !== undefined && size > descriptor.size) break;
        }
      } finally {
        closeSync(file);
      }
    });
    const digest = `sha256:${hash.digest('hex')}`;
    if (digest !== descriptor.digest || (descriptor.size !== undefined && descriptor.size !== size))
      throw new RuntimeError('image', `blob ${descriptor.digest} is damaged: got ${size} bytes with digest ${digest}`);
  }

  /** A GET, with a token if the registry requires one. Callers call `count` when data arrives. */
  async #get<Result>(url: string, read: (response: Response, count: Count) => Promise<Result>): Promise<Result> {
    const pace = pacing(this.#clock);
    const signal = AbortSignal.any([pace.signal, this.#cancelled]);
    try {
      let { response, isOwn } = await this.#request(url, signal);
      // No other server may ask for a password.
      if (response.status === 401 && isOwn && (await this.#authenticate(response, signal)))
        ({ response, isOwn } = await this.#request(url, signal));
      if (!response.ok) throw await this.#refusal(url, response);
      return await read(response, pace.count);
    } finally {
      pace.end();
    }
  }

  async #request(url: string, signal: AbortSignal): ReturnType<typeof getFollowing> {
    const headers: Record<string, string> = { accept, 'user-agent': 'coracle' };
    if (this.#authorization) headers['authorization'] = this.#authorization;
    try {
      return await getFollowing(new URL(url), headers, signal);
    } catch (error) {
      const cause = (error as { cause?: { message?: string } }).cause?.message ?? (error as Error).message;
      throw new RuntimeError(
        'image',
        `failed to resolve reference "${this.#reference.canonical}": failed to do request: Get "${url}": ${cause}`,
      );
    }
  }

  /** True when there is something new to try with. */
  async #authenticate(response: Response, signal: AbortSignal): Promise<boolean> {
    await response.body?.cancel();
    const challenge = response.headers.get('www-authenticate') ?? '';
    const basic = this.#auth
      ? `Basic ${Buffer.from(`${this.#auth.username}:${this.#auth.password}`).toString('base64')}`
      : undefined;
    if (/^basic/i.test(challenge)) {
      if (!basic || this.#authorization === basic) return false;
      this.#authorization = basic;
      return true;
    }
    const parameters = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    );
    if (!/^bearer/i.test(challenge) || !parameters['realm']) return false;
    const url = realmOf(parameters['realm'], new URL(this.#base));
    if (parameters['service']) url.searchParams.set('service', parameters['service']);
    url.searchParams.set('scope', parameters['scope'] ?? `repository:${this.#reference.repository}:pull`);
    const { response: answer } = await getFollowing(url, basic ? { authorization: basic } : {}, signal);
    if (!answer.ok)
      throw new RuntimeError(
        'image',
        `failed to resolve reference "${this.#reference.canonical}": failed to authorize: failed to fetch ${basic ? 'oauth' : 'anonymous'} token: unexpected status from GET request to ${url}: ${answer.status} ${answer.statusText}`,
      );
    const token = fieldsIn(parsedDocument(await documentOf(answer, 'token'), 'token'));
    const text = textIn(token['token']) || textIn(token['access_token']);
    if (!/^[\x21-\x7e]+$/.test(text)) throw new RuntimeError('image', `${url.host} gave no token`);
    this.#authorization = `Bearer ${text}`;
    return true;
  }

  async #refusal(url: string, response: Response): Promise<RuntimeError> {
    await response.body?.cancel();
    const { canonical, name } = this.#reference;
    const resolving = `failed to resolve reference "${canonical}"`;
    if (response.status === 404) return new RuntimeError('image', `${resolving}: ${canonical}: not found`);
    if (response.status === 401 || response.status === 403)
      return new RuntimeError(
        'image',
        `${resolving}: pull access denied, repository does not exist or may require authorization: ${name}: ${response.status} ${response.statusText}`,
      );
    return new RuntimeError(
      'image',
      `${resolving}: unexpected status from GET request to ${url}: ${response.status} ${response.statusText}`,
    );
  }
}
