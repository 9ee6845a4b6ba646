import { serviceUnavailable } from '../../api/api.ts';
import { mayStillWrite } from '../../client/client.ts';
import type { Store } from '../../store/store.ts';
import { inSpan, noAttributes, type Tracing } from '../tracing/tracing.ts';

/** The methods of the store that the caches use. */
export type CachedStore = Pick<Store, 'revision' | 'range' | 'commit' | 'watch'>;

/**
 * A store that refuses late writes of components that do not lead any more. With `tracing`, its reads and writes are
 * spans of the requests that wait for them.
 */
export function cachedStore(store: CachedStore, tracing: Tracing | undefined): CachedStore {
  const fenced: CachedStore = {
    revision: () => store.revision(),
    range: (keys, page) => store.range(keys, page),
    commit: async (writes) => {
      if (!mayStillWrite()) throw serviceUnavailable('the write is not stored: its component does not lead any more');
      return store.commit(writes);
    },
    watch: (keys, after, signal) => store.watch(keys, after, signal),
  };
  return tracing ? traced(fenced, tracing) : fenced;
}

function traced(store: CachedStore, tracing: Tracing): CachedStore {
  const span = <T>(name: string, work: () => Promise<T>) => inSpan({ tracing }, name, noAttributes, work);
  return {
    ...store,
    revision: () => span('Store revision', () => store.revision()),
    range: (keys, page) => span('Store range', () => store.range(keys, page)),
    commit: (writes) => span('Store commit', () => store.commit(writes)),
  };
}
