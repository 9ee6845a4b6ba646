// The members of an etcd cluster and their maintenance, in etcd's terms.
// https://etcd.io/docs/v3.4/op-guide/runtime-configuration/

/** Ids are 64 bits wide: decimal texts. */
export interface EtcdMemberInfo {
  readonly id: string;
  /** Empty until the member has started once. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface EtcdStatus {
  readonly clusterId: string;
  readonly memberId: string;
  /** Such as 3.4.23. */
  readonly version: string;
  /** `0` while there is none. */
  readonly leader: string;
  readonly term: number;
  readonly index: number;
  readonly sizeBytes: number;
  /** The rest of the size is free pages, which only defragmentation releases. */
  readonly inUseBytes: number;
  readonly isLearner: boolean;
}

export interface EtcdAlarm {
  readonly memberId: string;
  readonly alarm: 'NOSPACE' | 'CORRUPT';
}

/** A refusal by etcd. `message` is etcd's own; `unreachable`: no endpoint answered. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  readonly unreachable: boolean;
  readonly refusal: EtcdRefusal | undefined;
  constructor(message: string, unreachable: boolean, options?: ErrorOptions) {
    super(message, options);
    this.unreachable = unreachable;
    this.refusal = refusals.find(([, text]) => text.test(message))?.[0];
  }
}

type EtcdRefusal =
  | 'too many learners'
  | 'members are down'
  | 'no leader'
  | 'no learner'
  | 'not in sync'
  | 'no such member';

/** etcd has one code for many refusals: its own client, too, distinguishes them by their texts. */
const refusals: readonly (readonly [EtcdRefusal, RegExp])[] = [
  ['too many learners', /too many learner/i],
  ['members are down', /unhealthy cluster|server stopped|not enough started/i],
  ['no leader', /no leader|leader changed|request timed out/i],
  ['no learner', /not a learner/],
  ['not in sync', /in sync with leader/],
  ['no such member', /member not found/],
];

/** Calls reject with EtcdError. Calls without a URL go to the first endpoint that answers. */
export interface EtcdCluster {
  members(): Promise<{ readonly clusterId: string; readonly members: readonly EtcdMemberInfo[] }>;
  addLearner(peerUrl: string): Promise<{ readonly id: string; readonly members: readonly EtcdMemberInfo[] }>;
  promote(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  updatePeerUrl(id: string, peerUrl: string): Promise<void>;
  /** Resolves when a quorum answers; with a URL, when that member has one. */
  confirmQuorum(url?: string): Promise<void>;
  status(url: string): Promise<EtcdStatus>;
  /** The member answers nothing else meanwhile. */
  defragment(url: string): Promise<void>;
  /** The leader's URL is needed: only the leader hands over. */
  moveLeader(url: string, target: string): Promise<void>;
  alarms(): Promise<readonly EtcdAlarm[]>;
  disarm(alarm: EtcdAlarm): Promise<void>;
  close(): void;
}
