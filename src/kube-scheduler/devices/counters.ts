// Counters that the devices of a pool share: a device can be allocated while enough of each is left.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#partitionable-devices

import { parseQuantity } from '../../machinery/quantity.ts';
import type { AllocatedDevices } from './allocated-devices.ts';
import { type Device, deviceId } from './claim-types.ts';
import type { Pool } from './pools.ts';

/** Amounts by "set counter". */
type Counters = Map<string, bigint>;

function* countersOf({ consumesCounters = [] }: Device): Generator<readonly [key: string, amount: bigint]> {
  for (const { counterSet, counters } of consumesCounters)
    for (const [name, { value }] of Object.entries(counters))
      yield [`${counterSet} ${name}`, parseQuantity(String(value)).nanos];
}

/** The amount of each counter that remains besides the devices that claims hold. */
export class AvailableCounters {
  readonly #allocated: AllocatedDevices;
  readonly #pools = new Map<string, Counters>();

  constructor(allocated: AllocatedDevices) {
    this.#allocated = allocated;
  }

  /** The same for all nodes: the whole pool counts. */
  of(pool: Pool): ReadonlyMap<string, bigint> {
    const cached = this.#pools.get(pool.id);
    if (cached) return cached;
    const left: Counters = new Map();
    for (const { name, counters } of pool.counterSets.values())
      for (const [counter, { value }] of Object.entries(counters))
        left.set(`${name} ${counter}`, parseQuantity(String(value)).nanos);
    for (const { spec } of pool.whole)
      for (const device of spec.devices ?? []) {
        if (!device.consumesCounters?.length) continue;
        if (!this.#allocated.isAllocated(deviceId(spec.driver, spec.pool.name, device.name))) continue;
        for (const [key, amount] of countersOf(device)) left.set(key, (left.get(key) ?? 0n) - amount);
      }
    this.#pools.set(pool.id, left);
    return left;
  }
}

/** The counters that devices of the present attempt take. */
export class TakenCounters {
  readonly #available: AvailableCounters;
  readonly #taken = new Map<string, Counters>();

  constructor(available: AvailableCounters) {
    this.#available = available;
  }

  /** False, and nothing is taken, if too little is left. */
  take(pool: Pool, device: Device): boolean {
    const available = this.#available.of(pool);
    let taken = this.#taken.get(pool.id);
    if (!taken) this.#taken.set(pool.id, (taken = new Map()));
    for (const [key, amount] of countersOf(device)) taken.set(key, (taken.get(key) ?? 0n) + amount);
    const isEnough = [...available].every(([key, left]) => left >= (taken.get(key) ?? 0n));
    if (!isEnough) this.release(pool, device);
    return isEnough;
  }

  release(pool: Pool, device: Device): void {
    const taken = this.#taken.get(pool.id);
    for (const [key, amount] of countersOf(device)) taken?.set(key, (taken.get(key) ?? 0n) - amount);
  }
}
