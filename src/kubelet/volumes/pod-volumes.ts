// The volumes of one pod, with the API's objects in them.

import { isApiError, type Pod, reachesVolume } from '../../api/api.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { VolumeSources } from '../machine/machine.ts';
import { allocatableOf } from '../pods/start-container.ts';
import type { KubeletTools } from '../tools.ts';
import { type BoundVolume, boundVolumes } from './claims.ts';
import type { MountedVolume } from './volumes.ts';

/** Creates or updates the volumes. Undefined, with an event, if one is not possible yet. */
export async function podVolumes(
  pod: Pod,
  tools: KubeletTools,
): Promise<ReadonlyMap<string, MountedVolume> | undefined> {
  const { config } = tools;
  const namespace = pod.metadata.namespace ?? '';
  try {
    const claimed = await claimedVolumes(pod, tools);
    const sources: VolumeSources = {
      configMap: (name) => tools.configMap(namespace, name),
      secret: (name) => tools.secret(namespace, name),
      serviceAccountToken: (audience, seconds) => tools.token(pod, audience, seconds),
      fields: {
        podIPs: pod.status?.podIPs?.flatMap(({ ip }) => ip ?? []) ?? [],
        hostIPs: config.nodeIPs,
        nodeName: config.nodeName,
        allocatable: allocatableOf(tools),
      },
    };
    return await tools.machine.files.setUpVolumes(pod, sources, claimed);
  } catch (error) {
    tools.events.event(pod, 'Warning', 'FailedMount', (error as Error).message);
    return undefined;
  }
}

const noVolumes: ReadonlyMap<string, BoundVolume> = new Map();

/** The Node authorizer may get a new pod later than the kubelet does: waits before the next attempt. */
const authorizerDelaysMs = [50, 200, 500];

async function whenAllowed<T>(clock: Clock, read: () => Promise<T>): Promise<T> {
  for (const delayMs of authorizerDelaysMs)
    try {
      return await read();
    } catch (error) {
      if (!isApiError(error, 'Forbidden')) throw error;
      await clock.sleep(delayMs);
    }
  return read();
}

async function claimedVolumes(pod: Pod, { client, clock, node, machine }: KubeletTools) {
  if (!pod.spec.volumes?.some(({ persistentVolumeClaim, ephemeral }) => persistentVolumeClaim ?? ephemeral))
    return noVolumes;
  const claimed = await boundVolumes(pod, {
    claim: (namespace, name) => whenAllowed(clock, () => client.get('persistentvolumeclaims', { namespace, name })),
    volume: (name) => whenAllowed(clock, () => client.get('persistentvolumes', { name })),
  });
  const own = node();
  for (const { volume } of claimed.values()) {
    const { name } = volume.metadata;
    if (own && !reachesVolume(volume, own))
      throw new Error(`MountVolume.NodeAffinity check failed for volume "${name}" : no matching NodeSelectorTerms`);
    await machine.hostPathVolumes?.ensure(volume).catch((error: Error) => {
      throw new Error(`MountVolume.SetUp failed for volume "${name}" : ${error.message}`);
    });
  }
  return claimed;
}
