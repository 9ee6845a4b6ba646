// The node ports of services: claims those that a service names, and draws the rest.
// https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport

import { type ApiError, internalError, invalid, type Service, type ServicePort, specOf } from '../../api/api.ts';
import type { Random } from '../../machinery/random.ts';
import { plainError } from '../status.ts';
import type { RangeUsage } from './allocators.ts';
import { Pool, reservedOf } from './pool.ts';

interface PortRange {
  readonly from: number;
  readonly to: number;
}

interface PortRequest {
  /** Filled in. */
  readonly next: Service;
  readonly live: Service | undefined;
  readonly dryRun: boolean;
  /** Another server's record of ports. */
  readonly elsewhere?: { has(port: number): boolean } | undefined;
  /** Gets functions that release the booked ports. */
  readonly undo: (() => void)[];
}

/** Measures an attempt to allocate a port. */
type Measure = <T>(isChosen: boolean, attempt: () => T) => T;

const taken = 'provided port is already allocated';

const isExposed = ({ spec }: Service): boolean => spec?.type === 'NodePort' || spec?.type === 'LoadBalancer';
export const mayHavePorts = (service: Service): boolean => isExposed(service) || portsOf(service).length > 0;
/** Otherwise it has the ports that it names. */
const drawsPorts = ({ spec }: Service): boolean =>
  spec?.type === 'NodePort' || spec?.allocateLoadBalancerNodePorts !== false;
const needsHealthPort = ({ spec }: Service): boolean =>
  spec?.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

export class NodePorts {
  readonly #range: PortRange;
  readonly #pool: Pool;
  readonly #measure: Measure;

  constructor(range: PortRange, random: Random, measure: Measure) {
    this.#range = range;
    this.#measure = measure;
    const size = range.to - range.from + 1;
    this.#pool = new Pool(size, reservedOf(size, 32, 128), random);
  }

  usage(): RangeUsage {
    return { kind: 'port', size: this.#pool.size, used: this.#pool.used };
  }

  /** Drops all ports that services hold. */
  reset(): void {
    this.#pool.reset();
  }

  hold(service: Service): void {
    for (const port of portsOf(service)) if (this.#includes(port)) this.#pool.hold(port - this.#range.from);
  }

  drop(service: Service): void {
    for (const port of portsOf(service)) if (this.#includes(port)) this.#pool.drop(port - this.#range.from);
  }

  /** Throws an ApiError: 422 for a port that is taken, 500 for one of health checks and where the range is full. */
  give(request: PortRequest): void {
    const { next, live } = request;
    const held = new Set(live ? portsOf(live) : []);
    if (isExposed(next)) {
      // Named ports come first, so that none of them is drawn for another.
      if (live) this.#claimNew(request, held);
      else this.#claimAll(request);
      if (drawsPorts(next)) this.#drawMissing(request);
    }
    if (needsHealthPort(next)) this.#giveHealthPort(request, held);
  }

  /** In a new service, ports with the same number share a node port, as for DNS in two protocols. */
  #claimAll(request: PortRequest): void {
    const shared = new Map<number, number>();
    for (const [index, { port, nodePort }] of portList(request.next).entries()) {
      if (!nodePort || shared.get(port) === nodePort) continue;
      this.#claim(request, index, nodePort);
      if (!shared.has(port)) shared.set(port, nodePort);
    }
  }

  #claimNew(request: PortRequest, held: ReadonlySet<number>): void {
    const claimed = new Set(held);
    for (const [index, { nodePort }] of portList(request.next).entries()) {
      if (!nodePort || claimed.has(nodePort)) continue;
      this.#claim(request, index, nodePort);
      claimed.add(nodePort);
    }
  }

  #drawMissing(request: PortRequest): void {
    const { next, live } = request;
    const ports = portList(next);
    const shared = new Map<number, number>();
    const share = ({ port, nodePort }: ServicePort) => {
      if (!live && nodePort && !shared.has(port)) shared.set(port, nodePort);
    };
    for (const port of ports) share(port);
    for (const port of ports) {
      if (port.nodePort) continue;
      port.nodePort = shared.get(port.port) ?? this.#draw(request, 'a nodePort');
      share(port);
    }
  }

