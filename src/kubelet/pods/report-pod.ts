// Computes a pod's status for the API, and begins or ends the probes of its containers.

import { named } from '../../machinery/collections/by-name.ts';
import { nextTurn } from '../../machinery/time/turn.ts';
import type { TerminationReader } from '../machine/machine.ts';
import { probePod } from '../probes/probe-pod.ts';
import type { PodResize } from '../resources/pod-resize.ts';
import { withKnownStatus } from '../status/pod-conditions.ts';
import { disruptionOf, podStatus } from '../status/pod-status.ts';
import type { Phase } from '../status/status-inputs.ts';
import type { KubeletTools } from '../tools.ts';
import { allContainers } from './pod-actions.ts';
import { manyContainers } from './pod-cache.ts';
import { failureOf, type PodWorker, type Report } from './worker/pod-worker.ts';

export interface ReportParts {
  readonly tools: KubeletTools;
  readonly resize: PodResize;
  readonly messages: TerminationReader;
}

const noneStarts: ReadonlySet<string> = new Set();

/** `current` is called after each wait. Resolves with the reported phase. */
export async function reportPod(
  current: () => PodWorker,
  { isFresh, hasEnded, restartsAll = false }: Report,
  { tools, resize, messages }: ReportParts,
): Promise<Phase> {
  const { uid } = current().pod.metadata;
  if (isFresh) await tools.cache.refresh(uid);
  const runtime = tools.cache.get(uid);
  if (runtime.containers.length > manyContainers) await nextTurn();
  const containers = await messages.of(current().pod, runtime.containers);
  const worker = current();
  const { pod } = worker;
  const isToRun = worker.state !== 'terminating' && worker.state !== 'terminated';
  probePod(pod, isToRun ? runtime : undefined, tools);
  const promised = resize.promised(pod);
  const failure = failureOf(worker);
  const isLive = worker.state !== 'terminated';
  const status = podStatus(
    withKnownStatus(promised, tools.statuses.get(uid)),
    { ...runtime, containers },
    {
      ...probeAnswers(worker, runtime.containers, tools, isToRun),
      waiting: isLive ? worker.waits : new Map(),
      hostIPs: tools.config.nodeIPs,
      runtimeName: tools.runtime.version.split(':')[0],
      now: tools.clock.now(),
      ...(isLive && worker.admittedMs && { startedAt: worker.admittedMs }),
      starting: isLive && worker.task?.do === 'start' ? new Set([worker.task.container.name]) : noneStarts,
      hasEnded,
      restartsAll,
      actualResources: resize.actual(promised, runtime),
      conditions: [...(hasEnded ? [] : resize.conditions()), ...disruptionOf(failure)],
      podLimits: tools.cgroups?.limits(promised),
      ...(failure && { failure }),
    },
  );
  tools.statuses.set(pod, status);
  return status.phase as Phase;
}

/** By container id. */
function probeAnswers(
  { pod }: PodWorker,
  containers: readonly { readonly id: string; readonly name: string }[],
  { probes }: KubeletTools,
  isToRun: boolean,
) {
  const names = new Map(containers.map(({ id, name }) => [id, name]));
  const specs = allContainers(pod);
  const ask = (id: string, what: 'isReady' | 'isStarted') => {
    const container = named(specs, names.get(id) ?? '');
    return container !== undefined && probes[what](id, container);
  };
  return {
    isReady: (id: string) => isToRun && ask(id, 'isReady'),
    isStarted: (id: string) => ask(id, 'isStarted'),
  };
}
