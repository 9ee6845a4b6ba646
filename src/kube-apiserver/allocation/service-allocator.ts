// Cluster IPs and node ports. https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/

import { type ApiObject, internalError, invalid, type Service, specOf } from '../../api/api.ts';
import { canonicalIpText, parseCidrs, parseIp } from '../../machinery/ip.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import { must } from '../../machinery/must.ts';
import type { Random } from '../../machinery/random.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { Entry } from '../../store/store.ts';
import { allocationMetrics } from '../metrics/allocation-metrics.ts';
import { Following } from '../watch-cache/following.ts';
import type { ResourceCache } from '../watch-cache/resource-cache.ts';
import type { ObjectWrite } from '../watch-cache/watch-cache.ts';
import { AddressRanges } from './address-ranges.ts';
import type { Allocation, AllocationRequest, Allocators, RangeUsage } from './allocators.ts';
import { addressKey, addressObject, removalOf } from './ip-address.ts';
import { type KubernetesPorts, RecordTurns, readKubernetesPorts } from './kubernetes-ports.ts';
import { mayHavePorts, NodePorts, portsOf, portTaken, refuseRepeatedPorts } from './node-ports.ts';
import { PortHolders } from './port-holders.ts';
import { completeFamilies, type Family, familyName } from './service-families.ts';

interface ServiceAllocatorOptions {
  /** One range, or one of each family: the primary one first. */
  readonly serviceCidr: string;
  readonly nodePortRange: { readonly from: number; readonly to: number };
  readonly random: Random;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Aborts when the server stops. */
  readonly stopping?: AbortSignal;
  /** Reads the store itself. */
  read(key: string): Promise<Entry | undefined>;
  /** The cache of services. */
  services(): Promise<ResourceCache>;
  /** The cache of further ranges; undefined where they are not served. */
  ranges?: (() => Promise<ResourceCache>) | undefined;
}

const hasAddress = ({ spec }: Service): boolean => spec?.type !== 'ExternalName' && spec?.clusterIP !== 'None';

export class ServiceAllocator implements Allocators {
  readonly #options: ServiceAllocatorOptions;
  /** By family, the primary one first. */
  readonly #addresses: ReadonlyMap<Family, AddressRanges>;
  readonly #ports: NodePorts;
  /** Services' events provide the allocations; the reservation of a write covers the time until its event. */
  readonly #services: Following;
  #cache: ResourceCache | undefined;
  readonly #holders: PortHolders;
  readonly #turns: RecordTurns;

  constructor(options: ServiceAllocatorOptions) {
    this.#options = options;
    this.#holders = new PortHolders(options.read);
    this.#turns = new RecordTurns(options.clock);
    const cidrs = parseCidrs(options.serviceCidr);
    if (!cidrs?.length) throw new Error(`the service range ${options.serviceCidr} is no CIDR`);
    this.#addresses = new Map(cidrs.map((cidr) => [familyName(cidr.family), new AddressRanges(cidr, options)]));
    this.#ports = new NodePorts(options.nodePortRange, options.random, (isChosen, attempt) =>
      this.#counted('port', isChosen, '', attempt),
    );
    this.#services = new Following(
      () => options.services(),
      {
        reset: (cache) => {
          this.#cache = cache;
          for (const ranges of this.#addresses.values()) ranges.reset();
          this.#ports.reset();
          const { prefix } = cache;
          cache.tree.forEach(prefix, `${prefix.slice(0, -1)}0`, ({ object }) => this.#hold(object as Service, 'hold'));
        },
        event: ({ type, item, previous }) => {
          if (type !== 'DELETED') this.#hold(item.object as Service, 'hold');
          if (previous) this.#hold(previous.object as Service, 'drop');
        },
      },
      options,
    );
  }

