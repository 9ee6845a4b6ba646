// Images on disk. Several processes may use one directory at once (a node and `coracle image load`), so no state is
// cached in memory, every file is complete when it gets its name, and unfinished files are below ingest/.
//
//   blobs/sha256/<hex>     original manifests, configs and layers, named by digest
//   snapshots/<chain id>/  the file tree of an image: the lower directory of its containers' overlays
//   records/<image id>     the record of an image, with its names
//   leases/<container id>  the snapshot of a container; while it exists, the image cannot be removed
//
// A snapshot is one whole tree and not a stack of layers: whiteouts need device nodes and extended attributes that Node
// cannot make. Trees with common layers share their files by hard links instead.

import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Random } from '../../machinery/random.ts';
import type { Image } from '../interface.ts';
import { RuntimeError } from '../runtime-error.ts';
import { applyLayer, cloneTree, removeTree } from './layer.ts';
import { normalizeReference } from './reference.ts';

/** The part of an OCI image config (image-spec, config.md) for running a container. */
export interface ImageConfig {
  readonly User?: string;
  readonly Env?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
}

export interface ImageRecord extends Image {
  readonly manifestDigest: string;
  readonly snapshot: string;
  readonly config: ImageConfig;
  /** Blobs that are removed with the image. */
  readonly blobs: readonly string[];
}

