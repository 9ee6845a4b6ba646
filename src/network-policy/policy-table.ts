import type { Clock } from '../machinery/time/clock.ts';
import { finishInPauses } from '../machinery/time/steps.ts';
import { changesOf, emptyRuleset, type Ruleset } from './nftables.ts';
import type { PacketFilter } from './packet-filter.ts';

/** The table of a cluster in the kernel. */
export class PolicyTable {
  readonly #name: string;
  readonly #filter: PacketFilter;
  /** Contents of the table; undefined: they are unknown, and the next call replaces them. */
  #applied: Ruleset | 'none' | undefined;

  constructor(name: string, filter: PacketFilter) {
    this.#name = name;
    this.#filter = filter;
  }

  /** Changes only the differences, in one transaction. */
  async apply(wanted: Ruleset, clock: Clock): Promise<void> {
    const { existing, prefix } = await this.#start();
    const script = prefix + (await finishInPauses(changesOf(this.#name, existing, wanted), clock));
    if (script !== '') await this.#write(script, wanted);
    this.#applied = wanted;
  }

  async remove(): Promise<void> {
    if (this.#applied === 'none') return;
    await this.#write(`add table ${this.#name}\ndelete table ${this.#name}\n`, 'none');
  }

  /** The next call replaces the contents. */
  forget(): void {
    if (this.#applied !== 'none') this.#applied = undefined;
  }

  async #start(): Promise<{ existing: Ruleset; prefix: string }> {
    const applied = this.#applied;
    if (applied !== undefined && applied !== 'none') return { existing: applied, prefix: '' };
    if (!(await this.#filter.filterBridges()))
      throw new Error(
        'the kernel does not filter traffic between pods of one node: load its module br_netfilter ("modprobe br_netfilter")',
      );
    const name = this.#name;
    return { existing: emptyRuleset, prefix: `add table ${name}\ndelete table ${name}\nadd table ${name}\n` };
  }

  async #write(script: string, contents: Ruleset | 'none'): Promise<void> {
    this.#applied = undefined;
    await this.#filter.nft(script);
    this.#applied = contents;
  }
}
