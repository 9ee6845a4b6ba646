// The holders of node ports in the store: several API servers never give one port to two services. Cluster IPs have
// IPAddress objects for this; Kubernetes has no object for a port.

import { type Entry, prefixRange, type Store, textOf, valueOfText, type Write } from '../../store/store.ts';
import type { ObjectWrite } from '../watch-cache/watch-cache.ts';

const prefix = '/registry/coracle/nodeports/';
const keyOf = (port: number): string => `${prefix}${port}`;

interface Holder {
  readonly namespace: string;
  readonly name: string;
}

export interface RecordedPort {
  readonly holder: Holder;
  readonly revision: number;
}

export async function recordedPorts(store: Pick<Store, 'range'>): Promise<ReadonlyMap<number, RecordedPort>> {
  const { entries } = await store.range(prefixRange(prefix));
  return new Map(
    entries.map(({ key, value, modRevision }) => [
      Number(key.slice(prefix.length)),
      { holder: JSON.parse(textOf(value)) as Holder, revision: modRevision },
    ]),
  );
}

/** Replaces the record of a port as it is at a revision; without a holder: removes it. */
export const recordOf = (port: number, holder: Holder | undefined, expected: number): Write => ({
  key: keyOf(port),
  ...(holder && { value: valueOfText(JSON.stringify(holder)) }),
  expected,
});

export class PortHolders {
  readonly #read: (key: string) => Promise<Entry | undefined>;
  /** Revisions of holders that do not exist any more, by port. */
  readonly #stale = new Map<number, number>();

  constructor(read: (key: string) => Promise<Entry | undefined>) {
    this.#read = read;
  }

  /** The write that fails when another service holds the port. */
  taking(port: number, { namespace = '', name = '' }: Partial<Holder>): ObjectWrite {
    const value = valueOfText(JSON.stringify({ namespace, name }));
    return { key: keyOf(port), serialized: { value, cut: 0 }, expected: this.#stale.get(port) ?? 0 };
  }

  async isHeld(port: number): Promise<boolean> {
    return (await this.#read(keyOf(port))) !== undefined;
  }

  releasing(port: number): ObjectWrite {
    return { key: keyOf(port) };
  }

  /** After a refused write: holders that no longer hold their port are replaced by the next. */
  async review(ports: readonly number[], holds: (holder: Holder, port: number) => boolean): Promise<void> {
    for (const port of ports) {
      const entry = await this.#read(keyOf(port));
      this.#stale.delete(port);
      if (entry && !holds(JSON.parse(textOf(entry.value)) as Holder, port)) this.#stale.set(port, entry.modRevision);
    }
  }
}
