// A client whose connection can be cut and joined again, for simulated failures.

import type { Client } from './interface.ts';

/** The state of a connection. */
export class Link {
  #whole = new AbortController();

  get isCut(): boolean {
    return this.#whole.signal.aborted;
  }

  /** Aborts when the connection is cut. */
  get ended(): AbortSignal {
    return this.#whole.signal;
  }

  cut(): void {
    this.#whole.abort(new Error('the link is cut'));
  }

  join(): void {
    if (this.isCut) this.#whole = new AbortController();
  }
}

/** While the link is cut, requests reject and watches have ended, as those of a machine without its network. */
export function cutClient(client: Client, link: Link): Client {
  const check = async () => {
    if (link.isCut) throw new Error('connect ENETUNREACH: the link is cut');
  };
  return {
    get: (...args) => check().then(() => client.get(...args)),
    list: (...args) => check().then(() => client.list(...args)),
    async *watch(resource, options, signal) {
      await check();
      yield* client.watch(resource, options, AbortSignal.any([signal, link.ended]));
    },
    create: (...args) => check().then(() => client.create(...args)),
    createSubresource: (...args) => check().then(() => client.createSubresource(...args)),
    update: (...args) => check().then(() => client.update(...args)),
    patch: (...args) => check().then(() => client.patch(...args)),
    delete: (...args) => check().then(() => client.delete(...args)),
    deleteCollection: (...args) => check().then(() => client.deleteCollection(...args)),
    raw: (...args) => check().then(() => client.raw(...args)),
  };
}
