// Gives services of type LoadBalancer their load balancers, and removes them.
// https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer

import { isNotFound, type LoadBalancerStatus, type Node, type Service } from '../api/api.ts';
import { type Controller, keyOf, type Tools } from '../client/client.ts';
import { deepEqual } from '../machinery/collections/equal.ts';
import type { CloudProvider, LoadBalancer, LoadBalancers } from './provider.ts';
import {
  changesNodes,
  cleanupFinalizer,
  hasFinalizer,
  needsCleanup,
  needsUpdate,
  nodeSet,
  usesNode,
  wantsLoadBalancer,
} from './services.ts';

const shortestRetryMs = 5_000;
const longestRetryMs = 300_000;
/** Names of nodes in one event. */
const mostNames = 20;

/** State that the controllers of one start share. */
interface Shared {
  readonly balancers: LoadBalancers;
  /** The set of nodes that the load balancer of a service was last given. */
  readonly nodes: Map<string, string>;
  /** Failures in a row, by service. */
  readonly failures: Map<string, number>;
  enqueue: (key: string) => void;
}

export function serviceControllers({ loadBalancers }: CloudProvider): readonly Controller[] {
  if (!loadBalancers) return [];
  const shared: Shared = { balancers: loadBalancers, nodes: new Map(), failures: new Map(), enqueue: () => {} };
  return [balancerController(shared), hostsController(shared)];
}

function balancerController(shared: Shared): Controller {
  const { balancers } = shared;
  return {
    name: 'service-lb',
    component: 'service-controller',
    watches: [
      {
        resource: 'services',
        keys: (service: Service) => (wantsLoadBalancer(service) || hasFinalizer(service) ? [keyOf(service)] : []),
        matters: (next: Service, old: Service) =>
          needsUpdate(next, old, balancers.ownAnnotations) || needsCleanup(next),
      },
    ],
    reads: ['nodes', ...(balancers.reads ?? [])],
    // One at a time, as in Kubernetes: two services never get one address.
    workers: 1,
    start(_tools, enqueue) {
      shared.enqueue = enqueue;
    },
    async reconcile(key, tools) {
      const service = tools.lister('services').get(key);
      if (!service) return forget(shared, key);
      try {
        if (wantsLoadBalancer(service) && !needsCleanup(service)) await ensure(service, tools, shared);
        else await remove(service, tools, shared);
        shared.failures.delete(key);
      } catch (error) {
        const message = `Error syncing load balancer: ${messageOf(error)}`;
        tools.events.event(service, 'Warning', 'SyncLoadBalancerFailed', message);
        const failures = shared.failures.get(key) ?? 0;
        shared.failures.set(key, failures + 1);
        const after = Math.min(shortestRetryMs * 2 ** failures, longestRetryMs);
        tools.logger.warn('load balancer not synced', { key, error: messageOf(error), retryMs: after });
        return { after };
      }
    },
  };
}

function forget({ nodes, failures, enqueue }: Shared, key: string): void {
  nodes.delete(key);
  failures.delete(key);
  // Others may wait for an address or a port of a service that is gone.
  for (const waiting of failures.keys()) enqueue(waiting);
}

const nodesOf = ({ lister }: Tools): readonly Node[] => lister('nodes').list().filter(usesNode);

