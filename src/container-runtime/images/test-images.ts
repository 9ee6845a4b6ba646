// Image stores and archives, for the tests beside this file.

import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type Header, pack } from 'tar-stream';
import { afterAll, beforeEach, expect } from 'vitest';
import { systemRandom } from '../../machinery/random.ts';
import { ImageStore } from './image-store.ts';

export type Entry = Partial<Header> & { name: string; body?: string | Buffer };

export async function tar(entries: readonly Entry[]): Promise<Buffer> {
  const stream = pack();
  // Equal layers are equal bytes, whenever they are made.
  for (const { body, ...header } of entries) stream.entry({ mtime: new Date(0), ...header } as Header, body ?? '');
  stream.finalize();
  return buffer(stream);
}

export const digestOf = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
export const blobName = (digest: string) => `blobs/${digest.replace(':', '/')}`;

export interface Made {
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly manifest: { digest: string; size: number; mediaType: string };
}

export async function make(
  layers: readonly (readonly Entry[] | Buffer)[],
  compress = (data: Buffer) => data,
  diffIdsOf = (tars: readonly Buffer[]): unknown => tars.map(digestOf),
): Promise<Made> {
  const blobs = new Map<string, Buffer>();
  const put = (content: Buffer, mediaType: string) => {
    blobs.set(digestOf(content), content);
    return { digest: digestOf(content), size: content.length, mediaType };
  };
  const tars = await Promise.all(layers.map((layer) => (Buffer.isBuffer(layer) ? layer : tar(layer))));
  const config = put(
    Buffer.from(JSON.stringify({ config: { Cmd: ['/x'] }, rootfs: { diff_ids: diffIdsOf(tars) } })),
    'application/vnd.oci.image.config.v1+json',
  );
  const layerBlobs = tars.map((data) => put(compress(data), 'application/vnd.oci.image.layer.v1.tar'));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: layerBlobs }));
  return { blobs, manifest: put(manifest, mediaType) };
}

/** The store of each test, and archives in a directory beside it. */
export function imageStores() {
  const directory = mkdtempSync(join(tmpdir(), 'coracle-images-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  let store: ImageStore;
  let count = 0;
  beforeEach(() => {
    store = new ImageStore(join(directory, `store${++count}`), systemRandom);
  });

  async function layout({ blobs, manifest }: Made, name = 'example.com/app:1'): Promise<string> {
    const annotations = { 'io.containerd.image.name': name };
    const index = JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] });
    const path = join(directory, `archive${++count}.tar`);
    const files = [...blobs].map(([digest, body]) => ({ name: blobName(digest), body }));
    writeFileSync(path, await tar([{ name: 'index.json', body: index }, ...files]));
    return path;
  }

  /** Only the store's directories. */
  function expectEmpty() {
    expect(store.list()).toEqual([]);
    for (const name of ['blobs/sha256', 'snapshots', 'records', 'ingest'])
      expect(readdirSync(join(store.directory, name)), name).toEqual([]);
  }
  return {
    directory,
    get store() {
      return store;
    },
    set store(next: ImageStore) {
      store = next;
    },
    ...{ layout, expectEmpty },
  };
}