  #giveHealthPort(request: PortRequest, held: ReadonlySet<number>): void {
    const spec = specOf(request.next);
    const { healthCheckNodePort: asked } = spec;
    if (!asked) spec.healthCheckNodePort = this.#draw(request, 'a HealthCheck NodePort 0');
    else if (!held.has(asked)) {
      const why = this.#book(request, asked);
      if (why) throw healthPortTaken(asked, why);
    }
  }

  #claim(request: PortRequest, index: number, port: number): void {
    const why = this.#book(request, port);
    if (why) throw portRefused(request.next, index, port, why);
  }

  /** Why the port cannot be had; undefined: it is booked. */
  #book({ dryRun, undo, elsewhere }: PortRequest, port: number): string | undefined {
    // As in Kubernetes, a dry run does not check the range.
    if (dryRun && !this.#includes(port)) return undefined;
    const index = port - this.#range.from;
    let why: string | undefined;
    this.#measure(true, () => {
      if (!this.#includes(port))
        why = `provided port is not in the valid range. The range of valid ports is ${this.#range.from}-${this.#range.to}`;
      else if (this.#pool.has(index) || elsewhere?.has(port)) why = taken;
      return why ? undefined : index;
    });
    if (why) return why;
    this.#pool.book(index);
    undo.push(() => this.#pool.cancel(index));
    return undefined;
  }

  #draw({ undo, elsewhere }: PortRequest, port: string): number {
    for (;;) {
      const index = this.#measure(false, () => this.#pool.draw());
      if (index === undefined) throw internalError(`failed to allocate ${port}: range is full`);
      // A port that is another server's stays booked until the end of this write, so that it is not drawn again.
      undo.push(() => this.#pool.cancel(index));
      const number = this.#range.from + Number(index);
      if (!elsewhere?.has(number)) return number;
    }
  }

  #includes(port: number): boolean {
    return port >= this.#range.from && port <= this.#range.to;
  }
}

const portList = ({ spec }: Service): readonly ServicePort[] => spec?.ports ?? [];

/** Each number once: a service may use one in two protocols. */
export function portsOf({ spec }: Service): readonly number[] {
  const ports = [...(spec?.ports ?? []).map((port) => port.nodePort), spec?.healthCheckNodePort];
  return [...new Set(ports.filter((port) => port !== undefined))].filter((port) => port !== 0);
}

/** The refusal of a port that is another's in the store. */
export function portTaken(service: Service, port: number): ApiError {
  const index = portList(service).findIndex(({ nodePort }) => nodePort === port);
  return index < 0 ? healthPortTaken(port, taken) : portRefused(service, index, port, taken);
}

const healthPortTaken = (port: number, why: string) =>
  internalError(`failed to allocate requested HealthCheck NodePort ${port}: ${why}`);

function portRefused({ metadata }: Service, index: number, port: number, why: string): ApiError {
  return invalid({ group: '', kind: 'Service' }, metadata.name ?? '', [
    {
      type: 'FieldValueInvalid',
      field: `spec.ports[${index}].nodePort`,
      message: `Invalid value: ${port}: ${why}`,
    },
  ]);
}

/** Throws the answer of Kubernetes to an update with one node port twice for a protocol: it allocates before it validates. */
export function refuseRepeatedPorts(next: Service): void {
  if (!isExposed(next)) return;
  const seen = new Set<string>();
  for (const { nodePort, protocol = 'TCP' } of portList(next)) {
    const text = `{${protocol} ${nodePort}}`;
    if (nodePort && seen.has(text)) throw plainError(`duplicate nodePort: ${text}`);
    seen.add(text);
  }
}
