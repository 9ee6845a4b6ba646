// Deletes nodes whose machine the cloud no longer has, and taints nodes whose machine is shut down.
// https://kubernetes.io/docs/concepts/architecture/cloud-controller/#node-controller

import { isNodeReady, isNotFound, type Node } from '../../api/api.ts';
import { type Controller, keyOf, type Tools } from '../../client/client.ts';
import { type Instance, type Instances, messageOf } from '../provider.ts';

const shutdownTaint = { key: 'node.cloudprovider.kubernetes.io/shutdown', effect: 'NoSchedule' } as const;

/** Kubernetes' --node-monitor-period. */
const monitorPeriodMs = 5_000;

type Taint = NonNullable<NonNullable<Node['spec']>['taints']>[number];

const isShutdownTaint = ({ key, effect }: Taint): boolean =>
  key === shutdownTaint.key && effect === shutdownTaint.effect;

const isTainted = ({ spec }: Node): boolean => spec?.taints?.some(isShutdownTaint) ?? false;

export const cloudNodeLifecycleController = (instances: Instances): Controller => ({
  name: 'cloud-node-lifecycle',
  watches: [
    {
      resource: 'nodes',
      keys: (node) => [keyOf(node)],
      matters: (next: Node, old: Node) => isNodeReady(next) !== isNodeReady(old) || isTainted(next) !== isTainted(old),
    },
  ],
  async reconcile(key, tools) {
    const node = tools.lister('nodes').get(key);
    if (!node) return;
    if (isNodeReady(node)) return setTaint(node, false, tools);
    let instance: Instance | undefined;
    try {
      instance = await instances.find(node);
    } catch (error) {
      // A cloud that does not answer says nothing about its machines.
      tools.logger.error('machine of a node that is not Ready not found out', { node: key, error: messageOf(error) });
      return { after: monitorPeriodMs };
    }
    if (!instance) await remove(node, tools);
    else if (instance.isShutDown) await setTaint(node, true, tools);
    return { after: monitorPeriodMs };
  },
});

async function remove(node: Node, { client, events, logger }: Tools): Promise<void> {
  const { name, uid } = node.metadata;
  const reason = 'it does not exist in the cloud provider';
  logger.info('node deleted, the cloud has no such machine', { node: name, providerID: node.spec?.providerID ?? '' });
  events.event(node, 'Normal', 'DeletingNode', `Deleting node ${name} because ${reason}`);
  await client.delete('nodes', { name }, { preconditions: { uid } }).catch((error) => {
    if (isNotFound(error)) return;
    logger.error('node not deleted', { node: name, error: messageOf(error) });
    events.event(node, 'Warning', 'DeletingNodeFailed', `Failed deleting node ${name}: ${messageOf(error)}`);
  });
}

/** A conflict is retried by the controller's queue. */
async function setTaint(node: Node, wanted: boolean, { client }: Tools): Promise<void> {
  if (isTainted(node) === wanted) return;
  const { name, resourceVersion } = node.metadata;
  const others = (node.spec?.taints ?? []).filter((taint) => !isShutdownTaint(taint));
  const taints = wanted ? [...others, shutdownTaint] : others;
  const body = { metadata: { resourceVersion }, spec: { taints } };
  await client.patch('nodes', { name }, { type: 'merge', body });
}
