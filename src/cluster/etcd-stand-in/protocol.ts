/** The path at which the stand-in for etcd serves its store. A real etcd has no such path. */
export const standInPath = '/coracle/store';

export interface StandInStore {
  /** Absolute; on the machine of the stand-in. */
  readonly directory: string;
  /** As etcd's flag: writes are acknowledged before they are flushed, so that a power loss may lose all data. */
  readonly unsafeNoFsync: boolean;
}
