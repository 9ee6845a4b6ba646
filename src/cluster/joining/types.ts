// The inputs of machines that join.

import type { BootstrapToken } from '../../api/api.ts';
import type { KeyPair } from '../certificates/certificate-authority.ts';

export interface JoinRequest {
  /** URL of an API server. */
  readonly server: string;
  readonly token: BootstrapToken;
  /** Of the cluster's CA, as sha256:... */
  readonly hashes: readonly string[];
}

export interface ServerRequest {
  /** The first machine of a new cluster. With neither, the machine was a server before. */
  readonly init?: boolean;
  readonly join?: JoinRequest & {
    /** 64 hexadecimal digits: decrypts the keys of the control plane. */
    readonly certificateKey: string;
  };
}

/** The settings that all machines of a cluster share. */
export interface SharedSettings {
  readonly serviceCidr: string;
  readonly clusterCidr: string;
  readonly clusterDomain: string;
  /** The --cloud-provider of the servers; left out: local. */
  readonly cloudProvider?: string;
  /** Of Coracle. */
  readonly version: string;
}

/** A server that may start: its keys are in the data directory. */
export interface Server {
  readonly settings: SharedSettings;
  readonly etcdCa: KeyPair;
  /** Client URLs of etcd members; undefined: this machine has its member, or forms the first one. */
  readonly endpoints?: readonly string[];
  readonly isConfirmed: boolean;
  /** The start succeeded: from now on the machine is a server. */
  confirm(): Promise<void>;
  /** The first start failed: nothing of it stays. */
  undo(): Promise<void>;
}
