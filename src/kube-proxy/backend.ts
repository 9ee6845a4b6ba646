// How service traffic is brought to its endpoints: one file a way, behind this interface.

import type { ServicePort } from './service-ports.ts';

export interface ProxyBackend {
  readonly name: 'nftables' | 'userspace';
  /** Makes the machine do what `ports` says and nothing else. Only what changed since the last call is touched. */
  sync(ports: readonly ServicePort[]): Promise<void>;
  /** Removes everything that this back-end made. */
  remove(): Promise<void>;
}
