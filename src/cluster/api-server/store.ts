// The store of --etcd-servers: a real etcd, or the directory of the stand-in for etcd.

import { readingProtobuf } from '../../kube-apiserver/kube-apiserver.ts';
import { openStore, prefixedStore, type Store, StoreUnusable } from '../../store/store.ts';
import { encryptedBy } from '../configuration/encryption.ts';
import type { LiveFiles } from '../configuration/live-files.ts';
import type { Environment } from '../context.ts';
import { findStandIn } from '../etcd-stand-in/find-stand-in.ts';
import { readAuthorities, readKeyPair } from './files.ts';
import type { FlagValues } from './flags.ts';

const againMs = 50;

/** Waits for an etcd that starts at the same time. Rejects when none answers in time. */
export async function openFlaggedStore(
  values: FlagValues,
  files: LiveFiles,
  { clock, logger, metrics }: Environment,
): Promise<Store> {
  const lastMs = clock.monotonic() + values['storage-initialization-timeout'];
  const prefix = values['etcd-prefix'];
  const file = values['encryption-provider-config'] || undefined;
  const reload = values['encryption-provider-config-automatic-reload'] && { files, metrics };
  for (;;)
    try {
      const opened = await open(values, { clock });
      return await encryptedBy(file, opened, { clock, logger, metrics, prefix, ...(reload && { reload }) }).then(
        (store) => readingProtobuf(prefixedStore(store, prefix)),
        async (error) => {
          await opened.close();
          throw error;
        },
      );
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      if (clock.monotonic() > lastMs)
        throw new Error(`--etcd-servers ${values['etcd-servers'].join(',')} cannot be reached: ${error.message}`);
      await clock.sleep(againMs);
    }
}

const isUnreachable = (error: unknown): error is Error =>
  error instanceof StoreUnusable
    ? error.reason === 'unreachable'
    : ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');

async function open(values: FlagValues, { clock }: Pick<Environment, 'clock'>): Promise<Store> {
  const servers = values['etcd-servers'];
  const standIn = servers.length === 1 ? await findStandIn(servers[0]) : undefined;
  if (standIn) return openStore({ kind: 'embedded', clock, ...standIn });
  const ca = await readAuthorities('etcd-cafile', values['etcd-cafile']);
  const pair = await readKeyPair(['etcd-certfile', 'etcd-keyfile'], values);
  return openStore({ kind: 'etcd', clock, endpoints: servers, tls: { ...(ca && { ca }), ...pair } });
}
