// The built-in image for runtimes with a separate image store.

import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureHello } from '../images/hello.ts';
import type { ImageStore } from '../images/image-store.ts';
import { architecture } from '../images/platform.ts';
import { normalizeReference } from '../images/reference.ts';
import { importArchive } from './import-archive.ts';

/**
 * Imported too, for runtimes whose configuration names it as sandbox_image: they could not pull one without a registry.
 * It shares the layer, so it takes no space.
 */
export const pauseImage = 'coracle.local/pause:1';

export const helloImage = 'coracle.local/hello:latest';

/** Rejects with RuntimeError('image') when there is no `ctr`, or the runtime is not containerd. */
export async function importHello(store: ImageStore, socket: string): Promise<void> {
  if (await isThere(socket)) return;
  const image = await ensureHello(store, helloImage);
  await store.ingest(async (directory) => {
    await writeLayout(directory, store.rootfs(image), image.config, helloImage);
    const tar = spawn('tar', ['-C', directory, '-cf', '-', 'oci-layout', 'index.json', 'blobs'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await importArchive(socket, tar.stdout, helloImage);
  });
}

async function isThere(socket: string): Promise<boolean> {
  const { stdout } = await ctr(socket, 'images', 'ls', '-q').catch(() => ({ stdout: '' }));
  const names = stdout.split('\n');
  return names.includes(helloImage) && names.includes(pauseImage);
}

/** Any tag of the built-in image is the same image. */
export async function tagHello(socket: string, reference: string): Promise<void> {
  const { canonical } = normalizeReference(reference);
  if (canonical !== helloImage) await ctr(socket, 'images', 'tag', '--force', helloImage, canonical);
}

const ctr = (socket: string, ...args: string[]) =>
  promisify(execFile)('ctr', ['--address', socket, '--namespace', 'k8s.io', ...args]);

/** An OCI image layout (image-spec, image-layout.md) of two images with one layer. */
async function writeLayout(directory: string, tree: string, config: unknown, name: string): Promise<void> {
  const blobs = join(directory, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const layerPath = join(directory, 'layer');
  // 1: a file changed while it was read, as its link count does when another image uses it.
  await promisify(execFile)('tar', ['-C', tree, '--sort=name', '-cf', layerPath, '.']).catch((error) => {
    if (error.code !== 1) throw error;
  });
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(layerPath)) hash.update(chunk);
  const hex = hash.digest('hex');
  const layer = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest: `sha256:${hex}`,
    size: statSync(layerPath).size,
  };
  renameSync(layerPath, join(blobs, hex));
  const put = (mediaType: string, document: unknown) => {
    const content = JSON.stringify(document);
    const digest = createHash('sha256').update(content).digest('hex');
    writeFileSync(join(blobs, digest), content);
    return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(content) };
  };
  const image = (config: unknown, name: string) => {
    const rootfs = { type: 'layers', diff_ids: [layer.digest] };
    const document = { architecture, os: 'linux', config, rootfs };
    const configBlob = put('application/vnd.oci.image.config.v1+json', document);
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const manifest = put(mediaType, { schemaVersion: 2, mediaType, config: configBlob, layers: [layer] });
    return { ...manifest, annotations: { 'io.containerd.image.name': name } };
  };
  const manifests = [image(config, name), image({ Entrypoint: ['/usr/bin/sleep', 'infinity'] }, pauseImage)];
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
}
