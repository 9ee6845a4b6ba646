// Takes the pods off a node, with the rules of "kubectl drain": budgets are respected, DaemonSets' pods stay.
// https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/

import {
  controllerOf,
  ignoreNotFound,
  isApiError,
  isConditionTrue,
  isNotFound,
  isPodTerminal,
  type Pod,
} from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { JoinError } from './join-error.ts';

interface DrainOptions {
  /** Also pods that nothing creates again. */
  readonly force: boolean;
  /** Also pods whose emptyDir volumes are lost with them. */
  readonly deleteEmptyDirData: boolean;
  /** In milliseconds; 0: no limit. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  onEvicted?(pod: string): void;
}

/** kubectl's interval for a budget that allows no eviction. */
const budgetRetryMs = 5_000;
const pollMs = 500;
const mirror = 'kubernetes.io/config.mirror';

const nameOf = ({ metadata }: Pod) => `${metadata.namespace}/${metadata.name}`;
const isManaged = (pod: Pod) => controllerOf(pod) !== undefined;
const hasLocalData = ({ spec }: Pod) => spec.volumes?.some(({ emptyDir }) => emptyDir) ?? false;

/** Marks the node, evicts its pods, and resolves when they are gone. Rejects with JoinError; the mark stays then. */
export async function drainNode(client: Client, node: string, options: DrainOptions): Promise<void> {
  await client.patch('nodes', { name: node }, { type: 'merge', body: { spec: { unschedulable: true } } });
  const { items } = await client.list('pods', { fieldSelector: `spec.nodeName=${node}` });
  const pods = items.filter((pod) => {
    const isDaemon = controllerOf(pod)?.kind === 'DaemonSet';
    return pod.metadata.annotations?.[mirror] === undefined && (!isDaemon || isPodTerminal(pod));
  });
  refuse(
    pods.filter((pod) => !isManaged(pod) && !isPodTerminal(pod) && !options.force),
    'nothing creates again',
    '--force',
  );
  refuse(
    pods.filter((pod) => hasLocalData(pod) && !isPodTerminal(pod) && !options.deleteEmptyDirData),
    'have emptyDir volumes, which are lost with them',
    '--delete-emptydir-data',
  );
  const untilMs = options.timeoutMs ? options.clock.monotonic() + options.timeoutMs : Number.POSITIVE_INFINITY;
  await Promise.all(pods.map((pod) => evict(client, pod, untilMs, options)));
}

/** Drains a node and removes it. Pods of a machine that is gone end with their node: no kubelet is left to stop them. */
export async function removeNode(client: Client, name: string, options: DrainOptions): Promise<void> {
  const node = await client.get('nodes', { name });
  if (isConditionTrue(node, 'Ready')) await drainNode(client, name, options);
  await client.delete('nodes', { name });
}

function refuse(pods: readonly Pod[], why: string, flag: string): void {
  if (pods.length) throw new JoinError(`pods that ${why}: ${pods.map(nameOf).join(', ')}: add ${flag}`);
}

async function evict(client: Client, pod: Pod, untilMs: number, { clock, onEvicted }: DrainOptions): Promise<void> {
  const { name, namespace = '', uid } = pod.metadata;
  const late = (why: string) => new JoinError(`the pod ${nameOf(pod)} is still there after the timeout: ${why}`);
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
  for (;;) {
    try {
      await client.createSubresource('pods', { name, namespace }, 'eviction', body);
      break;
    } catch (error) {
      if (isNotFound(error)) return;
      if (!isApiError(error) || error.code !== 429) throw error;
      if (clock.monotonic() + budgetRetryMs > untilMs) throw late(error.message);
      await clock.sleep(budgetRetryMs);
    }
  }
  onEvicted?.(nameOf(pod));
  for (;;) {
    const current = await client.get('pods', { name, namespace }).catch(ignoreNotFound);
    if (!current || current.metadata.uid !== uid) return;
    if (clock.monotonic() > untilMs) throw late('it is terminating');
    await clock.sleep(pollMs);
  }
}
