import { type Store, StoreUnusable } from './store.ts';

export async function openEmbeddedStore(_options: { directory: string }): Promise<Store> {
  throw new StoreUnusable('unreachable', 'the embedded store is not built in yet');
}
