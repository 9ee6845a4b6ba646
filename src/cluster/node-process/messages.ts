// The messages between a cluster's main process and the process of its nodes: all that the two share.

import type { KeyPair } from '../certificates/certificates.ts';
import type { RunConfig } from '../config.ts';
import type { PartStatus } from '../part-sequence.ts';

/** The complete configuration of the nodes' process. */
export interface NodeProcessConfig {
  readonly config: RunConfig;
  /** URL of the API server. */
  readonly server: string;
  /** PEM of the cluster's CA. */
  readonly ca: string;
  /** Client certificates by user name. */
  readonly certificates: Readonly<Record<string, KeyPair>>;
  /** The kubelet's serving certificate; left out: its client certificate is for both. */
  readonly serving?: KeyPair;
}

export type ToNodeProcess =
  /** The first message, and the only one of its type. */
  | { readonly type: 'start'; readonly config: NodeProcessConfig }
  | { readonly type: 'status'; readonly id: number }
  /** Stop the parts in order and exit. Containers keep running. */
  | { readonly type: 'stop' };

export type FromNodeProcess =
  | { readonly type: 'step'; readonly name: string; readonly ms: number }
  | { readonly type: 'ready' }
  /** The parts did not start; the process exits. `code` and `port` are those of a system error. */
  | { readonly type: 'failed'; readonly message: string; readonly code?: string; readonly port?: number }
  | {
      readonly type: 'status';
      readonly id: number;
      readonly parts: readonly PartStatus[];
      readonly memoryBytes: number;
    };
