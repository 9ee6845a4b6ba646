// The devices that the present attempt has chosen so far.

import { parseQuantity } from '../../machinery/quantity.ts';
import type { Amounts } from './claim-types.ts';

export const amountsOf = (quantities: Readonly<Record<string, string>>): Amounts =>
  new Map(Object.entries(quantities).map(([name, quantity]) => [name, parseQuantity(String(quantity)).nanos]));

export class TakenDevices {
  /** Claims by their index. Shared devices are not in here. */
  readonly #claims = new Map<string, Set<number>>();
  /** Number of shares. */
  readonly #shares = new Map<string, number>();
  readonly #consumed = new Map<string, Map<string, bigint>>();

  isTaken(id: string): boolean {
    return (this.#claims.get(id)?.size ?? 0) > 0;
  }

  isTakenBy(id: string, claim: number): boolean {
    return this.#claims.get(id)?.has(claim) ?? false;
  }

  isShared(id: string): boolean {
    return (this.#shares.get(id) ?? 0) > 0;
  }

  consumed(id: string): Amounts | undefined {
    return this.#consumed.get(id);
  }

  /** With amounts it is a share of the device. */
  take(id: string, claim: number, amounts: Amounts | undefined): void {
    if (amounts) return this.#consume(id, amounts, 1);
    const claims = this.#claims.get(id);
    if (claims) claims.add(claim);
    else this.#claims.set(id, new Set([claim]));
  }

  release(id: string, claim: number, amounts: Amounts | undefined): void {
    if (amounts) this.#consume(id, amounts, -1);
    else this.#claims.get(id)?.delete(claim);
  }

  #consume(id: string, amounts: Amounts, by: 1 | -1): void {
    this.#shares.set(id, (this.#shares.get(id) ?? 0) + by);
    const sums = this.#consumed.get(id) ?? new Map<string, bigint>();
    for (const [name, amount] of amounts) sums.set(name, (sums.get(name) ?? 0n) + BigInt(by) * amount);
    this.#consumed.set(id, sums);
  }
}
