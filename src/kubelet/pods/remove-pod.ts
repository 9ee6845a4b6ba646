// Removes a deleted pod from the API and from the node.

import { isConflict, isNotFound, type Pod } from '../../api/api.ts';
import { isStatic } from '../static-pods/pod-source.ts';
import type { KubeletTools } from '../tools.ts';

/** The volumes of a pod that stays in the API. */
export async function releasePod({ metadata: { uid } }: Pod, tools: KubeletTools): Promise<void> {
  tools.cgroups?.remove(uid);
  await tools.csi?.tearDown(uid);
  await tools.machine.files.releaseVolumes(uid);
}

/** The end of a static pod does not depend on an API that does not answer. */
const lastStatusMs = 2000;

/** Once the API has its last status. Secrets are gone from the node before the API loses the pod. */
export async function deletePod(pod: Pod, tools: KubeletTools): Promise<void> {
  const { uid, name, namespace } = pod.metadata;
  const flushed = tools.statuses.flushed(uid);
  await (isStatic(pod) ? Promise.race([flushed, tools.clock.sleep(lastStatusMs)]) : flushed);
  tools.cgroups?.remove(uid);
  await tools.csi?.tearDown(uid);
  await tools.machine.files.remove(uid);
  if (isStatic(pod)) return; // its mirror pod is deleted once nothing of it is left
  try {
    await tools.client.delete('pods', { name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error; // a conflict: another pod has the name now
  }
}

/** Containers, sandboxes, cgroup, files and logs. */
export async function clearPod(pod: Pod, tools: KubeletTools): Promise<void> {
  const { machine, runtime, cache, logger } = tools;
  const { uid } = pod.metadata;
  await cache.refresh(uid);
  const { containers, sandboxes } = cache.get(uid);
  for (const { id } of containers) await runtime.removeContainer(id);
  for (const { id } of sandboxes) {
    await runtime.stopPodSandbox(id);
    await runtime.removePodSandbox(id);
  }
  // Tried again at intervals, without the pod.
  await tools.dynamicResources?.unprepare(uid).catch((error) => {
    logger.warn('claims of a removed pod not freed', { uid, error: (error as Error).message });
  });
  tools.cgroups?.remove(uid);
  await tools.csi?.tearDown(uid);
  await machine.files.remove(uid);
  await machine.files.removeLogs(pod);
  tools.images.forget(uid);
  tools.statuses.forget(uid);
}
