// The devices that claims hold, counted, so that claims can be added and removed in any order.

import { parseQuantity } from '../../machinery/quantity.ts';
import { addCount } from '../counts.ts';
import { type AllocationResult, type Amounts, deviceId } from './claim-types.ts';

export class AllocatedDevices {
  readonly #owned = new Map<string, number>();
  readonly #shares = new Map<string, number>();
  readonly #consumed = new Map<string, Map<string, bigint>>();

  /** Whether one claim has the device for itself. */
  isOwned(id: string): boolean {
    return this.#owned.has(id);
  }

  /** Whether any claim has the device, or a share of it. */
  isAllocated(id: string): boolean {
    return this.#owned.has(id) || this.#shares.has(id);
  }

  /** Whether any claim has a share of the device. */
  isShared(id: string): boolean {
    return this.#shares.has(id);
  }

  /** The capacity that shares take of the device; undefined without shares. */
  consumed(id: string): Amounts | undefined {
    return this.#consumed.get(id);
  }

  add(allocation: AllocationResult): void {
    this.#count(allocation, 1);
  }

  remove(allocation: AllocationResult): void {
    this.#count(allocation, -1);
  }

  #count({ devices }: AllocationResult, by: 1 | -1): void {
    for (const { driver, pool, device, adminAccess, shareID, consumedCapacity } of devices.results ?? []) {
      // Access for administration does not occupy the device.
      if (adminAccess) continue;
      const id = deviceId(driver, pool, device);
      addCount(shareID === undefined ? this.#owned : this.#shares, id, by);
      if (shareID !== undefined && consumedCapacity) this.#consume(id, consumedCapacity, BigInt(by));
    }
  }

  #consume(id: string, capacity: Readonly<Record<string, string>>, by: bigint): void {
    const amounts = this.#consumed.get(id) ?? new Map<string, bigint>();
    for (const [name, amount] of Object.entries(capacity))
      amounts.set(name, (amounts.get(name) ?? 0n) + by * parseQuantity(String(amount)).nanos);
    if ([...amounts.values()].every((amount) => amount === 0n)) this.#consumed.delete(id);
    else this.#consumed.set(id, amounts);
  }
}
