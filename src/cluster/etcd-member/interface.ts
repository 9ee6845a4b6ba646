// An etcd member of this machine, as the rest of the cluster sees it.

import type { EtcdTls } from '../../store/store.ts';
import type { KeyPair } from '../certificates/certificates.ts';

export interface EtcdMemberOptions {
  /** The member's own: data, certificates, log. Made when absent. */
  readonly directory: string;
  /** Unique in the cluster; the name of the machine. */
  readonly name: string;
  /** An IP address of this machine that the other members reach. */
  readonly address: string;
  /** Default: 2379. */
  readonly clientPort?: number;
  /** Default: 2380. */
  readonly peerPort?: number;
  /** Signs the certificates of members and clients. It is etcd's alone: each of its certificates has all rights. */
  readonly ca: KeyPair;
  /** Client URLs of members of an existing cluster; absent: the first member of a new one. */
  readonly join?: { readonly endpoints: readonly string[] };
  /** Default: `etcd` on PATH. */
  readonly program?: string;
  /** Size of the database beyond which etcd rejects writes. Default: 8 GiB, the most that etcd recommends. */
  readonly quotaBytes?: number;
  /** The cluster has removed this member, or a restored one replaced it: the machine must stop to serve. Called once. */
  readonly onRemoved?: (error: EtcdMemberError) => void;
  /** Ends a start that waits, for example for other members. */
  readonly signal?: AbortSignal;
}

/** An etcd member cannot start, join or leave. The message has cause, place and remedy. */
export class EtcdMemberError extends Error {
  override readonly name = 'EtcdMemberError';
}

export interface EtcdMemberStatus {
  readonly name: string;
  readonly id: string;
  readonly clientUrl: string;
  readonly isLearner: boolean;
  readonly isLeader: boolean;
  /** Absent: it does not answer. */
  readonly version?: string;
  readonly sizeBytes?: number;
  readonly inUseBytes?: number;
}

export interface EtcdMember {
  /** Client URLs of all members, this one's first. They follow the cluster. */
  readonly endpoints: readonly string[];
  /** For the store's client. A renewal changes its fields. */
  readonly tls: Required<EtcdTls>;
  /** The current problem, undefined if healthy. */
  health(): string | undefined;
  status(): Promise<EtcdMemberStatus & { readonly pid?: number; readonly restarts: number }>;
  members(): Promise<readonly EtcdMemberStatus[]>;
  /** Makes new certificates with new keys. etcd and the clients of this process use them for their next connections. */
  renewCertificates(): Promise<void>;
  /** Removes another member, which does not come back. False: there is none of this name. Throws EtcdMemberError. */
  remove(name: string): Promise<boolean>;
  /** Ends etcd; its data stays. A leader hands over first. */
  stop(): Promise<void>;
  /** Removes the member from its cluster, ends etcd and deletes its data. Throws EtcdMemberError for the last one. */
  leave(): Promise<void>;
}
