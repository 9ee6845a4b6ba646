// Image archives, from `docker save`, `podman save`, `ctr image export` and buildkit.

import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { must } from '../../machinery/must.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { Descriptor, ImageRecord, ImageStore, Manifest } from './image-store.ts';
import { choosePlatform, isIndex } from './platform.ts';
import { normalizeReference } from './reference.ts';
import { readTar } from './tar.ts';

interface ArchivedFile {
  readonly path: string;
  readonly digest: string;
  readonly size: number;
}

/** docker-save's manifest.json. */
interface SavedImage {
  readonly Config: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Layers: readonly string[];
}

/**
 * Loads every image of a docker-save or OCI-layout tar file, compressed or not. Rejects with RuntimeError('image'), and
 * leaves no files behind, if the file is damaged or not such an archive.
 */
export async function loadArchive(store: ImageStore, file: string): Promise<readonly ImageRecord[]> {
  return store.ingest(async (directory) => {
    const archive = await readArchive(file, directory);
    const saved = archive.json<readonly SavedImage[]>('manifest.json');
    const index = archive.json<{ manifests: readonly Descriptor[] }>('index.json');
    if (!saved && !index)
      throw new RuntimeError('image', `${file} is no image archive: it has neither manifest.json nor index.json`);
    const images: ImageRecord[] = [];
    try {
      for (const image of saved ?? []) images.push(await addSaved(store, archive, image));
      // An archive of today's docker has both, for the same images.
      for (const entry of saved ? [] : must(index, 'index').manifests)
        images.push(await addFromLayout(store, archive, entry));
    } catch (error) {
      await store.discard(archive.kept);
      throw error;
    }
    return images;
  });
}

class Archive {
  readonly files = new Map<string, ArchivedFile>();
  readonly links = new Map<string, string>();
  /** Blobs that went into the store. */
  readonly kept = new Set<string>();

  file(name: string): ArchivedFile {
    const clean = posix.normalize(name);
    const file = this.files.get(this.links.get(clean) ?? clean);
    if (!file) throw new RuntimeError('image', `archive is damaged: ${name} is missing`);
    return file;
  }

  blob(descriptor: Descriptor): ArchivedFile {
    const file = this.file(`blobs/${descriptor.digest.replace(':', '/')}`);
    if (`sha256:${file.digest}` !== descriptor.digest || (descriptor.size ?? file.size) !== file.size)
      throw new RuntimeError('image', `archive is damaged: ${descriptor.digest} has digest sha256:${file.digest}`);
    return file;
  }

  json<Content>(name: string): Content | undefined {
    if (!this.files.has(name)) return undefined;
    try {
      return JSON.parse(readFileSync(this.file(name).path, 'utf8'));
    } catch (error) {
      throw new RuntimeError('image', `archive is damaged: ${name}: ${(error as Error).message}`);
    }
  }
}

async function readArchive(file: string, directory: string): Promise<Archive> {
  const archive = new Archive();
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'no such file' : error.message;
    throw new RuntimeError('image', `cannot read ${file}: ${why}`, { cause: error });
  });
  await readTar(handle.createReadStream(), async (header, body) => {
    const name = posix.normalize(header.name);
    if (header.type === 'symlink' || header.type === 'link') {
      // Old docker-save links a layer that two images share.
      const from = header.type === 'link' ? '.' : posix.dirname(name);
      archive.links.set(name, posix.join(from, header.linkname ?? ''));
      return;
    }
    if (header.type !== 'file') return;
    const path = join(directory, String(archive.files.size));
    const hash = createHash('sha256');
    const output = openSync(path, 'wx', 0o600);
    let size = 0;
    try {
      for await (const chunk of body) {
        hash.update(chunk);
        size += writeSync(output, chunk);
      }
    } finally {
      closeSync(output);
    }
    archive.files.set(name, { path, digest: hash.digest('hex'), size });
  });
  return archive;
}

async function addSaved(store: ImageStore, archive: Archive, saved: SavedImage): Promise<ImageRecord> {
  const keep = async (name: string, mediaType: string) => {
    const file = archive.file(name);
    const named = /^(?:blobs\/sha256\/)?([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
    if (named && named !== file.digest)
      throw new RuntimeError('image', `archive is damaged: ${name} has digest sha256:${file.digest}`);
    return { mediaType, ...(await keepFile(store, archive, file)) };
  };
  const config = await keep(saved.Config, 'application/vnd.oci.image.config.v1+json');
  const layers: Descriptor[] = [];
  for (const layer of saved.Layers) layers.push(await keep(layer, 'application/vnd.oci.image.layer.v1.tar'));
  // docker-save has no manifest, and so no digest: this is the manifest that a push would make.
  const manifest: Manifest = { mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers };
  const { digest } = await store.putBlob(Buffer.from(JSON.stringify({ schemaVersion: 2, ...manifest })));
  archive.kept.add(digest);
  const tags = (saved.RepoTags ?? []).map((tag) => normalizeReference(tag));
  return store.addImage(
    manifest,
    digest,
    tags.map((tag) => tag.canonical),
    [...new Set(tags.map((tag) => `${tag.name}@${digest}`))],
  );
}

async function addFromLayout(store: ImageStore, archive: Archive, entry: Descriptor): Promise<ImageRecord> {
  const named =
    entry.annotations?.['io.containerd.image.name'] ?? entry.annotations?.['org.opencontainers.image.ref.name'];
  let descriptor = entry;
  const read = () => JSON.parse(readFileSync(archive.blob(descriptor).path, 'utf8'));
  let manifest = read();
  if (isIndex(manifest)) {
    descriptor = choosePlatform(manifest.manifests, named ?? 'the archive');
    manifest = read();
  }
  for (const blob of [descriptor, manifest.config, ...manifest.layers])
    await keepFile(store, archive, archive.blob(blob));
  const tag = named ? normalizeReference(named) : undefined;
  return store.addImage(
    manifest,
    descriptor.digest,
    tag ? [tag.canonical] : [],
    tag ? [`${tag.name}@${descriptor.digest}`] : [],
  );
}

async function keepFile(
  store: ImageStore,
  archive: Archive,
  file: ArchivedFile,
): Promise<Descriptor & { size: number }> {
  const digest = `sha256:${file.digest}`;
  archive.kept.add(digest);
  if (!store.hasBlob(digest)) await store.commitBlob(file.path, digest);
  return { digest, size: file.size };
}