  /** The ranges with the number of their values that services have. */
  usage(): readonly RangeUsage[] {
    const addresses = [...this.#addresses.values()].flatMap((ranges) => ranges.usage());
    return [...addresses, this.#ports.usage()];
  }

  complete({ next, live }: Pick<AllocationRequest, 'next' | 'live'>): void {
    completeFamilies(next as Service, live as Service | undefined, [...this.#addresses.keys()]);
    if (live) refuseRepeatedPorts(next as Service);
  }

  async allocate({ next, live, dryRun }: AllocationRequest): Promise<Allocation> {
    await Promise.all([this.#services.ready(), ...[...this.#addresses.values()].map((ranges) => ranges.ready())]);
    const undo: (() => void)[] = [];
    const release = () => {
      for (const step of undo.splice(0)) step();
    };
    try {
      const service = next as Service;
      const previous = live as Service | undefined;
      const before = structuredClone(specOf(service));
      const writes = [...this.#giveAddresses(service, previous, undo, dryRun)];
      let elsewhere = await this.#elsewhere(service, previous);
      if (elsewhere && !dryRun) {
        undo.push(await this.#turns.take());
        elsewhere = await this.#elsewhere(service, previous);
      }
      this.#ports.give({ next: service, live: previous, dryRun, undo, elsewhere });
      const ports = { before: previous ? portsOf(previous) : [], after: portsOf(service) };
      const added = ports.after.filter((port) => !ports.before.includes(port));
      writes.push(...added.map((port) => this.#holders.taking(port, service.metadata)));
      const gone = ports.before.filter((port) => !ports.after.includes(port));
      writes.push(...gone.map((port) => this.#holders.releasing(port)), ...recordWrites(elsewhere, added, gone));
      const retract = async () => {
        release();
        service.spec = before;
        await this.#holders.review(added, (holder, port) => this.#holdsPort(holder, port));
      };
      const asked = before.clusterIPs?.filter((ip) => !previous || !this.#addressesOf(previous).includes(ip)) ?? [];
      return { writes, release, retract, contested: () => this.#contested(service, asked, added) };
    } catch (error) {
      release();
      throw error;
    }
  }

  async removal(object: ApiObject): Promise<readonly ObjectWrite[]> {
    const service = object as Service;
    return [
      ...recordWrites(await this.#elsewhere(service), [], portsOf(service)),
      ...this.#addressesOf(service).map(removalOf),
      ...portsOf(service).map((port) => this.#holders.releasing(port)),
    ];
  }

  /** The record of other servers, which is read only for services that have or get node ports. */
  async #elsewhere(...services: readonly (Service | undefined)[]): Promise<KubernetesPorts | undefined> {
    if (!services.some((service) => service && mayHavePorts(service))) return undefined;
    return readKubernetesPorts(this.#options.read, this.#options.nodePortRange);
  }

  #addressesOf(service: Service): readonly string[] {
    return hasAddress(service) ? (specOf(service).clusterIPs ?? []) : [];
  }

  #holdsPort({ namespace, name }: { readonly namespace: string; readonly name: string }, port: number): boolean {
    const service = this.#cache?.get(`${this.#cache.prefix}${namespace}/${name}`)?.object as Service | undefined;
    return service !== undefined && portsOf(service).includes(port);
  }

  #hold(service: Service, step: 'hold' | 'drop'): void {
    for (const address of this.#addressesOf(service)) this.#rangesOf(address)?.[step](address);
    this.#ports[step](service);
  }

  /** The ranges of an address' family; undefined when the cluster does not have it. */
  #rangesOf(address: string): AddressRanges | undefined {
    return this.#addresses.get(familyName(parseIp(address)?.family ?? 4));
  }

  #giveAddresses(next: Service, live: Service | undefined, undo: (() => void)[], dryRun: boolean): ObjectWrite[] {
    const spec = specOf(next);
    const held = live ? this.#addressesOf(live) : [];
    if (spec.type === 'ExternalName') return held.map(removalOf);
    if (!hasAddress(next)) return [];
    const asked = spec.clusterIPs ?? [];
    const give = (family: Family, address: string): string =>
      dryRun ? this.#plan(next, family, address) : this.#give(next, family, address, undo);
    const given = (spec.ipFamilies ?? []).map((family, index) => {
      const address = asked[index] ?? '';
      return address && held.includes(address) ? address : give(family as Family, address);
    });
    spec.clusterIP = given[0];
    spec.clusterIPs = given;
    const tools = { ...this.#options, now: () => this.#options.clock.now() };
    return [
      ...given.filter((ip) => !held.includes(ip)).map((ip) => addressObject(ip, next, tools)),
      ...held.filter((ip) => !given.includes(ip)).map(removalOf),
    ];
  }

  #give(next: Service, family: Family, asked: string, undo: (() => void)[]): string {
    const ranges = must(this.#addresses.get(family), family);
    const address = this.#counted('address', asked !== '', ranges.configured, () =>
      asked ? this.#claim(next, ranges, asked) : ranges.draw(),
    );
    if (address === undefined) throw internalError('failed to allocate a serviceIP: range is full');
    undo.push(() => ranges.cancel(address));
    return address;
  }

  #claim(next: Service, ranges: AddressRanges, address: string): string {
    // Kubernetes' words, also for the ends of a range.
    if (!ranges.offers(address))
      throw notAllocated(next, address, 'the provided network does not match the current range');
    if (ranges.has(address)) throw notAllocated(next, address, taken);
    ranges.book(address);
    return address;
  }

  /** Of a dry run: reserves nothing and does not ask who has the address, as in Kubernetes. */
  #plan(next: Service, family: Family, asked: string): string {
    const ranges = must(this.#addresses.get(family), family);
    if (!asked) return ranges.first;
    if (!ranges.offers(asked)) throw notInRange(next, asked, ranges.rangeOf(asked) ?? ranges.configured);
    return asked;
  }

  /** Names the value that the client asked for and that is another's in the store: an address can be a user's object. */
  async #contested(next: Service, addresses: readonly string[], nodePorts: readonly number[]) {
    for (const address of addresses)
      if (await this.#options.read(addressKey(address))) return notAllocated(next, address, taken);
    for (const port of nodePorts) if (await this.#holders.isHeld(port)) return portTaken(next, port);
    return internalError('failed to allocate a serviceIP: range is full');
  }

  #counted<T>(kind: 'address' | 'port', isChosen: boolean, cidr: string, work: () => T): T {
    const { clock, metrics } = this.#options;
    const { addressDuration, [kind]: counters } = allocationMetrics(metrics);
    const labels = { ...(kind === 'address' && { cidr }), scope: isChosen ? 'static' : 'dynamic' };
    const startMs = clock.monotonic();
    let found: T | undefined;
    try {
      found = work();
      return found;
    } finally {
      (found === undefined ? counters.errors : counters.total).add(1, labels);
      if (kind === 'address') addressDuration.observe((clock.monotonic() - startMs) / 1_000, { cidr });
    }
  }
}

function recordWrites(record: KubernetesPorts | undefined, taken: readonly number[], released: readonly number[]) {
  const write = record?.changed(taken, released);
  return write ? [{ key: write.key, serialized: { value: write.value, cut: 0 }, expected: write.expected ?? 0 }] : [];
}

const taken = 'provided IP is already allocated';

function notAllocated(service: Service, address: string, why: string) {
  const { clusterIPs } = specOf(service);
  return refuse(service, 'spec.clusterIPs', `${JSON.stringify(clusterIPs)}: failed to allocate IP ${address}: ${why}`);
}

const notInRange = (service: Service, address: string, range: string) =>
  notAllocated(
    service,
    address,
    `the provided IP (${canonicalIpText(address)}) is not in the valid range. The range of valid IPs is ${range}`,
  );

function refuse({ metadata }: Service, field: string, message: string) {
  return invalid({ group: '', kind: 'Service' }, metadata.name ?? '', [
    { type: 'FieldValueInvalid', field, message: `Invalid value: ${message}` },
  ]);
}