async function ensure(service: Service, tools: Tools, { balancers, nodes: given }: Shared): Promise<void> {
  const record = recorder(service, tools);
  record('Normal', 'EnsuringLoadBalancer', 'Ensuring load balancer');
  await setFinalizer(service, true, tools);
  const nodes = nodesOf(tools);
  if (nodes.length === 0) record('Warning', 'UnAvailableLoadBalancer', 'There are no available nodes for LoadBalancer');
  given.set(keyOf(service), nodeSet(nodes));
  const balancer = await balancers.ensure(service, nodes, tools).catch((error) => {
    throw new Error(`failed to ensure load balancer: ${messageOf(error)}`);
  });
  record('Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
  await setBalancer(service, balancer, tools);
}

async function remove(service: Service, tools: Tools, shared: Shared): Promise<void> {
  const record = recorder(service, tools);
  if (await shared.balancers.exists(service, tools)) {
    record('Normal', 'DeletingLoadBalancer', 'Deleting load balancer');
    await shared.balancers.remove(service, tools).catch((error) => {
      throw new Error(`failed to delete load balancer: ${messageOf(error)}`);
    });
  }
  const annotations = Object.fromEntries((shared.balancers.ownAnnotations ?? []).map((name) => [name, null]));
  await setBalancer(service, { status: {}, annotations }, tools);
  await setFinalizer(service, false, tools);
  record('Normal', 'DeletedLoadBalancer', 'Deleted load balancer');
  forget(shared, keyOf(service));
}

/** Tells load balancers of other nodes. */
function hostsController(shared: Shared): Controller {
  const { balancers } = shared;
  return {
    name: 'service-lb-hosts',
    component: 'service-controller',
    watches: [
      {
        resource: 'nodes',
        keys: (_node, { lister }) => lister('services').list().filter(wantsLoadBalancer).map(keyOf),
        matters: changesNodes,
      },
      ...(balancers.triggers ?? []),
    ],
    reads: ['services', ...(balancers.reads ?? [])],
    async reconcile(key, tools) {
      const service = tools.lister('services').get(key);
      const given = shared.nodes.get(key);
      // The load balancer is not there yet, or goes.
      if (!service || given === undefined || !wantsLoadBalancer(service) || needsCleanup(service)) return;
      const nodes = nodesOf(tools);
      const isNew = given !== nodeSet(nodes);
      shared.nodes.set(key, nodeSet(nodes));
      if (isNew || balancers.triggers) await updateHosts(service, nodes, isNew, tools, shared);
    },
  };
}

async function updateHosts(
  service: Service,
  nodes: readonly Node[],
  isNew: boolean,
  tools: Tools,
  { balancers, enqueue, failures }: Shared,
): Promise<void> {
  const key = keyOf(service);
  const record = recorder(service, tools);
  // The service waits for its first success: that has the nodes of then.
  if (failures.has(key)) return enqueue(key);
  try {
    const balancer = await balancers.update(service, nodes, tools);
    const isChanged = balancer ? await setBalancer(service, balancer, tools) : false;
    if (!isNew && !isChanged) return;
    if (nodes.length > 0) record('Normal', 'UpdatedLoadBalancer', 'Updated load balancer with new hosts');
    else record('Warning', 'UnAvailableLoadBalancer', 'There are no available nodes for LoadBalancer');
  } catch (error) {
    const names = nodes.map(({ metadata }) => metadata.name).sort();
    const rest = names.length > mostNames ? [`<${names.length - mostNames} more>`] : [];
    const shown = [...names.slice(0, mostNames), ...rest].join(' ');
    record(
      'Warning',
      'UpdateLoadBalancerFailed',
      `Error updating load balancer with new hosts [${shown}] [node names limited, total number of nodes: ${nodes.length}], error: ${messageOf(error)}`,
    );
    enqueue(key);
  }
}

/** For users: without the stack. */
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const recorder =
  (service: Service, { events }: Tools) =>
  (type: 'Normal' | 'Warning', reason: string, message: string): void =>
    events.event(service, type, reason, message);

const target = ({ metadata: { namespace, name } }: Service) => ({ namespace, name });

/** By the status, as Kubernetes' controller does: its role has no right to the rest of services. */
async function patch(service: Service, body: object, { client }: Tools): Promise<void> {
  await client.patch('services', target(service), { type: 'merge', body }, { subresource: 'status' }).catch((error) => {
    if (!isNotFound(error)) throw error;
  });
}

async function setFinalizer(service: Service, wanted: boolean, tools: Tools): Promise<void> {
  if (hasFinalizer(service) === wanted) return;
  const { finalizers = [], uid } = service.metadata;
  const others = finalizers.filter((finalizer) => finalizer !== cleanupFinalizer);
  await patch(service, { metadata: { uid, finalizers: wanted ? [...others, cleanupFinalizer] : others } }, tools);
}

/** Whether it changed anything. */
async function setBalancer(
  service: Service,
  { status, annotations = {} }: LoadBalancer,
  tools: Tools,
): Promise<boolean> {
  const ingress = (each: LoadBalancerStatus | undefined) => each?.ingress ?? [];
  const old = service.metadata.annotations ?? {};
  const changed = Object.entries(annotations).filter(([name, value]) => (old[name] ?? null) !== value);
  const isSame = deepEqual(ingress(status), ingress(service.status?.loadBalancer));
  if (isSame && changed.length === 0) return false;
  const body = {
    metadata: { uid: service.metadata.uid, ...(changed.length > 0 && { annotations: Object.fromEntries(changed) }) },
    ...(!isSame && { status: { loadBalancer: { ingress: ingress(status).length > 0 ? ingress(status) : null } } }),
  };
  await patch(service, body, tools);
  return true;
}
