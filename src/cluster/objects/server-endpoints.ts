// The endpoints of the service "kubernetes": the API servers themselves keep them, no controller does. Each server has
// a lease in the store, as in Kubernetes (/registry/masterleases/<address>); the endpoints are the addresses with one.

import { ignoreNotFound, isAlreadyExists, isConflict } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { parseIp } from '../../machinery/ip.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { LeaseNotFound, prefixRange, type Store, valueOfText } from '../../store/store.ts';
import type { BootstrapInputs, SystemObject } from './extra-objects.ts';

const leases = '/registry/masterleases/';
/** Kubernetes' time to live, and its interval. */
const leaseSeconds = 15;
const keepEveryMs = 10_000;
const renewEveryMs = 5_000;
const watchAgainMs = 1_000;
/** A stop does not wait longer for a store that does not answer. */
const farewellMs = 2_000;

interface Context {
  readonly store: Store;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface KeptEndpoints {
  /** Removes this server from the endpoints, unless it is the last. */
  stop(): Promise<void>;
}

/** Resolves when this server is among the endpoints. */
export async function keepEndpoints(context: Context, endpoint: BootstrapInputs['endpoint']): Promise<KeptEndpoints> {
  // No pod could reach it, and the API refuses such an endpoint.
  if (endpoint.ip.startsWith('127.') || endpoint.ip === '::1') return { stop: async () => {} };
  const kept = new ServerEndpoints(context, endpoint);
  await kept.start();
  return kept;
}

class ServerEndpoints implements KeptEndpoints {
  readonly #context: Context;
  readonly #endpoint: BootstrapInputs['endpoint'];
  readonly #stopping = new AbortController();
  #lease: number | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(context: Context, endpoint: BootstrapInputs['endpoint']) {
    this.#context = context;
    this.#endpoint = endpoint;
  }

  async start(): Promise<void> {
    await this.#renew();
    await this.#publish();
    const each = [this.#every(renewEveryMs, () => this.#renew()), this.#every(keepEveryMs, () => this.#publish())];
    this.#running = Promise.all([...each, this.#followOthers()]);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const { clock } = this.#context;
    const over = new AbortController();
    const late = clock.sleep(farewellMs, over.signal).catch(() => {});
    await Promise.race([this.#running.then(() => this.#leave()).catch(() => {}), late]);
    over.abort();
  }

  async #leave(): Promise<void> {
    if (this.#lease !== undefined) await this.#context.store.revokeLease(this.#lease);
    await this.#publish();
  }

  async #renew(): Promise<void> {
    const { store } = this.#context;
    try {
      if (this.#lease !== undefined) return await store.keepAlive(this.#lease);
    } catch (error) {
      if (!(error instanceof LeaseNotFound)) throw error;
    }
    const lease = await store.grantLease(leaseSeconds);
    const { ip } = this.#endpoint;
    const object = { kind: 'Endpoints', apiVersion: 'v1', metadata: {}, subsets: [{ addresses: [{ ip }] }] };
    await store.commit([{ key: leases + ip, value: valueOfText(JSON.stringify(object)), lease }]);
    this.#lease = lease;
  }

  async #every(ms: number, keep: () => Promise<void>): Promise<void> {
    const { clock, logger } = this.#context;
    const { signal } = this.#stopping;
    for (;;) {
      await sleepInBackground(clock, ms, signal);
      if (signal.aborted) return;
      await keep().catch((error) => {
        if (!signal.aborted) logger.warn('endpoints of the API server not kept', { error: String(error) });
      });
    }
  }

  /** Another server that comes, goes or dies changes the endpoints at once. */
  async #followOthers(): Promise<void> {
    const { store, clock } = this.#context;
    const { signal } = this.#stopping;
    while (!signal.aborted)
      try {
        for await (const { changes } of store.watch(prefixRange(leases), await store.revision(), signal))
          if (changes.length > 0) await this.#publish();
      } catch {
        await sleepInBackground(clock, watchAgainMs, signal);
      }
  }

  async #publish(): Promise<void> {
    const { store, client } = this.#context;
    const { entries } = await store.range(prefixRange(leases));
    const { ip, port } = this.#endpoint;
    const family = parseIp(ip)?.family;
    const addresses = entries
      .map(({ key }) => key.slice(leases.length))
      .filter((address) => parseIp(address)?.family === family)
      .sort();
    // The last server keeps its address: it comes back with the same one.
    if (addresses.length === 0) return;
    for (const [collection, object] of objectsFor(addresses, port, family)) await replace(client, collection, object);
  }
}

function sleepInBackground(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.after(ms, end, { background: true });
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
}

function objectsFor(addresses: readonly string[], port: number, family: 4 | 6 | undefined) {
  const metadata = { name: 'kubernetes', namespace: 'default' };
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  const slice: SystemObject = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: family === 6 ? 'IPv6' : 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports,
  };
  const endpoints: SystemObject = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: addresses.map((ip) => ({ ip })), ports }],
  };
  return [
    ['/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', slice],
    ['/api/v1/namespaces/default/endpoints', endpoints],
  ] as const;
}

/** Of servers that write at one time, the others see the leases' next change, or their next interval. */
async function replace(client: Client, collection: string, object: SystemObject): Promise<void> {
  const path = `${collection}/${object.metadata.name}`;
  const current = await client.raw<SystemObject>('GET', path).catch(ignoreNotFound);
  const isSame =
    current && ['endpoints', 'subsets', 'ports'].every((field) => deepEqual(current[field], object[field]));
  if (isSame) return;
  const next = current && { ...current, ...object, metadata: { ...current.metadata, ...object.metadata } };
  await (next ? client.raw('PUT', path, next) : client.raw('POST', collection, object)).catch((error) => {
    if (!isConflict(error) && !isAlreadyExists(error)) throw error;
  });
}
