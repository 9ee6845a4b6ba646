// Computes a pod's status for the API, and begins or ends the probes of its containers.

import type { Pod } from '../../api/api.ts';
import { nextTurn } from '../../machinery/time/turn.ts';
import type { TerminationReader } from '../machine/machine.ts';
import { probePod } from '../probes/probe-pod.ts';
import type { PodResize } from '../resources/pod-resize.ts';
import { withKnownStatus } from '../status/pod-conditions.ts';
import { disruptionOf, podStatus, prepareEntries } from '../status/pod-status.ts';
import type { StatusCache } from '../status/status-cache.ts';
import type { Phase, StatusInputs } from '../status/status-inputs.ts';
import type { KubeletTools } from '../tools.ts';
import type { RuntimePod } from './pod-actions.ts';
import { failureOf, type PodWorker, type Report } from './worker/pod-worker.ts';

interface ReportParts {
  readonly tools: KubeletTools;
  readonly resize: PodResize;
  readonly messages: TerminationReader;
  /** For pods with many containers. */
  readonly cache?: StatusCache;
}

const noneStarts: ReadonlySet<string> = new Set();

/** `current` is called after each wait. Resolves with the reported phase. */
export async function reportPod(current: () => PodWorker, task: Report, parts: ReportParts): Promise<Phase> {
  const { tools, messages, resize } = parts;
  const { uid } = current().pod.metadata;
  if (task.isFresh) await tools.cache.refresh(uid);
  const seen = tools.cache.get(uid);
  if (parts.cache) await nextTurn();
  const runtime = { ...seen, containers: await messages.of(current().pod, seen.containers) };
  const reported = () => withKnownStatus(resize.promised(current().pod), tools.statuses.get(uid));
  if (parts.cache) await prepareEntries(reported(), runtime, inputsOf(current(), runtime, task, parts));
  const worker = current();
  const hasEnded = worker.state === 'terminated' || (worker.state === 'terminating' && task.hasEnded);
  probePod(worker.pod, hasEnded ? undefined : runtime, worker.state === 'terminating', tools);
  const status = podStatus(reported(), runtime, inputsOf(worker, runtime, task, parts));
  tools.statuses.set(worker.pod, status);
  return status.phase as Phase;
}

function inputsOf(
  worker: PodWorker,
  runtime: RuntimePod,
  { hasEnded, restartsAll = false }: Report,
  { tools, resize, cache }: ReportParts,
): StatusInputs {
  const promised = resize.promised(worker.pod);
  const failure = failureOf(worker);
  const isLive = worker.state !== 'terminated';
  const devices = deviceHealth(worker.pod, tools);
  return {
    isReady: (id, container) => tools.probes.isReady(id, container),
    isStarted: (id, container) => tools.probes.isStarted(id, container),
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
    ...(devices && { devices }),
    ...(failure && { failure }),
    ...(cache && { cache }),
  };
}

/** Of device plugins and of resource claims, by container name; undefined if there are none. */
function deviceHealth(pod: Pod, { devices, dynamicResources }: KubeletTools): StatusInputs['devices'] {
  const ofPlugins = devices?.healthOf(pod.metadata.uid);
  const ofClaims = dynamicResources?.healthOf(pod);
  if (!ofClaims || ofClaims.size === 0) return ofPlugins;
  const names = new Set([...(ofPlugins?.keys() ?? []), ...ofClaims.keys()]);
  return new Map([...names].map((name) => [name, [...(ofPlugins?.get(name) ?? []), ...(ofClaims.get(name) ?? [])]]));
}