export interface Descriptor {
  readonly mediaType?: string;
  readonly digest: string;
  readonly size?: number;
  readonly platform?: { readonly architecture: string; readonly os: string; readonly variant?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly mediaType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Docker makes 127 at most. */
export const mostLayers = 1_000;
const largestConfig = 4 << 20;

export const tooManyLayers = (count: number) =>
  new RuntimeError('image', `image has ${count} layers: at most ${mostLayers} are supported`);

export class ImageStore {
  readonly directory: string;
  readonly #random: Random;
  #cache?: { mtimeMs: number; records: readonly ImageRecord[] };
  /** By name. A record may have megabytes, so only those that changed are read again. */
  #records: ReadonlyMap<string, ReadRecord> = new Map();

  constructor(directory: string, random: Random) {
    this.directory = directory;
    this.#random = random;
    for (const name of ['blobs/sha256', 'snapshots', 'records', 'leases', 'ingest'])
      mkdirSync(join(directory, name), { recursive: true, mode: 0o700 });
    this.#sweep();
  }

  list(): readonly ImageRecord[] {
    const path = join(this.directory, 'records');
    const { mtimeMs } = statSync(path);
    if (this.#cache?.mtimeMs === mtimeMs) return this.#cache.records;
    const names = readdirSync(path).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const cached = this.#records;
    this.#records = new Map(names.map((name) => [name, readRecord(join(path, name), cached.get(name))]));
    const records = [...this.#records.values()].map(({ record }) => record);
    this.#cache = { mtimeMs, records };
    return records;
  }

  /** By id, with or without `sha256:`, by name and tag, or by name and digest. */
  find(reference: string): ImageRecord | undefined {
    if (/^(sha256:)?[0-9a-f]{64}$/.test(reference)) return this.list().find((image) => image.id.endsWith(reference));
    const { canonical, digest } = normalizeReference(reference);
    return this.list().find((image) => (digest ? image.repoDigests : image.repoTags).includes(canonical));
  }

  rootfs(image: ImageRecord): string {
    if (!isInside(image))
      throw new RuntimeError('image', `image ${image.id} is damaged: its files lie outside of the image store`);
    return join(this.directory, 'snapshots', image.snapshot);
  }

  /**
   * Removes a name, or with an id all names; the image is removed with its last name. Succeeds if it does not exist.
   */
  async remove(reference: string): Promise<void> {
    const image = this.find(reference);
    if (!image) return;
    const byId = /^(sha256:)?[0-9a-f]{64}$/.test(reference);
    const repoTags = byId ? [] : image.repoTags.filter((tag) => tag !== normalizeReference(reference).canonical);
    if (repoTags.length > 0 && repoTags.length < image.repoTags.length) return this.#write({ ...image, repoTags });
    const user = this.#leases().find((lease) => lease.snapshot === image.snapshot);
    if (user)
      throw new RuntimeError(
        'image',
        `image ${image.repoTags[0] ?? image.id} is in use by container ${user.container.slice(0, 12)}: remove that first`,
      );
    await rm(this.#recordPath(image.id), { force: true });
    this.#cache = undefined;
    const kept = this.list();
    const isShared = kept.some((other) => other.snapshot === image.snapshot);
    if (!isShared && isInside(image)) await removeTree(this.rootfs(image));
    await this.discard(image.blobs);
  }

  /** Removes those of the blobs that no image has. */
  async discard(digests: Iterable<string>): Promise<void> {
    const kept = new Set(this.list().flatMap((image) => image.blobs));
    for (const digest of digests) if (!kept.has(digest)) await rm(this.blobPath(digest), { force: true });
  }

  async lease(containerId: string, image: ImageRecord): Promise<void> {
    await writeFile(join(this.directory, 'leases', containerId), image.snapshot);
  }

  async release(containerId: string): Promise<void> {
    await rm(join(this.directory, 'leases', containerId), { force: true });
  }

  blobPath(digest: string): string {
    return join(this.directory, 'blobs', checkDigest(digest).replace(':', '/'));
  }

  hasBlob(digest: string): boolean {
    return existsSync(this.blobPath(digest));
  }

  /** Runs `work` with a temporary directory, which is always removed afterwards. */
  async ingest<Result>(work: (directory: string) => Promise<Result>): Promise<Result> {
    const suffix = Buffer.from(this.#random.bytes(6)).toString('hex');
    const path = join(this.directory, 'ingest', `${process.pid}-${suffix}`);
    mkdirSync(path, { mode: 0o700 });
    try {
      return await work(path);
    } finally {
      await removeTree(path);
    }
  }

  /** Moves a complete file in; its digest has been verified. */
  async commitBlob(path: string, digest: string): Promise<void> {
    await rename(path, this.blobPath(digest));
  }

  async putBlob(content: Buffer): Promise<Descriptor & { size: number }> {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    if (!this.hasBlob(digest))
      await this.ingest(async (directory) => {
        await writeFile(join(directory, 'blob'), content);
        await this.commitBlob(join(directory, 'blob'), digest);
      });
    return { digest, size: content.length };
  }

  /**
   * Makes an image of blobs that are all here: unpacks its layers, checking each against the config's diff ids, and
   * gives it its names. Names that another image had move over.
   */
  async addImage(
    manifest: Manifest,
    manifestDigest: string,
    tags: readonly string[],
    repoDigests: readonly string[],
    signal?: AbortSignal,
  ) {
    const { length } = manifest.layers;
    if (length > mostLayers) throw tooManyLayers(length);
    const configPath = this.blobPath(manifest.config.digest);
    if ((await stat(configPath)).size > largestConfig)
      throw new RuntimeError('image', 'image config is larger than 4 MiB');
    const config = JSON.parse(await readFile(configPath, 'utf8')) ?? {};
    // They become part of the snapshot's name, and an image may contain any text.
    const diffIds = Array.from<string, string>(config.rootfs?.diff_ids ?? [], checkDigest);
    if (diffIds.length !== length)
      throw new RuntimeError('image', `image config names ${diffIds.length} layers, its manifest ${length}`);
    const snapshot = await this.#unpack(manifest.layers, diffIds, signal);
    return this.addRecord({
      id: manifest.config.digest,
      manifestDigest,
      snapshot,
      config: config.config ?? {},
      user: config.config?.User || undefined,
      sizeBytes: [manifest.config, ...manifest.layers].reduce((sum, blob) => sum + (blob.size ?? 0), 0),
      repoTags: tags,
      repoDigests,
      blobs: [manifestDigest, manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)],
    });
  }

  async addRecord(added: ImageRecord): Promise<ImageRecord> {
    const before = this.list().find((image) => image.id === added.id);
    const image: ImageRecord = {
      ...added,
      repoTags: [...new Set([...(before?.repoTags ?? []), ...added.repoTags])],
      repoDigests: [...new Set([...(before?.repoDigests ?? []), ...added.repoDigests])],
    };
    await this.#write(image);
    for (const other of this.list()) {
      if (other.id === image.id || !other.repoTags.some((tag) => added.repoTags.includes(tag))) continue;
      await this.#write({ ...other, repoTags: other.repoTags.filter((tag) => !added.repoTags.includes(tag)) });
    }
    return image;
  }

  /** Where a new tree is made; `make` gets an empty directory, which gets its name when it is complete. */
  async snapshot(name: string, make: (directory: string) => Promise<void>): Promise<void> {
    const path = join(this.directory, 'snapshots', name);
    if (existsSync(path)) return;
    await this.ingest(async (directory) => {
      const tree = join(directory, 'tree');
      mkdirSync(tree, { mode: 0o755 });
      await make(tree);
      await rename(tree, path).catch((error) => {
        if (!existsSync(path)) throw error; // another process made it meanwhile
      });
    });
  }

  async #unpack(
    layers: readonly Descriptor[],
    diffIds: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const chain = chainIds(diffIds);
    const name = chain.at(-1) ?? '0'.repeat(64);
    await this.snapshot(name, async (tree) => {
      // The longest tree that is there already is the start.
      let done = chain.length;
      while (done > 0 && !existsSync(join(this.directory, 'snapshots', chain[done - 1]))) done--;
      if (done > 0) await cloneTree(join(this.directory, 'snapshots', chain[done - 1]), tree);
      for (let i = done; i < layers.length; i++)
        await applyLayer(createReadStream(this.blobPath(layers[i].digest), { signal }), tree, checkDigest(diffIds[i]));
    });
    return name;
  }

  async #write(image: ImageRecord): Promise<void> {
    await this.ingest(async (directory) => {
      await writeFile(join(directory, 'record'), JSON.stringify(image));
      await rename(join(directory, 'record'), this.#recordPath(image.id));
    });
    this.#cache = undefined;
  }

  #recordPath(id: string): string {
    return join(this.directory, 'records', id.replace('sha256:', ''));
  }

  #leases() {
    const path = join(this.directory, 'leases');
    return readdirSync(path).map((container) => ({
      container,
      snapshot: readFileSync(join(path, container), 'utf8'),
    }));
  }

  /** Removes unfinished files of ended processes. */
  #sweep(): void {
    for (const name of readdirSync(join(this.directory, 'ingest')))
      if (!existsSync(`/proc/${name.split('-')[0]}`)) void removeTree(join(this.directory, 'ingest', name));
  }
}

interface ReadRecord {
  /** Of the file, which is replaced by another one when it changes. */
  readonly version: string;
  readonly record: ImageRecord;
}

function readRecord(path: string, cached: ReadRecord | undefined): ReadRecord {
  const { ino, ctimeMs, size } = statSync(path);
  const version = `${ino} ${ctimeMs} ${size}`;
  return cached?.version === version ? cached : { version, record: JSON.parse(readFileSync(path, 'utf8')) };
}

/** Chain ids (OCI image-spec, config.md), without `sha256:`: each names the tree after one more layer. */
function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const above = chain.at(-1);
    const hex = diffId.replace('sha256:', '');
    chain.push(above ? createHash('sha256').update(`sha256:${above} sha256:${hex}`).digest('hex') : hex);
  }
  return chain;
}

/** A record of a former version may have a malicious snapshot name from an image. */
const isInside = ({ snapshot }: ImageRecord): boolean =>
  basename(snapshot) === snapshot && !['', '.', '..'].includes(snapshot);

/** Digests become file names, so invalid ones are rejected. */
function checkDigest(digest: unknown): string {
  if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw new RuntimeError('image', `digest ${JSON.stringify(digest)} is not supported: only sha256 is`);
  return digest;
}
