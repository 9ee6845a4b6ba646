// Stops containers as Kubernetes does: preStop hook, SIGTERM, grace period, SIGKILL.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination

import type { Pod } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { runHook } from '../probes/hooks.ts';
import type { KubeletTools } from '../tools.ts';
import { shortestGraceSeconds } from './grace.ts';
import { containerNamed, isSidecar } from './pod-actions.ts';

/** Resolves when the container has ended. `graceSeconds` 0 kills at once. */
export async function stopContainer(
  pod: Pod,
  status: ContainerStatus,
  graceSeconds: number,
  message: string,
  tools: KubeletTools,
): Promise<void> {
  const container = containerNamed(pod, status.name);
  tools.probes.keepReadiness(status.id);
  tools.events.event(pod, 'Normal', 'Killing', message, `spec.containers{${status.name}}`);
  let left = graceSeconds;
  const hook = container?.lifecycle?.preStop;
  if (hook && graceSeconds > 0) {
    const startedMs = tools.clock.monotonic();
    const podIP = tools.cache.get(pod.metadata.uid).sandboxes[0]?.ips[0] ?? '';
    const target = { containerId: status.id, sandboxId: status.sandboxId, podIP, startedAt: status.startedAt };
    const tooLong = new AbortController();
    const limit = tools.clock.sleep(graceSeconds * 1000, tooLong.signal).catch(() => {});
    const { runtime, clock } = tools;
    const warn = (reason: string, message: string) =>
      tools.events.event(pod, 'Warning', reason, message, `spec.containers{${status.name}}`);
    const hooked = runHook({ runtime, clock, warn }, hook, pod, container, target, graceSeconds * 1000).catch(() =>
      // The hook's output may be secret: the event omits it.
      warn('FailedPreStopHook', 'PreStopHook failed'),
    );
    await Promise.race([hooked, limit]);
    tooLong.abort();
    left = Math.max(shortestGraceSeconds, graceSeconds - (tools.clock.monotonic() - startedMs) / 1000);
  }
  await tools.runtime.stopContainer(status.id, Math.ceil(left));
}

/** Stops all of a pod's containers: the main ones first, then sidecars in reverse order, then the sandbox. */
export async function stopPod(pod: Pod, graceSeconds: number, tools: KubeletTools): Promise<void> {
  const { uid } = pod.metadata;
  const running = () => tools.cache.get(uid).containers.filter((c) => c.state === 'running');
  const startedMs = tools.clock.monotonic();
  const left = () => Math.max(0, graceSeconds - (tools.clock.monotonic() - startedMs) / 1000);
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).map((c) => c.name);
  const stop = (status: ContainerStatus) =>
    stopContainer(
      pod,
      status,
      graceSeconds === 0 ? 0 : Math.max(shortestGraceSeconds, Math.ceil(left())),
      `Stopping container ${status.name}`,
      tools,
    );
  await Promise.all(
    running()
      .filter((c) => !sidecars.includes(c.name))
      .map(stop),
  );
  for (const name of sidecars.reverse())
    await Promise.all(
      running()
        .filter((c) => c.name === name)
        .map(stop),
    );
  await Promise.all(
    tools.cache.get(uid).sandboxes.map((s) => (s.state === 'ready' ? tools.runtime.stopPodSandbox(s.id) : undefined)),
  );
}

/** Stops a pod's running containers again, with the shorter grace period. */
export async function stopSooner(uid: string, seconds: number, { cache, runtime }: KubeletTools): Promise<void> {
  const running = cache.get(uid).containers.filter((c) => c.state === 'running');
  await Promise.allSettled(running.map((c) => runtime.stopContainer(c.id, seconds)));
}
