/** Where the stand-in for etcd says which store is meant. A real etcd has no such path. */
export const standInPath = '/coracle/store';

export interface StandInStore {
  /** Absolute; on the machine of the stand-in. */
  readonly directory: string;
}
