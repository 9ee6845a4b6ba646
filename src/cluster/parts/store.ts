import type { RunningComponent } from '../../client/client.ts';
import { readingProtobuf } from '../../kube-apiserver/kube-apiserver.ts';
import { openStore, type PausableStore, pausableStore, type Store, type StoreOptions } from '../../store/store.ts';
import { withEncryption } from '../configuration/encryption.ts';
import { readEtcdTls } from '../configuration/etcd-tls.ts';
import type { PartContext } from '../context.ts';
import { hasStore, noteStore } from '../data-directory.ts';
import type { EtcdMember } from '../etcd-member/etcd-member.ts';

export interface StorePart extends RunningComponent {
  readonly store: Store;
  readonly writes: Pick<PausableStore, 'pause' | 'resume'>;
}

/** Opens the store that the configuration names. Throws StoreUnusable. */
export async function startStorePart(context: PartContext, etcd?: EtcdMember): Promise<StorePart> {
  const { config, directory } = context;
  const mustExist = config.store === 'embedded' && (await hasStore(directory));
  const opened = pausableStore(await openStore(await storeOptions(context, mustExist, etcd)));
  if (config.store === 'embedded' && !mustExist) await noteStore(directory);
  const store = await withEncryption(opened, context).catch(async (error) => {
    await opened.close();
    throw error;
  });
  return { store: readingProtobuf(store), writes: opened, stop: () => store.close() };
}

async function storeOptions(
  { config, directory, clock }: PartContext,
  mustExist: boolean,
  etcd: EtcdMember | undefined,
): Promise<StoreOptions> {
  if (etcd) return { kind: 'etcd', clock, endpoints: () => etcd.endpoints, tls: etcd.tls };
  switch (config.store) {
    case 'memory':
      return { kind: 'memory', clock };
    case 'embedded':
      return { kind: 'embedded', clock, directory: directory.store, mustExist };
    case 'etcd':
      return { kind: 'etcd', clock, endpoints: config.etcdEndpoints, tls: await readEtcdTls(config) };
  }
}
