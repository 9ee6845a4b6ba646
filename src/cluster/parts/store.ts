import type { RunningComponent } from '../../client/client.ts';
import { openStore, runCompaction, type StoreOptions } from '../../store/store.ts';
import type { Assembly } from '../assembly.ts';

/** Opens the store that the configuration names. Throws StoreUnusable. */
export async function startStorePart(assembly: Assembly): Promise<RunningComponent> {
  const store = await openStore(storeOptions(assembly));
  assembly.store = store;
  const compaction = runCompaction(store, assembly.clock, assembly.logger.child({ component: 'store' }));
  return {
    async stop() {
      compaction.stop();
      await store.close();
    },
  };
}

function storeOptions({ config, directory, clock }: Assembly): StoreOptions {
  switch (config.store) {
    case 'memory':
      return { kind: 'memory', clock };
    case 'embedded':
      return { kind: 'embedded', clock, directory: directory.store };
    case 'etcd':
      return { kind: 'etcd', clock, endpoints: config.etcdEndpoints };
  }
}
