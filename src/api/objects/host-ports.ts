// Ports that pods take on their node: each can be had once.

import type { Pod } from '../generated/types.ts';

export interface HostPort {
  readonly protocol: string;
  /** 0.0.0.0: every address. */
  readonly ip: string;
  readonly port: number;
}

export const anyAddress = '0.0.0.0';
const noPorts: readonly HostPort[] = [];

/** Those of containers and sidecars. */
export function hostPortsOf({ spec }: Pod): readonly HostPort[] {
  let ports: HostPort[] | undefined;
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  for (const container of [...spec.containers, ...sidecars])
    for (const { protocol = 'TCP', hostIP, hostPort } of container.ports ?? [])
      if (hostPort) (ports ??= []).push({ protocol, ip: hostIP || anyAddress, port: hostPort });
  return ports ?? noPorts;
}

/** Whether one node cannot have both. */
export const portsConflict = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === anyAddress || b.ip === anyAddress);
