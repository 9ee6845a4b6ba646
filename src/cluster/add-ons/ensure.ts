// Makes the objects of the add-ons, each once: they are then the user's to change and to delete. With --disable they are
// removed, and made again when it is left out later.

import { createServer } from 'node:net';
import { ignoreNotFound, isAlreadyExists, type Service } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { RunConfig } from '../config.ts';
import type { PartContext } from '../context.ts';
import { dnsServiceSpec } from '../objects/dns-service.ts';
import type { SystemObject } from '../objects/extra-objects.ts';
import { addOnLabel, type DnsPorts, dnsDeployment, proxyDaemonSet } from './objects.ts';
import { type AddOnName, addOnImages } from './program.ts';

/** Annotations of kube-system: the add-ons that were made, and those that --disable removed. */
const made = 'coracle.local/add-ons';
const disabled = 'coracle.local/disabled-add-ons';
const namespace = 'kube-system';
const names = Object.keys(addOnImages) as AddOnName[];

interface AddOnTools extends Pick<PartContext, 'random' | 'server' | 'logger'> {
  readonly client: Client;
  readonly config: Pick<RunConfig, 'components' | 'disable' | 'nodeIPs' | 'nodeNames'>;
}

const collections = { 'kube-proxy': 'daemonsets', 'cluster-dns': 'deployments' } as const;

export async function ensureAddOns(tools: AddOnTools): Promise<void> {
  const { client, config, server, logger } = tools;
  const { metadata } = await client.get('namespaces', { name: namespace });
  const before = [made, disabled].map((name) => metadata.annotations?.[name]?.split(',').filter(Boolean) ?? []);
  const [isMade, isDisabled] = before.map((list) => new Set(list));
  await takeOverDnsService(client);
  for (const name of names) {
    if (config.disable.includes(name)) {
      await remove(client, name);
      isMade.delete(name);
      isDisabled.add(name);
    } else if (server && isDisabled.has(name))
      logger.warn('another server disabled an add-on, so it stays away', { addOn: name, annotation: disabled });
    else if (config.components.includes(name)) {
      if (!isMade.has(name)) await create(tools, name);
      isMade.add(name);
      isDisabled.delete(name);
    }
  }
  if (server && isMade.has('cluster-dns')) await runTwice(client, config.nodeNames);
  const [madeNow, disabledNow] = [isMade, isDisabled].map((set) => [...set].sort().join());
  if (madeNow === before[0].join() && disabledNow === before[1].join()) return;
  const annotations = { [made]: madeNow, [disabled]: disabledNow || null };
  await client.patch('namespaces', { name: namespace }, { type: 'merge', body: { metadata: { annotations } } });
}

async function create(tools: AddOnTools, name: AddOnName): Promise<void> {
  const { client } = tools;
  const post = (path: string, object: SystemObject) =>
    client.raw('POST', path, object).catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'kube-proxy', namespace } };
  if (name === 'kube-proxy') await post(`/api/v1/namespaces/${namespace}/serviceaccounts`, account);
  const object = name === 'kube-proxy' ? proxyDaemonSet() : dnsDeployment(await freePorts(tools));
  await post(`/apis/apps/v1/namespaces/${namespace}/${collections[name]}`, object);
}

/** A user's object of the same name stays. */
async function remove(client: Client, name: AddOnName): Promise<void> {
  const resource = collections[name];
  const current = await client.get(resource, { namespace, name }).catch(ignoreNotFound);
  if (current?.metadata.labels?.[addOnLabel] === undefined) return;
  await client.delete(resource, { namespace, name }, { propagationPolicy: 'Background' }).catch(ignoreNotFound);
}

/** Once a second server joins, the loss of one machine is no loss of DNS. A number that a user chose stays. */
async function runTwice(client: Client, ownNodes: readonly string[]): Promise<void> {
  const name = 'cluster-dns';
  const nodes = await client.list('nodes');
  if (nodes.items.every(({ metadata }) => ownNodes.includes(metadata.name))) return;
  const current = await client.get('deployments', { namespace, name }).catch(ignoreNotFound);
  if (current?.metadata.labels?.[addOnLabel] === undefined || current.metadata.generation !== 1) return;
  if (current.spec.replicas !== 1) return;
  await client.patch('deployments', { namespace, name }, { type: 'merge', body: { spec: { replicas: 2 } } });
}

/** In a former version the servers were no pods, and wrote their endpoints themselves. */
async function takeOverDnsService(client: Client): Promise<void> {
  const at = { namespace, name: 'kube-dns' };
  const service: Service | undefined = await client.get('services', at).catch(ignoreNotFound);
  if (service && !service.spec.selector) {
    await client.patch('services', at, { type: 'merge', body: { spec: dnsServiceSpec } });
    const right = { namespace, name: 'system:coredns' };
    for (const resource of ['rolebindings', 'roles'] as const)
      await client.delete(resource, right).catch(ignoreNotFound);
  }
  const labelSelector = 'endpointslice.kubernetes.io/managed-by=cluster-dns.coracle.local';
  const { items } = await client.list('endpointslices', { namespace, labelSelector });
  for (const { metadata } of items)
    await client.delete('endpointslices', { namespace, name: metadata.name }).catch(ignoreNotFound);
}

/** Below the ports of node ports and of outgoing connections. */
const firstPort = 20_000;
const portCount = 10_000;
const tries = 100;

/** Ports that no server on this machine has: clusters that share a machine choose different ones. */
async function freePorts({ config: { nodeIPs }, random }: AddOnTools): Promise<DnsPorts> {
  for (let tried = 0; tried < tries; tried++) {
    const dns = firstPort + 2 * random.int(portCount / 2);
    const free = await Promise.all(nodeIPs.flatMap((host) => [isFree(dns, host), isFree(dns + 1, host)]));
    if (free.every(Boolean)) return { dns, metrics: dns + 1 };
  }
  throw new Error(
    `cluster DNS needs two free ports of ${nodeIPs.join(' and ')} from ${firstPort} to ${firstPort + portCount - 1}`,
  );
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
