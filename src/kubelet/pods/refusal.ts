/** Why a node does not take a pod: the reason and message of its status. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
  /** A critical pod needs these resources, which other pods have. */
  readonly shortages?: readonly Shortage[];
  /** Uids of the pods that make way for this one: it waits for their end. */
  readonly preempts?: readonly string[];
}

export interface Shortage {
  readonly resource: string;
  /** Beyond the free amount. */
  readonly amount: number;
}
