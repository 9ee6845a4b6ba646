// Gives services of type LoadBalancer their load balancers, and removes them.
// https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer

import { isNotFound, type LoadBalancerStatus, type Node, type Service } from '../../api/api.ts';
import { type Controller, keyOf, type Tools } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { type LoadBalancer, type LoadBalancers, messageOf, RetryAfterError } from '../provider.ts';
import { serviceMetrics } from './service-metrics.ts';
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
  /** Services that may have a load balancer, for one that is deleted although it has the finalizer. */
  readonly balanced: Map<string, Service>;
  enqueue: (key: string) => void;
}

export function serviceControllers(balancers: LoadBalancers): readonly Controller[] {
  const maps = { nodes: new Map(), failures: new Map(), balanced: new Map() };
  const shared: Shared = { balancers, ...maps, enqueue: () => {} };
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
      try {
        await removeFormer(shared.balanced.get(key), service, tools, shared);
        if (service) await sync(service, tools, shared);
        shared.failures.delete(key);
      } catch (error) {
        return { after: retryMs(key, error, tools, shared) };
      }
    },
  };
}

function retryMs(key: string, error: unknown, { logger }: Tools, { failures }: Shared): number {
  const count = failures.get(key) ?? 0;
  // A time that the cloud asks for does not count as a failure.
  failures.set(key, error instanceof RetryAfterError ? count : count + 1);
  const usualMs = Math.min(shortestRetryMs * 2 ** count, longestRetryMs);
  const afterMs = error instanceof RetryAfterError ? error.afterMs : usualMs;
  logger.warn('load balancer not synced', { key, error: messageOf(error), retryMs: afterMs });
  return afterMs;
}

async function sync(service: Service, tools: Tools, shared: Shared): Promise<void> {
  try {
    if (wantsLoadBalancer(service) && !needsCleanup(service)) await ensure(service, tools, shared);
    else await remove(service, tools, shared);
  } catch (error) {
    tools.events.event(
      service,
      'Warning',
      'SyncLoadBalancerFailed',
      `Error syncing load balancer: ${messageOf(error)}`,
    );
    throw error;
  }
}

/** Deletes the load balancer of a service that is gone, or has been replaced, without the way over its finalizer. */
async function removeFormer(
  former: Service | undefined,
  service: Service | undefined,
  tools: Tools,
  shared: Shared,
): Promise<void> {
  if (!former || service?.metadata.uid === former.metadata.uid) return;
  const record = recorder(former, tools);
  record('Normal', 'DeletingLoadBalancer', 'Deleting load balancer');
  await shared.balancers.remove(former, tools).catch((error) => {
    record('Warning', 'DeleteLoadBalancerFailed', `Error deleting load balancer: ${messageOf(error)}`);
    throw error;
  });
  record('Normal', 'DeletedLoadBalancer', 'Deleted load balancer');
  forget(shared, keyOf(former));
}

/** Repeats an error with its place in front of it. */
const within =
  (place: string) =>
  (error: unknown): never => {
    const message = `${place}: ${messageOf(error)}`;
    throw error instanceof RetryAfterError ? new RetryAfterError(message, error.afterMs) : new Error(message);
  };

function forget({ nodes, failures, balanced, enqueue }: Shared, key: string): void {
  nodes.delete(key);
  failures.delete(key);
  balanced.delete(key);
  // Others may wait for an address or a port of a service that is gone.
  for (const waiting of failures.keys()) enqueue(waiting);
}

const nodesOf = ({ lister }: Tools): readonly Node[] => lister('nodes').list().filter(usesNode);

async function ensure(service: Service, tools: Tools, { balancers, balanced, nodes: given }: Shared): Promise<void> {
  const record = recorder(service, tools);
  balanced.set(keyOf(service), service);
  record('Normal', 'EnsuringLoadBalancer', 'Ensuring load balancer');
  await setFinalizer(service, true, tools).catch(within('failed to add load balancer cleanup finalizer'));
  const nodes = nodesOf(tools);
  if (nodes.length === 0) record('Warning', 'UnAvailableLoadBalancer', 'There are no available nodes for LoadBalancer');
  given.set(keyOf(service), nodeSet(nodes));
  const balancer = await balancers.ensure(service, nodes, tools).catch(within('failed to ensure load balancer'));
  record('Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
  await setBalancer(service, balancer, tools).catch(within('failed to update load balancer status'));
}

async function remove(service: Service, tools: Tools, shared: Shared): Promise<void> {
  const record = recorder(service, tools);
  const exists = await shared.balancers
    .exists(service, tools)
    .catch(within('failed to check if load balancer exists before cleanup'));
  if (exists) {
    record('Normal', 'DeletingLoadBalancer', 'Deleting load balancer');
    await shared.balancers.remove(service, tools).catch(within('failed to delete load balancer'));
  }
  const annotations = Object.fromEntries((shared.balancers.ownAnnotations ?? []).map((name) => [name, null]));
  // Before the finalizer goes: after a crash in between, nothing else would clear the status.
  await setBalancer(service, { status: {}, annotations }, tools).catch(within('failed to update load balancer status'));
  await setFinalizer(service, false, tools).catch(within('failed to remove load balancer cleanup finalizer'));
  record('Normal', 'DeletedLoadBalancer', 'Deleted load balancer');
  forget(shared, keyOf(service));
}

/** Updates load balancers for other nodes. */
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
      // The load balancer is missing, or is being deleted.
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
  const metrics = serviceMetrics(tools.metrics);
  const beginMs = tools.clock.monotonic();
  metrics.syncs.add();
  try {
    const balancer = await balancers.update(service, nodes, tools);
    const isChanged = balancer ? await setBalancer(service, balancer, tools) : false;
    if (!isNew && !isChanged) return;
    if (nodes.length > 0) record('Normal', 'UpdatedLoadBalancer', 'Updated load balancer with new hosts');
    else record('Warning', 'UnAvailableLoadBalancer', 'There are no available nodes for LoadBalancer');
  } catch (error) {
    if (!(await mayExist(service, tools, balancers))) return;
    metrics.errors.add();
    const names = nodes.map(({ metadata }) => metadata.name).sort();
    const rest = names.length > mostNames ? [`<${names.length - mostNames} more>`] : [];
    const shown = [...names.slice(0, mostNames), ...rest].join(' ');
    record(
      'Warning',
      'UpdateLoadBalancerFailed',
      `Error updating load balancer with new hosts [${shown}] [node names limited, total number of nodes: ${nodes.length}], error: ${messageOf(error)}`,
    );
    enqueue(key);
  } finally {
    metrics.latency.observe((tools.clock.monotonic() - beginMs) / 1000);
  }
}

/** A load balancer that is gone is none that was not updated. */
const mayExist = (service: Service, tools: Tools, { exists }: LoadBalancers): Promise<boolean> =>
  exists(service, tools).catch((error) => {
    tools.logger.error('failed to check if load balancer exists', { key: keyOf(service), error: messageOf(error) });
    return true;
  });

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
