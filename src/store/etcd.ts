import { type Store, StoreUnusable } from './store.ts';

export async function openEtcdStore(_options: { endpoints: readonly string[] }): Promise<Store> {
  throw new StoreUnusable('unreachable', 'the etcd store is not built in yet');
}
