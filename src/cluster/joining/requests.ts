import type { BootstrapToken } from '../../api/api.ts';

export interface JoinRequest {
  /** URL of an API server. */
  readonly server: string;
  readonly token: BootstrapToken;
  /** Of the cluster's CA, as sha256:... */
  readonly hashes: readonly string[];
}

export interface ServerRequest {
  /** Left out: the first machine of a new cluster, or one that has joined before. */
  readonly join?: JoinRequest & {
    /** 64 hexadecimal digits: decrypts the keys of the control plane. */
    readonly certificateKey: string;
  };
}
