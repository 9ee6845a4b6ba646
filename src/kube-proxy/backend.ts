// How service traffic is brought to its endpoints: one file a way, behind this interface.

import type { ServicePort } from './service-ports.ts';

export interface ProxyBackend {
  readonly name: 'nftables' | 'userspace';
  /** Programs exactly `ports`, with the address ranges of services. Changes only the differences since the last call. */
  sync(ports: readonly ServicePort[], serviceCidrs: readonly string[]): Promise<void>;
  /** Removes all rules and addresses of this back-end. */
  remove(): Promise<void>;
}
