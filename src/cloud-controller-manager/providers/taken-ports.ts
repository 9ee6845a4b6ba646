// The ports of nodes that a service cannot have, because its rules would take the traffic of others.

import { isPodTerminal, type Pod, type Service } from '../../api/api.ts';
import { keyOf } from '../../client/client.ts';
import { wantsLoadBalancer } from '../services/services.ts';

interface PortUsers {
  readonly service: Service;
  readonly services: readonly Service[];
  readonly pods: readonly Pod[];
  /** Ports of the machines' own programs, with their use. */
  readonly reserved: ReadonlyMap<number, string>;
}

/** One text for each port: its user, and the port. */
export function takenPorts({ service, services, pods, reserved }: PortUsers): string[] {
  const users = new Map<string, string>();
  for (const [port, user] of reserved) users.set(`${port}/TCP`, user);
  for (const pod of pods) for (const port of hostPorts(pod)) users.set(port, `pod ${keyOf(pod)}`);
  for (const other of services) {
    if (keyOf(other) === keyOf(service)) continue;
    for (const port of other.spec?.ports ?? [])
      if (port.nodePort) users.set(`${port.nodePort}/${port.protocol}`, `node port of service ${keyOf(other)}`);
    if (!wantsLoadBalancer(other) || !other.status?.loadBalancer?.ingress?.length) continue;
    for (const port of other.spec?.ports ?? []) users.set(`${port.port}/${port.protocol}`, `service ${keyOf(other)}`);
  }
  return (service.spec?.ports ?? [])
    .map(({ port, protocol }) => `${port}/${protocol ?? 'TCP'}`)
    .filter((port) => users.has(port))
    .map((port) => `${port} (${users.get(port)})`);
}

function hostPorts(pod: Pod): string[] {
  if (isPodTerminal(pod)) return [];
  const { containers = [], initContainers = [], hostNetwork } = pod.spec ?? {};
  return [...containers, ...initContainers]
    .flatMap(({ ports }) => ports ?? [])
    .flatMap(({ hostPort, containerPort, protocol }) => {
      const port = hostPort || (hostNetwork ? containerPort : 0);
      return port ? [`${port}/${protocol ?? 'TCP'}`] : [];
    });
}
