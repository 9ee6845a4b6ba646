// The last scheduling decisions, for `coracle explain pod`.

import { must } from '../machinery/must.ts';
import type { RankedNode } from './cycle.ts';
import type { FilteredNode } from './framework.ts';

export interface Decision {
  /** namespace/name */
  readonly pod: string;
  /** RFC 3339 */
  readonly time: string;
  /** Undefined: no node took it. */
  readonly node?: string;
  readonly message: string;
  readonly filtered: readonly FilteredNode[];
  /** Best first, at most 50. */
  readonly ranked: readonly RankedNode[];
  /** How many nodes were looked at, and how many there were. */
  readonly evaluated: number;
  readonly total: number;
}

const keptDecisions = 500;
/** Nodes kept per list. */
const toldNodes = 50;

/** A decision that formats its ranking on demand. */
export type RecordedDecision = Omit<Decision, 'ranked'> & { readonly ranked?: () => readonly RankedNode[] };

export class Decisions {
  readonly #byPod = new Map<string, RecordedDecision>();

  record(decision: RecordedDecision): void {
    this.#byPod.delete(decision.pod);
    this.#byPod.set(decision.pod, decision);
    if (this.#byPod.size > keptDecisions) this.#byPod.delete(must(this.#byPod.keys().next().value, 'decision'));
  }

  get(pod: string): Decision | undefined {
    const recorded = this.#byPod.get(pod);
    if (!recorded) return undefined;
    const { ranked, filtered } = recorded;
    return { ...recorded, filtered: filtered.slice(0, toldNodes), ranked: ranked?.().slice(0, toldNodes) ?? [] };
  }

  forget(pod: string): void {
    this.#byPod.delete(pod);
  }
}
