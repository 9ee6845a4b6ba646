// What is recorded of requests, and where it goes. https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/

import type { AuditPolicy } from './policy.ts';

/** An event of audit.k8s.io/v1 as JSON text. */
export interface AuditBackend {
  /** Must not throw: an event that cannot be written is dropped and counted. */
  write(event: string): void;
  /** Writes what is still waiting. */
  close(): Promise<void>;
}

export interface Auditor {
  readonly policy: AuditPolicy;
  readonly backends: readonly AuditBackend[];
}
