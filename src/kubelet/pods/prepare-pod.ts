// Before containers start: volumes, the pod's cgroup, its resource claims, its sandbox.

import type { Pod, Secret } from '../../api/api.ts';
import type { Sandbox, SandboxConfig } from '../../container-runtime/container-runtime.ts';
import { sandboxConfig } from '../containers/container-config.ts';
import { usesSELinux } from '../containers/security.ts';
import { AttachLimitError } from '../csi/csi-volumes.ts';
import type { KubeletTools } from '../tools.ts';
import { podVolumes } from '../volumes/pod-volumes.ts';
import type { MountedVolume } from '../volumes/volumes.ts';
import type { RuntimePod } from './pod-actions.ts';
import type { Refusal } from './refusal.ts';
import { pullSecretsOf } from './start-container.ts';
import { volumeRetryMs } from './worker/syncing.ts';

const sandboxRetryMs = 1000;
/** As in Kubernetes. A driver that registers wakes the pods that wait for one. */
const claimsRetryMs = 10_000;

/** Inputs that the starts of all containers of the pod share. */
export interface PreparedPod {
  readonly sandbox: Sandbox;
  readonly sandboxConfig: SandboxConfig;
  readonly volumes: ReadonlyMap<string, MountedVolume>;
  readonly pullSecrets: readonly Secret[];
  /** As it is now. */
  readonly runtime: RuntimePod;
}

interface Unprepared {
  readonly retryMs: number;
}

interface Rejected {
  readonly refusal: Refusal;
}

/** Records an event if a part cannot be created yet. */
export async function preparePod(
  pod: Pod,
  { attempt, createsSandbox }: { readonly attempt: number; readonly createsSandbox: boolean },
  tools: KubeletTools,
  signal: AbortSignal,
): Promise<PreparedPod | Unprepared | Rejected> {
  const fail = (reason: string, message: string): Unprepared => {
    tools.events.event(pod, 'Warning', reason, message);
    return { retryMs: sandboxRetryMs };
  };
  const volumes = await podVolumes(pod, tools, signal).catch((error) => {
    if (error instanceof AttachLimitError) return error;
    throw error;
  });
  if (!volumes) return { retryMs: volumeRetryMs };
  if (volumes instanceof AttachLimitError)
    return { refusal: { reason: 'VolumeAttachmentLimitExceeded', message: volumes.message } };
  const config = sandboxConfig(pod, attempt, tools);
  try {
    await ensureCgroup(pod, tools);
  } catch (error) {
    return fail('FailedCreatePodContainer', `unable to ensure pod container exists: ${(error as Error).message}`);
  }
  if (createsSandbox && usesSELinux(pod))
    tools.logger.warn('SELinux options have no effect', { pod: pod.metadata.name, namespace: pod.metadata.namespace });
  try {
    if (createsSandbox) await tools.dynamicResources?.prepare(pod, signal);
  } catch (error) {
    if (signal.aborted) return { retryMs: claimsRetryMs };
    const message = `Failed to prepare dynamic resources: ${(error as Error).message}`;
    return { ...fail('FailedPrepareDynamicResources', message), retryMs: claimsRetryMs };
  }
  try {
    if (createsSandbox) await tools.runtime.runPodSandbox(config);
  } catch (error) {
    return fail('FailedCreatePodSandBox', `Failed to create pod sandbox: ${(error as Error).message}`);
  }
  await tools.cache.refresh(pod.metadata.uid);
  const runtime = tools.cache.get(pod.metadata.uid);
  const sandbox = runtime.sandboxes.find((s) => s.state === 'ready');
  if (!sandbox) return { retryMs: sandboxRetryMs };
  const pullSecrets = await pullSecretsOf(pod, tools);
  return { sandbox, sandboxConfig: config, volumes, pullSecrets, runtime };
}

async function ensureCgroup(pod: Pod, { cgroups, machine }: KubeletTools): Promise<void> {
  if (!cgroups) return;
  await machine.files.makeDirectory(pod.metadata.uid);
  cgroups.ensure(pod);
}
