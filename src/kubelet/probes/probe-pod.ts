// Which containers of a pod are probed.

import type { Pod } from '../../api/api.ts';
import type { ContainerStatus, Sandbox } from '../../container-runtime/container-runtime.ts';
import { newest, type RuntimePod } from '../pods/pod-actions.ts';
import type { KubeletTools } from '../tools.ts';
import type { ProbeTarget } from './probe-handlers.ts';

const probeTarget = (status: ContainerStatus, sandbox: Sandbox, pod: Pod, nodeIPs: readonly string[]): ProbeTarget => ({
  containerId: status.id,
  sandboxId: sandbox.id,
  podIP: (pod.spec.hostNetwork ? nodeIPs[0] : sandbox.ips[0]) ?? '',
  startedAt: status.startedAt,
});

/**
 * Begins the probes of containers that run now and ends all others of the pod. No `runtime`: the pod has ended.
 * `isEnding`: no further probes begin.
 */
export function probePod(pod: Pod, runtime: RuntimePod | undefined, isEnding: boolean, tools: ProbeTools): void {
  const { probes, config } = tools;
  const alive = new Set<string>();
  const sandbox = runtime?.sandboxes.find((s) => s.state === 'ready');
  if (runtime && sandbox)
    for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
      if (!container.livenessProbe && !container.readinessProbe && !container.startupProbe) continue;
      const status = newest(runtime.containers, container.name);
      if (status?.state !== 'running') continue;
      alive.add(status.id);
      if (!isEnding) probes.add(pod, container, probeTarget(status, sandbox, pod, config.nodeIPs));
    }
  probes.removePod(pod.metadata.uid, alive);
}

type ProbeTools = Pick<KubeletTools, 'probes' | 'config'>;
