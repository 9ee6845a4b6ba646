// Encryption of the cluster's data at rest: finds the configuration, and maps keys to resources.

import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { KindRegistry } from '../../api/api.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import {
  type EncryptedStore,
  encryptStore,
  type KeyRange,
  prefixRange,
  type Store,
  textOf,
} from '../../store/store.ts';
import type { ClusterConfig } from '../config.ts';
import type { PartContext } from '../context.ts';
import type { LiveFiles } from './live-files.ts';
import { reloadMetrics } from './reload-metrics.ts';

/** The file of a configuration that was made here. */
const ownFile = 'encryption.yaml';

/** The store with the configured encryption; the same store without any. Rejects with the file and its fault. */
export async function withEncryption(
  store: Store,
  {
    config,
    directory,
    clock,
    logger,
    metrics,
  }: Pick<PartContext, 'directory' | 'clock' | 'logger' | 'metrics'> & {
    readonly config: Pick<ClusterConfig, 'encryptionConfig'>;
  },
): Promise<Store> {
  const file = await configurationFile(config.encryptionConfig, directory.pki);
  return encryptedBy(file, store, { clock, logger, metrics });
}

interface EncryptionContext extends Pick<PartContext, 'clock' | 'logger' | 'metrics'> {
  /** All keys begin with it. */
  readonly prefix?: string;
  /** Reads the configuration again when it changes. */
  readonly reload?: { readonly files: LiveFiles; readonly metrics: Metrics };
}

/** `file` has the configuration; undefined: nothing is encrypted. */
export async function encryptedBy(file: string | undefined, store: Store, context: EncryptionContext): Promise<Store> {
  const { clock, metrics, prefix = '/registry', reload } = context;
  const secrets = prefixRange(`${prefix}/secrets/`);
  if (!file) {
    await refuseEncrypted(store, secrets);
    return store;
  }
  // A wrong key fails now, and not at the first read of a secret.
  const check = (opened: Store) => opened.range(secrets, { limit: 1 });
  const encrypted = await readFile(file, 'utf8')
    .then((text) =>
      encryptStore(store, text, resourceFinder(prefix), { clock, metrics, canChange: reload !== undefined }),
    )
    .then(async (opened) => {
      await check(opened);
      return opened;
    })
    .catch((error) => {
      throw new Error(`the encryption configuration ${file} cannot be used: ${(error as Error).message}`);
    });
  const rewriting = new Rewriting(encrypted, context.logger);
  rewriting.begin();
  const live = await reload?.files.open({
    name: 'encryption configuration',
    files: [file],
    read: ([text]) => text,
    ...reloadMetrics('encryption', reload.metrics, clock),
  });
  live?.onChange(async (text) => {
    await encrypted.reconfigure(text, check);
    rewriting.begin();
  });
  return {
    ...encrypted,
    async close() {
      live?.close();
      await rewriting.stop();
      await encrypted.close();
    },
  };
}

/** Re-encrypts values of older keys with the current one, after the start and after each change of the keys. */
class Rewriting {
  readonly #store: EncryptedStore;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  #running = Promise.resolve();

  constructor(store: EncryptedStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  begin(): void {
    this.#running = this.#running.then(() =>
      this.#store.rewriteStale(this.#stopped.signal).then(
        (count) => {
          if (count > 0) this.#logger.info('values re-encrypted with the current key', { count });
        },
        (error) => this.#logger.warn('values of older keys not re-encrypted', { error: String(error) }),
      ),
    );
  }

  stop(): Promise<void> {
    this.#stopped.abort();
    return this.#running;
  }
}

/** `auto`: one that is made here, and used from then on. */
async function configurationFile(wanted: string | undefined, pki: string): Promise<string | undefined> {
  const own = path.join(pki, ownFile);
  if (wanted !== undefined && wanted !== 'auto') return wanted;
  const exists = await access(own).then(
    () => true,
    () => false,
  );
  if (exists) return own;
  if (wanted !== 'auto') return undefined;
  const text = [
    '# Made by coracle. This file decrypts the secrets of the cluster: keep it private, and never lose it.',
    'apiVersion: apiserver.config.k8s.io/v1',
    'kind: EncryptionConfiguration',
    'resources:',
    '- resources: [secrets]',
    '  providers:',
    `  - secretbox: {keys: [{name: key1, secret: ${randomBytes(32).toString('base64')}}]}`,
    '  - identity: {}',
    '',
  ];
  await mkdir(pki, { recursive: true, mode: 0o700 });
  await writeFile(own, text.join('\n'), { mode: 0o600, flag: 'wx', flush: true });
  return own;
}

async function refuseEncrypted(store: Store, secrets: KeyRange): Promise<void> {
  const { entries } = await store.range(secrets, { limit: 1 });
  if (entries.length > 0 && textOf(entries[0].value).startsWith('k8s:enc:'))
    throw new Error('the data of this cluster is encrypted: give its configuration with --encryption-config');
}

/** By the first parts of a key: /registry/secrets/..., or /registry/GROUP/PLURAL/... for custom resources. */
export function resourceFinder(prefix: string) {
  const builtIn = new Map<string, { group: string; resource: string }>();
  for (const { storagePrefix, group, resource } of new KindRegistry().all())
    if (!builtIn.has(storagePrefix)) builtIn.set(storagePrefix, { group, resource });
  return (key: string) => {
    if (!key.startsWith(`${prefix}/`)) return undefined;
    const [first = '', second = ''] = key.slice(prefix.length + 1).split('/', 2);
    const found = builtIn.get(first) ?? builtIn.get(`${first}/${second}`);
    return found ?? (first.includes('.') ? { group: first, resource: second } : undefined);
  };
}
