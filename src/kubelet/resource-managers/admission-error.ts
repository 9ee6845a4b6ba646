// Why the resource managers do not admit a pod, in Kubernetes' words.

import type { Refusal } from '../pods/refusal.ts';

export class AdmissionError extends Error {
  override readonly name = 'AdmissionError';
  /** The reason of the pod's failure. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

export const topologyAffinityError = (): AdmissionError =>
  new AdmissionError('TopologyAffinityError', 'Resources cannot be allocated with Topology locality');

export const refusalOf = (error: Error): Refusal =>
  error instanceof AdmissionError
    ? { reason: error.reason, message: error.message }
    : {
        reason: 'UnexpectedAdmissionError',
        message: `Allocate failed due to ${error.message}, which is unexpected`,
      };
