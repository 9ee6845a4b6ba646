// The audit policy and the backends that write its events. https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/

import type { AuditPolicy } from './policy.ts';

/** An event of audit.k8s.io/v1 as JSON text. */
export interface AuditBackend {
  /** Kubernetes' name of the plugin. */
  readonly name: 'log' | 'webhook';
  /** Events that were dropped. */
  readonly lost: number;
  /** Must not throw: an event that cannot be written is dropped and counted. */
  write(event: string): void;
  /** Writes the events that still wait. */
  close(): Promise<void>;
}

export interface Auditor {
  readonly policy: AuditPolicy;
  readonly backends: readonly AuditBackend[];
}
