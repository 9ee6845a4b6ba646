import type { RunningComponent } from '../../client/client.ts';
import { openStore, runCompaction, type StoreOptions } from '../../store/store.ts';
import type { Assembly } from '../assembly.ts';
import { hasStore, noteStore } from '../data-directory.ts';
import { withEncryption } from '../encryption.ts';

/** Opens the store that the configuration names. Throws StoreUnusable. */
export async function startStorePart(assembly: Assembly): Promise<RunningComponent> {
  const { config, directory } = assembly;
  const mustExist = config.store === 'embedded' && (await hasStore(directory));
  const opened = await openStore(storeOptions(assembly, mustExist));
  if (config.store === 'embedded' && !mustExist) await noteStore(directory);
  const store = await withEncryption(opened, assembly).catch(async (error) => {
    await opened.close();
    throw error;
  });
  assembly.store = store;
  const compaction = runCompaction(store, assembly.clock, assembly.logger.child({ component: 'store' }), (revision) =>
    assembly.apiServer?.server.cache.compact(revision),
  );
  return {
    async stop() {
      compaction.stop();
      await store.close();
    },
  };
}

function storeOptions({ config, directory, clock }: Assembly, mustExist: boolean): StoreOptions {
  switch (config.store) {
    case 'memory':
      return { kind: 'memory', clock };
    case 'embedded':
      return { kind: 'embedded', clock, directory: directory.store, mustExist };
    case 'etcd':
      return { kind: 'etcd', clock, endpoints: config.etcdEndpoints };
  }
}
