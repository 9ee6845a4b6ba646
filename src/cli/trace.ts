import type { Event } from '../api/api.ts';
import { type PortTrace, traceService } from '../kube-proxy/kube-proxy.ts';
import { parseIp } from '../machinery/ip.ts';
import { bold, CliError, type ClusterOptions, dim, print } from './options/options.ts';
import { asAdministrator } from './running/as-administrator.ts';
import { traceBalancers } from './trace-balancers.ts';

interface TraceOptions extends ClusterOptions {
  readonly namespace: string;
  readonly from?: string;
  readonly output: 'text' | 'json';
}

const announcement = 'LoadBalancerAddressAnnounced';

export async function trace(kind: string, name: string, options: TraceOptions): Promise<void> {
  const { namespace, from } = options;
  if (!['service', 'services', 'svc'].includes(kind)) throw new CliError(`cannot trace "${kind}": only service`, 2);
  if (from !== undefined && parseIp(from)?.family !== 4) throw new CliError(`--from ${from}: give an IPv4 address`, 2);
  await asAdministrator(options, async (client) => {
    const service = await client.get('services', { namespace, name });
    const [slices, nodes] = await Promise.all([client.list('endpointslices', { namespace }), client.list('nodes')]);
    const inputs = { service, slices: slices.items, nodes: nodes.items, ...(from !== undefined && { from }) };
    const ports = traceService(inputs);
    const { items: events } = await client.list('events', {
      namespace,
      fieldSelector: `involvedObject.uid=${service.metadata.uid}`,
    });
    const announced = announcements(events);
    const balancers = traceBalancers(service, nodes.items, announced, events);
    if (options.output === 'json')
      return print(JSON.stringify({ namespace, name, announced, balancers, ports }, null, 2));
    print(`${bold(`service ${namespace}/${name}`)}  ${service.spec?.type ?? ''}`);
    for (const { address, origin } of balancers) line('balancer', `${address ? `${address}  ` : ''}${dim(origin)}`);
    if (ports.length === 0) print('  has no addresses that the nodes serve');
    for (const port of ports) printPort(port);
  });
}

const line = (label: string, text: string): void => print(`  ${label.padEnd(10)}  ${text}`);

/** The newest report of each address: an event, which lives for an hour and is repeated every half hour. */
function announcements(events: readonly Event[]): Record<string, string> {
  const timeOf = (event: Event) => event.lastTimestamp ?? event.metadata.creationTimestamp ?? '';
  const sorted = events
    .filter(({ reason }) => reason === announcement)
    .sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1));
  return Object.fromEntries(
    sorted.flatMap(({ message = '' }) => {
      const address = / announces (\S+) on /.exec(message)?.[1];
      return address ? [[address, message]] : [];
    }),
  );
}

function printPort(port: PortTrace): void {
  const { refusal, rules, endpoints, droppingNodes } = port;
  print(`\n${bold(`port ${port.port}/${port.protocol}`)}`);
  for (const ip of port.externalIPs) line('external', ip);
  if (port.nodePort > 0) line('node port', `${port.nodePort}  ${dim('on every node')}`);
  for (const ip of port.clusterIPs) line('cluster', ip);
  if (refusal) line('refused', `${refusal.reason}  ${dim(refusal.rule)}`);
  const source = port.keepsClientAddress ? "keeps the client's address" : "has the node's address";
  line('rule', `from outside: ${rules.outside}  ${dim(source)}`);
  line('', `from inside: ${rules.inside}`);
  for (const { address, node, pod, isReady } of endpoints)
    line(
      'endpoint',
      `${address}  ${isReady ? 'ready' : 'not ready'}${node && `  node ${node}`}${pod && `  pod ${pod}`}`,
    );
  if (droppingNodes.length > 0)
    line('dropped', `on nodes without an endpoint: ${droppingNodes.join(', ')}  ${dim('externalTrafficPolicy Local')}`);
}
