// For tests of restores: clusters in temporary directories, and their backups.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { createMemoryStore, openStore, pack, type Store } from '../../store/store.ts';
import { type DataDirectory, dataDirectory } from '../data-directory.ts';
import { backupBytes, everything } from './content.ts';
import { prepareRestore } from './restore.ts';
import type { SavedSettings } from './saved-settings.ts';
import type { RestoreTarget } from './target.ts';

export const clock = systemClock;
export const object = (name: string, uid = name) => JSON.stringify({ metadata: { name, uid } });
export const system = { key: '/registry/namespaces/kube-system', value: object('kube-system', 'uid-1') };

export async function write(store: Store, ...names: string[]): Promise<void> {
  for (const name of names) await store.commit([{ key: `/registry/pods/default/${name}`, value: object(name) }]);
}

export async function collected(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function* streamed<T>(...items: T[]): AsyncIterable<T> {
  yield* items;
}

export const openIn = (directory: { store: string }): Promise<Store> =>
  openStore({ kind: 'embedded', clock, directory: directory.store, mustExist: true });

export async function podsIn(store: Store): Promise<string[]> {
  const { entries } = await store.range(everything);
  return entries.map(({ key }) => key).filter((key) => key.includes('/pods/'));
}

export class TestBackups {
  readonly home = mkdtempSync(path.join(tmpdir(), 'coracle-restore-'));
  #places = 0;

  /** Its files are removed after the tests of the file. */
  constructor() {
    afterAll(() => rmSync(this.home, { recursive: true, force: true }));
  }

  newPlace(): DataDirectory {
    return dataDirectory(path.join(this.home, `cluster-${++this.#places}`));
  }

  /** A cluster with a store in memory and files, and its backup. */
  async made(names = ['a', 'b'], flags: Record<string, string> = {}, isServer = false) {
    const directory = this.newPlace();
    mkdirSync(directory.pki, { recursive: true });
    writeFileSync(path.join(directory.pki, 'ca.key'), 'the key of the CA');
    const store = createMemoryStore({ clock });
    await store.commit([system]);
    const lease = await store.grantLease(3600);
    await store.commit([{ key: '/registry/events/default/e', value: object('e'), lease }]);
    await write(store, ...names);
    const saved: SavedSettings = {
      ...{ name: 'original', store: isServer ? 'etcd' : 'memory', flags },
      ...(isServer && { isServer }),
    };
    const bytes = await collected(pack(backupBytes({ directory, store, clock, saved }), {}));
    return { bytes, revision: await store.revision() };
  }

  prepared(bytes: Uint8Array, directory = this.newPlace(), target?: RestoreTarget) {
    return prepareRestore({
      ...{ directory, name: 'restored', bytes: streamed(bytes), decryption: {}, clock, quietMs: 300 },
      ...(target && { target }),
    });
  }

  async restored(bytes: Uint8Array, directory = this.newPlace(), target?: RestoreTarget) {
    const restore = await this.prepared(bytes, directory, target);
    await restore.commit();
    return { directory, restore };
  }
}
