// Keeps the record of node ports (port-holders.ts) as services have them: adds missing ports, and drops those that no
// service has. Every API server does this. https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport

import type { KubeObject, Service } from '../../api/api.ts';
import { type ComponentContext, type EventReporter, keyOf } from '../../client/client.ts';
import { must } from '../../machinery/must.ts';
import type { Store } from '../../store/store.ts';
import { allocationMetrics } from '../metrics/allocation-metrics.ts';
import { type KubernetesPorts, readStoredPorts } from './kubernetes-ports.ts';
import { type RecordedPort, recordedPorts, recordOf } from './port-holders.ts';

/** A port without a service is dropped when it is seen for this time: before, its service may be about to be written. */
const sightingsUntilDrop = 3;

type Owner = Service & KubeObject;

interface Options extends Pick<ComponentContext, 'client' | 'clock' | 'logger' | 'metrics'> {
  readonly store: Store;
  readonly nodePortRange: { readonly from: number; readonly to: number };
  readonly reporter: EventReporter;
}

export class PortRepair {
  readonly #options: Options;
  /** Ports without a service: the revision of the entry, and how often it was seen. */
  #leaks: ReadonlyMap<number, { readonly revision: number; readonly sightings: number }> = new Map();

  /** Ports of Kubernetes' record without a service, and how often they were seen. */
  #foreignLeaks: ReadonlyMap<number, number> = new Map();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Looks at all services once, and returns whether it could. A failure is logged and counted. */
  async run(): Promise<boolean> {
    const { logger, metrics } = this.#options;
    try {
      await this.#repair();
      return true;
    } catch (error) {
      allocationMetrics(metrics).portRepair.failures.add(1);
      logger.warn('node ports not repaired', { error: String(error) });
      return false;
    }
  }

  async #repair(): Promise<void> {
    const { client, store, nodePortRange } = this.#options;
    // Before the services: a record that changes meanwhile is left for the next time.
    const foreign = await readStoredPorts(store, nodePortRange);
    const { items } = await client.list('services');
    const recorded = await recordedPorts(store);
    const services = new Map((items as readonly Owner[]).map((service) => [keyOf(service), service]));
    const used = new Set<number>();
    for (const service of services.values())
      for (const port of claimsOf(service)) {
        if (!this.#inRange(port)) this.#outOfRange(service, port);
        else if (used.has(port)) this.#duplicate(service, port);
        else {
          used.add(port);
          await this.#keep(service, port, recorded.get(port), services);
        }
      }
    await this.#dropLeaks([...recorded].filter(([port]) => !used.has(port)));
    if (foreign) await this.#repairForeign(foreign, used);
  }

  async #keep(service: Owner, port: number, entry: RecordedPort | undefined, services: ReadonlyMap<string, Owner>) {
    const { store, logger } = this.#options;
    const { namespace = '', name, resourceVersion } = service.metadata;
    const holder = entry && services.get(`${entry.holder.namespace}/${entry.holder.name}`);
    if (holder && claimsOf(holder).includes(port)) return;
    // A service that is unchanged since the list had the port when the record was read.
    const current = await store.get(`/registry/services/specs/${namespace}/${name}`);
    if (String(current?.modRevision) !== resourceVersion) return;
    if (!entry) {
      this.#warn(service, 'repair', 'PortNotAllocated', `Port ${port} is not allocated; repairing`);
      logger.warn('node port of a service is not recorded', { service: keyOf(service), port });
    }
    await store.commit([recordOf(port, { namespace, name }, entry?.revision ?? 0)]);
  }

  #outOfRange(service: Owner, port: number): void {
    const { from, to } = this.#options.nodePortRange;
    const why = `Port ${port} is not within the port range ${from}-${to}; please recreate service`;
    this.#warn(service, 'outOfRange', 'PortOutOfRange', why);
  }

  #duplicate(service: Owner, port: number): void {
    const why = `Port ${port} was assigned to multiple services; please recreate service`;
    this.#warn(service, 'duplicate', 'PortAlreadyAllocated', why);
  }

  #warn(service: Owner, fault: string, reason: string, note: string): void {
    const { metrics, reporter } = this.#options;
    allocationMetrics(metrics).portRepair.errors.add(1, { type: fault });
    reporter.report(service, { type: 'Warning', reason, action: 'PortAllocation', note });
  }

  /** Kubernetes' API servers repair their record too; it is also right when none of them runs any more. */
  async #repairForeign(record: KubernetesPorts, used: ReadonlySet<number>): Promise<void> {
    const before = this.#foreignLeaks;
    const leaks = record.ports().filter((port) => !used.has(port));
    this.#foreignLeaks = new Map(leaks.map((port) => [port, (before.get(port) ?? 0) + 1]));
    const dropped = leaks.filter((port) => must(this.#foreignLeaks.get(port), 'sightings') >= sightingsUntilDrop);
    const write = record.changed(
      [...used].filter((port) => this.#inRange(port)),
      dropped,
    );
    if (write) await this.#options.store.commit([write]);
  }

  async #dropLeaks(entries: readonly (readonly [port: number, entry: RecordedPort])[]): Promise<void> {
    const { store, logger, metrics } = this.#options;
    const before = this.#leaks;
    const leaks = new Map<number, { revision: number; sightings: number }>();
    for (const [port, { revision }] of entries) {
      const previous = before.get(port);
      const sightings = (previous?.revision === revision ? previous.sightings : 0) + 1;
      if (sightings < sightingsUntilDrop) leaks.set(port, { revision, sightings });
      else {
        logger.warn('node port without a service dropped', { port });
        allocationMetrics(metrics).portRepair.errors.add(1, { type: 'leak' });
        await store.commit([recordOf(port, undefined, revision)]);
      }
    }
    this.#leaks = leaks;
  }

  #inRange(port: number): boolean {
    const { from, to } = this.#options.nodePortRange;
    return port >= from && port <= to;
  }
}

/** The ports that a service needs for itself: one number for several protocols is one, and repeated for one protocol. */
function claimsOf({ spec }: Service): readonly number[] {
  const protocols = new Map<number, Set<string>>();
  const claims: number[] = [];
  const healthPort = { nodePort: spec?.healthCheckNodePort, protocol: 'TCP' };
  for (const { nodePort, protocol = 'TCP' } of [...(spec?.ports ?? []), healthPort]) {
    if (!nodePort) continue;
    const seen = protocols.get(nodePort) ?? new Set();
    if (seen.size === 0 || seen.has(protocol)) claims.push(nodePort);
    protocols.set(nodePort, seen.add(protocol));
  }
  return claims;
}
