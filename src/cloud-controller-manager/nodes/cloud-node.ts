// Describes new nodes by their machines in the cloud, and keeps their addresses.
// https://kubernetes.io/docs/concepts/architecture/cloud-controller/#node-controller

import { isConflict, type Node } from '../../api/api.ts';
import { type Controller, keyOf, type Tools } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { CloudError, type Instance, type Instances, messageOf } from '../provider.ts';
import { nodeAddresses, preferred } from './node-addresses.ts';
import { initialLabels, reconciledLabels } from './node-labels.ts';

const uninitializedTaint = 'node.cloudprovider.kubernetes.io/uninitialized';

/** Kubernetes' --node-status-update-frequency. */
const statusPeriodMs = 300_000;
/** Attempts of one write, while others write the node too. */
const mostConflicts = 20;
const conflictDelayMs = 50;
const delayBuckets = [1, 4, 16, 64, 256, 1024];

const isUninitialized = ({ spec }: Node): boolean =>
  spec?.taints?.some(({ key }) => key === uninitializedTaint) ?? false;

/** Initializes nodes that have the taint; of others it keeps both generations of labels the same. */
export const cloudNodeController = (instances: Instances): Controller => ({
  name: 'cloud-node',
  watches: [
    {
      resource: 'nodes',
      keys: (node) => [keyOf(node)],
      matters: (next: Node, old: Node) =>
        isUninitialized(next) !== isUninitialized(old) ||
        next.spec?.providerID !== old.spec?.providerID ||
        !deepEqual(next.metadata.labels, old.metadata.labels) ||
        !deepEqual(next.metadata.annotations, old.metadata.annotations),
    },
  ],
  async reconcile(key, tools) {
    const node = tools.lister('nodes').get(key);
    if (!node) return;
    if (!isUninitialized(node)) return reconcileLabels(node, tools);
    try {
      await initialize(node, instances, tools);
    } catch (error) {
      tools.events.event(node, 'Warning', 'CloudInitializationFailed', messageOf(error));
      throw error;
    }
  },
});

async function reconcileLabels(node: Node, { client }: Tools): Promise<void> {
  const labels = reconciledLabels(node.metadata.labels ?? {});
  if (Object.keys(labels).length === 0) return;
  await client.patch('nodes', { name: node.metadata.name }, { type: 'merge', body: { metadata: { labels } } });
}

async function initialize(node: Node, instances: Instances, tools: Tools): Promise<void> {
  const { name } = node.metadata;
  const failed = (reason: string) => new CloudError(`failed to get instance metadata for node ${name}: ${reason}`);
  const instance = await instances.find(node).catch((error) => {
    throw failed(messageOf(error));
  });
  if (!instance) throw failed('instance not found');
  // Load balancers need it, and it is only set here: without it the taint stays.
  if (!instance.providerID && !node.spec?.providerID)
    throw failed(`cloud provider does not set node provider ID for node ${name}`);
  try {
    preferred(node, instance.addresses);
  } catch (error) {
    const reason = `provided node ip for node "${name}" is not valid: ${messageOf(error)}`;
    throw new CloudError(`failed to get node modifiers from cloud provider: ${reason}`);
  }
  const initialized = await write(node, instance, tools);
  const seconds = () => (tools.clock.now() - Date.parse(node.metadata.creationTimestamp ?? '')) / 1000;
  delay(tools, 'cloud_provider_taint_removal_delay_seconds', 'removed the cloud-provider taint').observe(seconds());
  await updateAddresses(initialized, instance, tools);
  tools.events.event(node, 'Normal', 'Synced', 'Node synced successfully');
  delay(tools, 'initial_node_sync_delay_seconds', 'finished the initial synchronization').observe(seconds());
}

const delay = ({ metrics }: Tools, name: string, done: string) =>
  metrics.histogram(
    `node_controller_${name}`,
    `Number of seconds after node creation when NodeController ${done} of a single node.`,
    delayBuckets,
  );

async function write(node: Node, instance: Instance, { client, clock, logger }: Tools): Promise<Node> {
  const { name } = node.metadata;
  let current = node;
  for (let attempt = 1; ; attempt++) {
    const { labels, discarded } = initialLabels(instance, current.metadata.labels ?? {});
    if (attempt === 1)
      for (const reason of discarded) logger.warn('label of the cloud discarded', { node: name, reason });
    const taints = (current.spec?.taints ?? []).filter(({ key }) => key !== uninitializedTaint);
    const next: Node = {
      ...current,
      metadata: { ...current.metadata, labels: { ...current.metadata.labels, ...labels } },
      spec: { ...current.spec, providerID: current.spec?.providerID || instance.providerID, taints },
    };
    try {
      return await client.update('nodes', next);
    } catch (error) {
      if (!isConflict(error) || attempt >= mostConflicts) throw error;
      await clock.sleep(conflictDelayMs);
      current = await client.get('nodes', { name });
    }
  }
}

/** Failures are for the log alone: the next round of the status tries again. */
async function updateAddresses(node: Node, instance: Instance, { client, logger }: Tools): Promise<void> {
  const { name } = node.metadata;
  try {
    const addresses = nodeAddresses(node, instance.addresses);
    if (!addresses || deepEqual(addresses, node.status?.addresses)) return;
    const body = { status: { addresses } };
    await client.patch('nodes', { name }, { type: 'merge', body }, { subresource: 'status' });
  } catch (error) {
    logger.error('addresses of the node not updated', { node: name, error: messageOf(error) });
  }
}

/** Asks for the addresses of all initialized nodes, every five minutes. */
export const cloudNodeStatusController = (instances: Instances): Controller => ({
  name: 'cloud-node-status',
  component: 'cloud-node-controller',
  watches: [],
  reads: ['nodes'],
  workers: 1,
  start: (_tools, enqueue) => enqueue('nodes'),
  async reconcile(_key, tools) {
    for (const node of tools.lister('nodes').list()) {
      if (isUninitialized(node)) continue;
      try {
        const instance = await instances.find(node);
        // The lifecycle controller decides about nodes without a machine.
        if (instance) await updateAddresses(node, instance, tools);
      } catch (error) {
        tools.logger.error('machine of the node not found out', { node: node.metadata.name, error: messageOf(error) });
      }
    }
    return { after: statusPeriodMs };
  },
});
