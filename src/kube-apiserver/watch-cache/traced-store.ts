import type { Store } from '../../store/store.ts';
import { inSpan, noAttributes, type Tracing } from '../tracing/tracing.ts';

/** The methods of the store that the caches use. */
export type CachedStore = Pick<Store, 'revision' | 'range' | 'commit' | 'watch'>;

/** A store whose reads and writes are spans of the requests that wait for them. */
export function tracedStore(store: CachedStore, tracing: Tracing): CachedStore {
  const traced = <T>(name: string, work: () => Promise<T>) => inSpan({ tracing }, name, noAttributes, work);
  return {
    revision: () => traced('Store revision', () => store.revision()),
    range: (keys, page) => traced('Store range', () => store.range(keys, page)),
    commit: (writes) => traced('Store commit', () => store.commit(writes)),
    watch: (keys, after, signal) => store.watch(keys, after, signal),
  };
}
