// A client that writes only while its process leads. After a pause of the process, such as a suspended machine, a write
// that was decided before it must not be sent: another process may lead by then.

import type { Client } from './interface.ts';

/** Reads pass; writes reject with an Error while `holds` is false. */
export function fencedClient(client: Client, holds: () => boolean): Client {
  const check = async () => {
    if (!holds()) throw new Error('the write is not sent: this process does not lead any more');
  };
  return {
    get: (...args) => client.get(...args),
    list: (...args) => client.list(...args),
    watch: (...args) => client.watch(...args),
    create: (...args) => check().then(() => client.create(...args)),
    createSubresource: (...args) => check().then(() => client.createSubresource(...args)),
    update: (...args) => check().then(() => client.update(...args)),
    patch: (...args) => check().then(() => client.patch(...args)),
    delete: (...args) => check().then(() => client.delete(...args)),
    deleteCollection: (...args) => check().then(() => client.deleteCollection(...args)),
    raw: (method, ...args) =>
      method === 'GET' ? client.raw(method, ...args) : check().then(() => client.raw(method, ...args)),
  };
}
