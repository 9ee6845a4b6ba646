// The front door: opens a backend, and exports the store interface.

import type { Metrics } from '../machinery/metrics.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { EncryptedStore } from './encryption/encrypted-store.ts';
import type { EtcdCluster } from './etcd/cluster-interface.ts';
import type { EtcdOptions } from './etcd/etcd.ts';
import type { EtcdRestore } from './etcd/restore.ts';
import type { Revision, Store, StoredPart } from './interface.ts';

export {
  type BackupHeader,
  type BackupPart,
  BackupUnusable,
  decodeBackup,
  encodeBackup,
} from './backup/format.ts';
export { checkRecipient, type Decryption, pack, type Unpacked, unpack } from './backup/packing.ts';
export { runCompaction } from './compaction.ts';
export type { EncryptedStore } from './encryption/encrypted-store.ts';
export { encryptionMetrics } from './encryption-metrics.ts';
export {
  type EtcdAlarm,
  type EtcdCluster,
  EtcdError,
  type EtcdMemberInfo,
  type EtcdStatus,
} from './etcd/cluster-interface.ts';
export * from './interface.ts';
export { createMemoryStore } from './memory.ts';
export { type PausableStore, pausableStore } from './pausable.ts';
export { prefixedStore } from './prefixed.ts';
export { readAs } from './read-as.ts';
export { sameValue, textOf, type Value, valueOfText, writeValue } from './value.ts';

/** PEM texts. */
export interface EtcdTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The backend and its options. */
export type StoreOptions = { readonly clock: Clock } & (
  | { readonly kind: 'memory' }
  | {
      readonly kind: 'embedded';
      /** Directory of the database; made when absent, and used by one process at a time. */
      readonly directory: string;
      /** Whether the database must exist: a missing one is then damage, not a first start. */
      readonly mustExist?: boolean;
      /** Acknowledges writes before they are flushed to the disk: for tests, whose data may go with the machine. Default false. */
      readonly unsafeNoFsync?: boolean;
    }
  | {
      readonly kind: 'etcd';
      /** Such as https://10.0.0.1:2379; all members of one cluster. A function is called again when members change. */
      readonly endpoints: readonly string[] | (() => readonly string[]);
      readonly tls?: EtcdTls;
    }
);

/** Opens a backend, and loads only its modules. Throws StoreUnusable. */
export async function openStore(options: StoreOptions): Promise<Store> {
  if (options.kind === 'memory') return (await import('./memory.ts')).createMemoryStore(options);
  if (options.kind === 'embedded') return (await import('./embedded/embedded.ts')).openEmbeddedStore(options);
  return (await import('./etcd/etcd.ts')).openEtcdStore(options);
}

/** The members of an etcd cluster, and their maintenance. */
export async function openEtcdCluster(options: {
  readonly clock: Clock;
  /** Asked for each call: members come and go. */
  readonly endpoints: () => readonly string[];
  readonly tls: EtcdTls;
}): Promise<EtcdCluster> {
  return (await import('./etcd/cluster.ts')).openEtcdCluster(options);
}

/** Calls to a key management service that is no longer configured may last this long. */
const closingMs = 60_000;

interface ReconfigurableStore extends EncryptedStore {
  /** Encrypts by another configuration from now on. Rejects, without any change, if it is invalid or `check` rejects. */
  reconfigure(configuration: string, check: (store: Store) => Promise<unknown>): Promise<void>;
}

/** As `restoreEmbeddedStore` in embedded/restore.ts. */
export async function restoreEmbedded(
  options: { readonly directory: string; readonly revision: Revision },
  content: AsyncIterable<StoredPart>,
): Promise<void> {
  await (await import('./embedded/restore.ts')).restoreEmbeddedStore(options, content);
}

/** etcd with the revisions that clients saw, also if a restore is unfinished; and the earlier restores. */
export async function openEtcdForRestore(options: EtcdOptions) {
  const store = await (await import('./etcd/etcd.ts')).openRawEtcd(options);
  const { earlierRestores, openOffset } = await import('./etcd/restore.ts');
  return { store: await openOffset(store), earlier: await earlierRestores(store) };
}

/** As `restoreEtcdStore` in etcd/restore.ts. */
export async function restoreEtcd(
  options: EtcdOptions,
  restore: EtcdRestore,
  parts: () => AsyncIterable<StoredPart>,
): Promise<void> {
  const store = await (await import('./etcd/etcd.ts')).openRawEtcd(options);
  try {
    await (await import('./etcd/restore.ts')).restoreEtcdStore(store, restore, parts);
  } finally {
    await store.close();
  }
}

/**
 * A store that encrypts its values by an EncryptionConfiguration (YAML or JSON). Throws EncryptionConfigurationError;
 * loads the encryption modules on first use.
 */
export async function encryptStore(
  store: Store,
  configuration: string,
  resourceOf: (key: string) => { readonly group: string; readonly resource: string } | undefined,
  { clock, metrics, canChange = false }: { readonly clock: Clock; readonly metrics: Metrics; canChange?: boolean },
): Promise<ReconfigurableStore> {
  const { encryptedStore, openTransformers, parseEncryptionConfiguration } = await import('./encryption/encryption.ts');
  const open = (text: string) => openTransformers(parseEncryptionConfiguration(text), resourceOf, clock, metrics);
  let current = await open(configuration);
  return {
    ...encryptedStore(store, (key) => current.transformersFor(key)),
    keyServices: { canChange, list: () => current.keyServices },
    async reconfigure(text, check) {
      const next = await open(text);
      try {
        await check(encryptedStore(store, next.transformersFor));
      } catch (error) {
        next.close();
        throw error;
      }
      const previous = current;
      current = next;
      clock.after(closingMs, () => previous.close(), { background: true });
    },
    async close() {
      current.close();
      await store.close();
    },
  };
}
