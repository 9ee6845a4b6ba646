// Keeps the routes of the cloud's network to the pods of each node.
// https://kubernetes.io/docs/concepts/architecture/cloud-controller/#route-controller

import { conditionOf, isConflict, type Node } from '../../api/api.ts';
import { type Controller, type Tools, timestamp } from '../../client/client.ts';
import { type Cidr, parseCidr } from '../../machinery/ip.ts';
import { must } from '../../machinery/must.ts';
import { formatDuration } from '../../machinery/time/duration.ts';
import { messageOf, type Route, type Routes } from '../provider.ts';
import { type MissingRoute, planRoutes } from './route-plan.ts';

/** Kubernetes' --route-reconciliation-period. */
const periodMs = 10_000;
/** Calls of the cloud at one time. */
const mostCalls = 200;
const mostConflicts = 5;
const conflictDelayMs = 100;

export function routeController(routes: Routes, clusterCidrs: readonly string[]): Controller {
  const cidrs = clusterCidrs.map((text) => must(parseCidr(text), text));
  return {
    name: 'route',
    component: 'route_controller',
    watches: [],
    reads: ['nodes'],
    workers: 1,
    start: (_tools, enqueue) => enqueue('routes'),
    async reconcile(_key, tools) {
      const beginMs = tools.clock.monotonic();
      tools.metrics
        .counter(
          'route_controller_route_sync_total',
          'A metric counting the amount of times routes have been synced with the cloud provider.',
        )
        .add();
      try {
        await sync(await listed(routes, tools), routes, cidrs, tools);
      } catch (error) {
        tools.logger.error("couldn't reconcile node routes", { error: messageOf(error) });
      }
      return { after: Math.max(0, periodMs - (tools.clock.monotonic() - beginMs)) };
    },
  };
}

const listed = (routes: Routes, { lister }: Tools): Promise<readonly Route[]> =>
  routes.list(lister('nodes').list()).catch((error) => {
    throw new Error(`error listing routes: ${messageOf(error)}`);
  });

async function sync(
  existing: readonly Route[],
  routes: Routes,
  clusterCidrs: readonly Cidr[],
  tools: Tools,
): Promise<void> {
  const { logger, lister } = tools;
  const { remove, create, judged, unreadable } = planRoutes(lister('nodes').list(), existing, clusterCidrs);
  for (const { name, destinationCIDR } of unreadable)
    logger.error('route ignored, its destination is no range', { route: name, destination: destinationCIDR });
  // A changed route is removed before it is made again.
  await inBatches(remove, async (route) => {
    const fields = { route: route.name, destination: route.destinationCIDR };
    await routes.remove(route).then(
      () => logger.info('route deleted', fields),
      (error) => logger.error('route not deleted', { ...fields, error: messageOf(error) }),
    );
  });
  const without = new Set<string>();
  await inBatches(create, async (missing) => {
    if (!(await createRoute(missing, routes, tools))) without.add(missing.node.metadata.name);
  });
  await inBatches(judged, (node) => {
    const hasRoutes = (node.spec?.podCIDRs?.length ?? 0) > 0 && !without.has(node.metadata.name);
    return setCondition(node, hasRoutes, tools).catch((error) =>
      logger.error('failed to update networking condition', { node: node.metadata.name, error: messageOf(error) }),
    );
  });
}

async function inBatches<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += mostCalls) await Promise.all(items.slice(i, i + mostCalls).map(act));
}

async function createRoute({ node, cidr }: MissingRoute, routes: Routes, tools: Tools): Promise<boolean> {
  const { name, uid } = node.metadata;
  const { clock, events, logger } = tools;
  const beginMs = clock.monotonic();
  try {
    await routes.create(uid, {
      targetNode: name,
      targetAddresses: node.status?.addresses ?? [],
      destinationCIDR: cidr,
    });
    logger.info('route created', { node: name, destination: cidr });
    return true;
  } catch (error) {
    const took = formatDuration(Math.round(clock.monotonic() - beginMs));
    const message = `Could not create route ${uid} ${cidr} for node ${name} after ${took}: ${messageOf(error)}`;
    events.event(node, 'Warning', 'FailedToCreateRoute', message);
    logger.error('route not created', { node: name, destination: cidr, error: messageOf(error) });
    return false;
  }
}

async function setCondition(node: Node, hasRoutes: boolean, { client, clock }: Tools): Promise<void> {
  const wanted = hasRoutes
    ? { status: 'False', reason: 'RouteCreated', message: 'RouteController created a route' }
    : { status: 'True', reason: 'NoRouteCreated', message: 'RouteController failed to create a route' };
  const current = conditionOf(node, 'NetworkUnavailable');
  if (current?.status === wanted.status && current.reason === wanted.reason) return;
  const now = timestamp(clock.now());
  const condition = { type: 'NetworkUnavailable', ...wanted, lastHeartbeatTime: now, lastTransitionTime: now };
  const body = { status: { conditions: [condition] } };
  for (let attempt = 1; ; attempt++)
    try {
      await client.patch('nodes', { name: node.metadata.name }, { type: 'strategic', body }, { subresource: 'status' });
      return;
    } catch (error) {
      if (!isConflict(error) || attempt >= mostConflicts) throw error;
      await clock.sleep(conflictDelayMs);
    }
}
