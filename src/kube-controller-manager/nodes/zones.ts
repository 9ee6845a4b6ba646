// The health of each zone, and the rate of evictions from its nodes.
// https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction

import type { Node } from '../../api/api.ts';

const perSecond = 0.1;
/** In a large zone that is partly disrupted; a small one then gives up none. */
const perSecondDisrupted = 0.01;
const largeZoneSize = 50;
const disruptedShare = 0.55;

type ZoneState = 'normal' | 'partly disrupted' | 'fully disrupted';

interface Zone {
  state: ZoneState;
  size: number;
  tokens: number;
  atMs: number;
}

export const zoneOf = ({ metadata: { labels = {} } }: Node): string =>
  `${labels['topology.kubernetes.io/region'] ?? ''}:${labels['topology.kubernetes.io/zone'] ?? ''}`;

export class NodeZones {
  readonly #zones = new Map<string, Zone>();

  /** True when no zone has any ready node. */
  get allDisrupted(): boolean {
    return this.#zones.size > 0 && [...this.#zones.values()].every(({ state }) => state === 'fully disrupted');
  }

  update(nodes: readonly { zone: string; ready: boolean }[], nowMs: number): void {
    const counts = new Map<string, { ready: number; notReady: number }>();
    for (const { zone, ready } of nodes) {
      const count = counts.get(zone) ?? { ready: 0, notReady: 0 };
      if (ready) count.ready++;
      else count.notReady++;
      counts.set(zone, count);
    }
    for (const name of this.#zones.keys()) if (!counts.has(name)) this.#zones.delete(name);
    for (const [name, count] of counts) {
      const zone = this.#zones.get(name) ?? { state: 'normal', size: 0, tokens: 1, atMs: nowMs };
      this.#refill(zone, nowMs);
      this.#zones.set(name, Object.assign(zone, { state: stateOf(count), size: count.ready + count.notReady }));
    }
  }

  /** Takes leave to give up one node of the zone; false: not now. */
  mayEvict(name: string, nowMs: number): boolean {
    const zone = this.#zones.get(name);
    if (!zone) return false;
    this.#refill(zone, nowMs);
    if (zone.tokens < 1 || rateOf(zone) === 0) return false;
    zone.tokens--;
    return true;
  }

  #refill(zone: Zone, nowMs: number): void {
    zone.tokens = Math.min(1, zone.tokens + ((nowMs - zone.atMs) / 1000) * rateOf(zone));
    zone.atMs = nowMs;
  }
}

function stateOf({ ready, notReady }: { ready: number; notReady: number }): ZoneState {
  if (ready === 0 && notReady > 0) return 'fully disrupted';
  return notReady > 2 && notReady / (ready + notReady) >= disruptedShare ? 'partly disrupted' : 'normal';
}

function rateOf({ state, size }: Zone): number {
  if (state !== 'partly disrupted') return perSecond;
  return size > largeZoneSize ? perSecondDisrupted : 0;
}
