// Detects nodes without heartbeats, sets their conditions, and taints them, so that the scheduler avoids them and their
// pods are evicted: slowly if many nodes of a zone fail at once, because then the fault is likely local.
// https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller

import {
  conditionOf,
  ignoreNotFound,
  isConflict,
  isNodeReady,
  isNotFound,
  isPodReady,
  type Node,
  type NodeCondition,
  type Pod,
  type Taint,
} from '../../api/api.ts';
import { type Controller, keyOf, own, settleEach, type Tools, timestamp } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { notReadyTaint, unreachableTaint, withConditionTaints, withNoExecute } from './taints.ts';
import { NodeZones, zoneOf } from './zones.ts';

export interface NodeLifecycleConfig {
  /** How often nodes are looked at. Default 5 s. */
  readonly nodeMonitorPeriodMs?: number;
  /** How long a node may be silent. Default 40 s. */
  readonly nodeMonitorGracePeriodMs?: number;
  /** The same for a node that has never reported. Default 60 s. */
  readonly nodeStartupGracePeriodMs?: number;
}

const monitor = ' monitor';
const leaseNamespace = 'kube-node-lease';
const byNode = 'by node';
/** Conditions that the kubelet reports, so they are unknown without it. */
const kubeletConditions = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

interface Health {
  /** Time of the last heartbeat by the local clock: a node's clock may be wrong. */
  heardMs: number;
  heartbeat: string;
  renewed: string;
}

export function nodelifecycle(config: NodeLifecycleConfig = {}): Controller {
  const period = config.nodeMonitorPeriodMs ?? 5_000;
  const nodes = new NodeHealth(config);
  return {
    name: 'nodelifecycle',
    component: 'node-controller',
    watches: [own('nodes', (next: Node, old: Node) => concernsTaints(next, old))],
    reads: ['leases', 'pods'],
    indexes: [{ resource: 'pods', name: byNode, valuesOf: ({ spec }: Pod) => (spec.nodeName ? [spec.nodeName] : []) }],
    start: (_, enqueue) => enqueue(monitor),
    async reconcile(key, tools) {
      if (key === monitor) {
        await nodes.look(tools);
        return { after: period };
      }
      const node = tools.lister('nodes').get(key);
      if (node) await writeTaints(node, withConditionTaints(node, tools.clock.now()), tools);
    },
  };
}

const concernsTaints = (next: Node, old: Node): boolean =>
  next.spec.unschedulable !== old.spec.unschedulable ||
  !deepEqual(next.spec.taints ?? [], old.spec.taints ?? []) ||
  (next.status?.conditions ?? []).some((condition) => conditionOf(old, condition.type)?.status !== condition.status);

class NodeHealth {
  readonly #graceMs: number;
  readonly #startupGraceMs: number;
  readonly #health = new Map<string, Health>();
  /** Nodes of the previous check, to detect added and deleted ones. */
  readonly #previous = new Map<string, Node>();
  readonly #zones = new NodeZones();
  /** Whether no node was ready at the previous check. */
  #blind = false;

  constructor(config: NodeLifecycleConfig) {
    this.#graceMs = config.nodeMonitorGracePeriodMs ?? 40_000;
    this.#startupGraceMs = config.nodeStartupGracePeriodMs ?? 60_000;
  }

