// The front door: opens a backend, and exports the store interface.

import type { Clock } from '../machinery/time/clock.ts';
import type { EncryptedStore } from './encryption/encrypted-store.ts';
import type { Store } from './interface.ts';

export { runCompaction } from './compaction.ts';
export type { EncryptedStore } from './encryption/encrypted-store.ts';
export * from './interface.ts';
export { createMemoryStore } from './memory.ts';
export { prefixedStore } from './prefixed.ts';
export { sameValue, textOf, type Value, valueOfText, writeValue } from './value.ts';

/** The backend and its options. */
export type StoreOptions = { readonly clock: Clock } & (
  | { readonly kind: 'memory' }
  | {
      readonly kind: 'embedded';
      /** Directory of the database; made when absent, and used by one process at a time. */
      readonly directory: string;
      /** Whether the database must exist: a missing one is then damage, not a first start. */
      readonly mustExist?: boolean;
    }
  | {
      readonly kind: 'etcd';
      /** Such as https://10.0.0.1:2379; all members of one cluster. */
      readonly endpoints: readonly string[];
      /** PEM texts. */
      readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
    }
);

/** Opens a backend, and loads only its modules. Throws StoreUnusable. */
export async function openStore(options: StoreOptions): Promise<Store> {
  if (options.kind === 'memory') return (await import('./memory.ts')).createMemoryStore(options);
  if (options.kind === 'embedded') return (await import('./embedded/embedded.ts')).openEmbeddedStore(options);
  return (await import('./etcd/etcd.ts')).openEtcdStore(options);
}

/**
 * A store that encrypts its values by an EncryptionConfiguration (YAML or JSON). Throws EncryptionConfigurationError;
 * loads the encryption modules on first use.
 */
export async function encryptStore(
  store: Store,
  configuration: string,
  resourceOf: (key: string) => { readonly group: string; readonly resource: string } | undefined,
  clock: Clock,
): Promise<EncryptedStore> {
  const { encryptedStore, openTransformers, parseEncryptionConfiguration } = await import('./encryption/encryption.ts');
  const transformers = await openTransformers(parseEncryptionConfiguration(configuration), resourceOf, clock);
  return encryptedStore(store, transformers);
}
