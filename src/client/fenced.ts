// A client that writes only while its process leads. After a pause of the process, such as a suspended machine, a write
// that was decided before it must not be made: another process may lead by then.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Client } from './interface.ts';

const fences = new AsyncLocalStorage<() => boolean>();

/**
 * Whether the write for which this is called may still be made. An API server in the same process asks it immediately
 * before it stores: admission may take long, and the process may be paused in any step.
 */
export const mayStillWrite = (): boolean => fences.getStore()?.() ?? true;

/** Reads pass; writes reject with an Error while `holds` is false. */
export function fencedClient(client: Client, holds: () => boolean): Client {
  const write = async <T>(call: () => Promise<T>): Promise<T> => {
    if (!holds()) throw new Error('the write is not sent: this process does not lead any more');
    // Work that a request starts for later, such as a timer, is not part of the write: the fence ends with it.
    let isOver = false;
    return fences.run(
      () => isOver || holds(),
      () => call().finally(() => (isOver = true)),
    );
  };
  return {
    get: (...args) => client.get(...args),
    list: (...args) => client.list(...args),
    watch: (...args) => client.watch(...args),
    create: (...args) => write(() => client.create(...args)),
    createSubresource: (...args) => write(() => client.createSubresource(...args)),
    update: (...args) => write(() => client.update(...args)),
    patch: (...args) => write(() => client.patch(...args)),
    delete: (...args) => write(() => client.delete(...args)),
    deleteCollection: (...args) => write(() => client.deleteCollection(...args)),
    raw: (method, ...args) =>
      method === 'GET' ? client.raw(method, ...args) : write(() => client.raw(method, ...args)),
  };
}