  async look(tools: Tools): Promise<void> {
    const nodes = tools.lister('nodes').list();
    this.#noteArrivals(nodes, tools);
    const looked = await Promise.all(nodes.map((node) => this.#judge(node, tools)));
    const nowMs = tools.clock.monotonic();
    this.#zones.update(
      looked.map((node) => ({ zone: zoneOf(node), ready: isNodeReady(node) })),
      nowMs,
    );
    if (this.#zones.allDisrupted) {
      // No node reports, so the fault is local. No pod is evicted, and afterwards every node gets its full grace
      // period.
      this.#blind = true;
      await Promise.all(
        looked.map((node) =>
          writeTaints(node, withNoExecute(node, undefined, tools.clock.now()), tools).catch(
            leaveToNextLook(node, tools),
          ),
        ),
      );
      return;
    }
    if (this.#blind) for (const health of this.#health.values()) health.heardMs = nowMs;
    this.#blind = false;
    for (const node of looked) await this.#taint(node, tools);
  }

  #noteArrivals(nodes: readonly Node[], { events }: Tools): void {
    const present = new Set<string>();
    for (const node of nodes) {
      const { name } = node.metadata;
      present.add(name);
      if (!this.#previous.has(name))
        events.event(node, 'Normal', 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`);
      this.#previous.set(name, node);
    }
    for (const [name, node] of this.#previous) {
      if (present.has(name)) continue;
      events.event(node, 'Normal', 'RemovingNode', `Node ${name} event: Removing Node ${name} from Controller`);
      this.#previous.delete(name);
      this.#health.delete(name);
    }
  }

  /** The node, with its conditions set to Unknown after the grace period. */
  async #judge(node: Node, tools: Tools): Promise<Node> {
    const { name } = node.metadata;
    const ready = conditionOf(node, 'Ready');
    const health = this.#hear(node, tools);
    const graceMs = ready ? this.#graceMs : this.#startupGraceMs;
    const wasReady = ready?.status === 'True';
    if (tools.clock.monotonic() - health.heardMs <= graceMs) {
      if (ready?.status === 'False') await markPodsNotReady(node, tools);
      return node;
    }
    const conditions = kubeletConditions.flatMap((type) => unknownCondition(node, type, tools.clock.now()));
    if (conditions.length === 0) return node;
    const body = { status: { conditions } };
    const patched = await tools.client
      .patch('nodes', { name }, { type: 'strategic', body }, { subresource: 'status' })
      .catch((error) => {
        if (!isNotFound(error))
          tools.logger.warn('node not marked as unreachable', { node: name, error: String(error) });
        return node;
      });
    if (wasReady) tools.events.event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
    await markPodsNotReady(patched, tools);
    return patched;
  }

  #hear(node: Node, { lister, clock }: Tools): Health {
    const { name, creationTimestamp } = node.metadata;
    const renewed = lister('leases').get(`${leaseNamespace}/${name}`)?.spec.renewTime ?? '';
    const ready = conditionOf(node, 'Ready');
    // Only the kubelet's writes count as a heartbeat, not this controller's Unknown.
    const heartbeat = ready && ready.status !== 'Unknown' ? `${ready.lastHeartbeatTime} ${ready.status}` : '';
    const health = this.#health.get(name);
    if (!health) {
      const age = ready ? 0 : Math.max(0, clock.now() - Date.parse(creationTimestamp));
      const fresh = { heardMs: clock.monotonic() - age, heartbeat, renewed };
      this.#health.set(name, fresh);
      return fresh;
    }
    if (health.renewed !== renewed || (heartbeat !== '' && health.heartbeat !== heartbeat))
      health.heardMs = clock.monotonic();
    health.renewed = renewed;
    if (heartbeat !== '') health.heartbeat = heartbeat;
    return health;
  }

  async #taint(node: Node, tools: Tools): Promise<void> {
    const status = conditionOf(node, 'Ready')?.status;
    const key = status === 'False' ? notReadyTaint : status === 'Unknown' ? unreachableTaint : undefined;
    const taints = withNoExecute(node, key, tools.clock.now());
    if (taints === node.spec.taints || (taints.length === 0 && !node.spec.taints?.length)) return;
    const isTainted = (node.spec.taints ?? []).some(
      (taint) => taint.effect === 'NoExecute' && (taint.key === notReadyTaint || taint.key === unreachableTaint),
    );
    // Removing a taint, or changing its reason, is free; the first taint evicts pods, and is rate-limited.
    if (key && !isTainted && !this.#zones.mayEvict(zoneOf(node), tools.clock.monotonic())) return;
    await writeTaints(node, taints, tools).catch(leaveToNextLook(node, tools));
  }
}

/** A refused write does not delay the look at other nodes. */
const leaveToNextLook =
  ({ metadata: { name: node } }: Node, { logger }: Tools) =>
  (error: unknown): void =>
    logger[isConflict(error) ? 'debug' : 'warn']('taints not written', { node, error: String(error) });

function unknownCondition(node: Node, type: string, nowMs: number): NodeCondition[] {
  const existing = conditionOf(node, type);
  const lastTransitionTime = timestamp(nowMs);
  if (!existing)
    return [
      {
        type,
        status: 'Unknown',
        reason: 'NodeStatusNeverUpdated',
        message: 'Kubelet never posted node status.',
        lastHeartbeatTime: node.metadata.creationTimestamp,
        lastTransitionTime,
      },
    ];
  if (existing.status === 'Unknown') return [];
  const reason = 'NodeStatusUnknown';
  return [
    { ...existing, status: 'Unknown', reason, message: 'Kubelet stopped posting node status.', lastTransitionTime },
  ];
}

/** Services must not send traffic to pods of an unreachable node. */
async function markPodsNotReady(node: Node, { lister, client, clock, events, logger }: Tools): Promise<void> {
  const ready = lister('pods').by(byNode, node.metadata.name).filter(isPodReady);
  await settleEach(ready, async (pod) => {
    const { name, namespace } = pod.metadata;
    const body = {
      status: { conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: timestamp(clock.now()) }] },
    };
    await client
      .patch('pods', { name, namespace }, { type: 'strategic', body }, { subresource: 'status' })
      .catch((error) => {
        if (!isNotFound(error)) logger.warn('pod not marked as not ready', { pod: keyOf(pod), error: String(error) });
      });
    events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
  });
}

/** Taints have no merge key: a write must not overwrite another's. Throws a Conflict if it would. */
async function writeTaints(node: Node, taints: readonly Taint[], { client }: Tools): Promise<void> {
  if (taints === node.spec.taints || (taints.length === 0 && !node.spec.taints?.length)) return;
  const { name, resourceVersion } = node.metadata;
  const body = { metadata: { resourceVersion }, spec: { taints: taints.length > 0 ? taints : null } };
  await client.patch('nodes', { name }, { type: 'merge', body }).catch(ignoreNotFound);
}
