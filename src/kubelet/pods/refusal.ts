/** Why a node does not take a pod: the reason and message of its status. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}
