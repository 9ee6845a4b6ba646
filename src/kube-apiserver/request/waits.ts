/** Time of a request that its server does not cause: in queues of priority and fairness, and in webhooks. */
export interface Waits {
  ms: number;
}
