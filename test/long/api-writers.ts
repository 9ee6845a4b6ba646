// Writers and a watcher of config maps over HTTPS, with a record of acknowledged writes. Meanwhile the server is killed
// repeatedly.

import type { ConfigMap } from '../../src/api/api.ts';
import { type Client, createClient, httpsTransport, loadKubeconfig } from '../../src/client/client.ts';
import type { Random } from '../../src/machinery/random.ts';
import { systemClock } from '../../src/machinery/time/clock.ts';
import { Ledger } from './store-ledger.ts';

const namespace = 'default';
const keysOfWriter = 6;

/** A watch from one revision to another: it must contain all writes acknowledged in between. */
interface Stretch {
  readonly from: number;
  to: number;
  readonly seen: Set<string>;
}

export class ApiWriters {
  readonly ledger = new Ledger();
  readonly #kubeconfig: string;
  readonly #random: Random;
  readonly #stretches: Stretch[] = [];
  /** Names and revisions of acknowledged writes. */
  readonly #acknowledged: { readonly name: string; readonly revision: number }[] = [];
  readonly #stop = new AbortController();
  readonly #lost: string[] = [];
  #running: Promise<unknown> = Promise.resolve();

  constructor(kubeconfig: string, random: Random) {
    this.#kubeconfig = kubeconfig;
    this.#random = random;
  }

  start(writers: number): void {
    const all = Array.from({ length: writers }, (_, writer) => this.#write(writer));
    this.#running = Promise.all([...all, this.#watch()]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** All faults, one sentence each. */
  async faults(): Promise<string[]> {
    const { client, close } = await this.#connect();
    const { items } = await client.list('configmaps', { namespace });
    close();
    const found = new Map(items.filter(isOurs).map((map) => [map.metadata.name ?? '', Number(map.data?.['sequence'])]));
    const missed = this.#acknowledged.filter(({ name, revision }) =>
      this.#stretches.some(
        ({ from, to, seen }) => from < revision && revision <= to && !seen.has(`${name} ${revision}`),
      ),
    );
    return [
      ...this.#lost,
      ...this.ledger.faults(found),
      ...missed.map(({ name, revision }) => `the watch did not show ${name} at ${revision}`),
    ];
  }

  get watched(): number {
    return this.#stretches.reduce((sum, { seen }) => sum + seen.size, 0);
  }

  async #connect(): Promise<{ client: Client; close(): void }> {
    const transport = httpsTransport(await loadKubeconfig(this.#kubeconfig));
    return { client: createClient(transport), close: () => void transport.close() };
  }

  /** Retries until the server responds; a write with a lost response is verified by its writer. */
  async #write(writer: number): Promise<void> {
    let connection = await this.#connect();
    for (let sequence = 1; !this.#stop.signal.aborted; sequence++) {
      const name = `w${writer}-k${this.#random.int(keysOfWriter)}`;
      const isDelete = this.ledger.acknowledged.get(name) && this.#random.next() < 0.25;
      const value = isDelete ? 0 : sequence;
      this.ledger.add(`begin ${name} ${value}\n`);
      try {
        await this.#once(connection.client, name, value);
        this.ledger.add(`acknowledged ${name} ${value}\n`);
      } catch {
        connection.close();
        connection = await this.#connect();
        await this.#settle(connection.client, name);
      }
    }
    connection.close();
  }

  async #once(client: Client, name: string, sequence: number): Promise<void> {
    const exists = this.ledger.acknowledged.get(name);
    if (sequence === 0) return void (await client.delete('configmaps', { namespace, name }));
    const data = { sequence: String(sequence) };
    const map = exists
      ? await client.patch('configmaps', { namespace, name }, { type: 'merge', body: { data } })
      : await client.create('configmaps', { metadata: { namespace, name }, data });
    this.#acknowledged.push({ name, revision: Number(map.metadata.resourceVersion) });
  }

  /** Reads the result of the pending write, which then counts as acknowledged. */
  async #settle(client: Client, name: string): Promise<void> {
    while (!this.#stop.signal.aborted)
      try {
        const { items } = await client.list('configmaps', { namespace });
        const sequence = Number(items.find((map) => map.metadata.name === name)?.data?.['sequence'] ?? 0);
        const fault = this.ledger.faultOf(name, sequence);
        if (fault) this.#lost.push(fault);
        this.ledger.add(`acknowledged ${name} ${sequence}\n`);
        return;
      } catch {
        await systemClock.sleep(50);
      }
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const { client, close } = await this.#connect();
      try {
        const { resourceVersion: from } = await client.list('configmaps', { namespace });
        const stretch: Stretch = { from: Number(from), to: 0, seen: new Set() };
        this.#stretches.push(stretch);
        const options = { namespace, resourceVersion: from };
        for await (const event of client.watch('configmaps', options, this.#stop.signal)) {
          if (event.type === 'ERROR') break;
          const { name, resourceVersion } = event.object.metadata;
          stretch.to = Number(resourceVersion);
          stretch.seen.add(`${name} ${resourceVersion}`);
        }
      } catch {
        await systemClock.sleep(50);
      } finally {
        close();
      }
    }
  }
}

const isOurs = ({ metadata }: ConfigMap): boolean => /^w\d+-k\d+$/.test(metadata.name ?? '');
