// The volumes of one pod, with the API's objects in them.

import { isApiError, type Pod, reachesVolume } from '../../api/api.ts';
import { silentPath } from '../../container-runtime/container-runtime.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { csiVolumesOf } from '../csi/csi-volume.ts';
import { AttachLimitError } from '../csi/csi-volumes.ts';
import type { VolumeSources } from '../machine/machine.ts';
import { limitsOfUnlimited } from '../pods/start-container.ts';
import type { KubeletTools } from '../tools.ts';
import { type BoundVolume, boundVolumes } from './claims.ts';
import { expandVolume } from './expand-volume.ts';
import type { MountedVolume } from './volumes.ts';

/**
 * Creates or updates the volumes. Undefined, with an event, if one is not possible yet. `signal` ends the wait for
 * drivers: their work goes on. Rejects with AttachLimitError if the node cannot have the volumes.
 */
export async function podVolumes(
  pod: Pod,
  tools: KubeletTools,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, MountedVolume> | undefined> {
  const { config } = tools;
  const namespace = pod.metadata.namespace ?? '';
  try {
    const claimed = await claimedVolumes(pod, tools);
    const sources: VolumeSources = {
      configMap: (name) => tools.configMap(namespace, name),
      secret: (name) => tools.secret(namespace, name),
      serviceAccountToken: async (audience, seconds) => (await tools.token(pod, audience, seconds)).token,
      fields: {
        podIPs: pod.status?.podIPs?.flatMap(({ ip }) => ip ?? []) ?? [],
        hostIPs: config.nodeIPs,
        nodeName: config.nodeName,
        allocatable: limitsOfUnlimited(pod, tools),
      },
      warn: (reason, message) => tools.events.event(pod, 'Warning', reason, message),
    };
    const volumes = await setUpAll(pod, tools, sources, claimed, signal);
    await expandAll(pod, tools, claimed);
    return volumes;
  } catch (error) {
    if (signal.aborted) return undefined;
    if (error instanceof AttachLimitError) throw error;
    tools.events.event(pod, 'Warning', 'FailedMount', (error as Error).message);
    return undefined;
  }
}

/** Those of CSI drivers and all others beside each other: a driver may take minutes. */
async function setUpAll(
  pod: Pod,
  { csi, machine }: KubeletTools,
  sources: VolumeSources,
  claimed: ReadonlyMap<string, BoundVolume>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, MountedVolume>> {
  const driven = csi ? csiVolumesOf(pod, claimed) : [];
  if (!csi || driven.length === 0) return machine.files.setUpVolumes(pod, sources, claimed);
  const names = new Set(driven.map(({ name }) => name));
  const volumes = (pod.spec.volumes ?? []).filter(({ name }) => !names.has(name));
  const failed = new AbortController();
  const rest = machine.files.setUpVolumes({ ...pod, spec: { ...pod.spec, volumes } }, sources, claimed);
  rest.catch((error) => failed.abort(error));
  const brought = await csi.setUp(driven, AbortSignal.any([signal, failed.signal]));
  const silent = await silentPath([...brought.values()].map((volume) => volume.path));
  if (silent !== undefined) throw new Error(`MountVolume.SetUp failed : the file system of ${silent} does not answer`);
  return new Map([...(await rest), ...brought]);
}

/** Those of CSI drivers are expanded by their drivers. A volume that cannot grow yet is used as it is. */
async function expandAll(pod: Pod, tools: KubeletTools, claimed: ReadonlyMap<string, BoundVolume>): Promise<void> {
  const { files } = tools.machine;
  for (const [name, bound] of claimed) {
    const { metadata, spec } = bound.volume;
    if (!spec?.local || !files.growVolume) continue;
    const grow = async () => (await files.growVolume?.(pod.metadata.uid, name, bound.volume)) ?? false;
    await expandVolume({ ...bound, pod }, grow, { ...tools, nodeName: tools.config.nodeName }).catch((error: Error) => {
      const message = `NodeExpandVolume.NodeExpandVolume failed for volume "${metadata.name}" : ${error.message}`;
      tools.events.event(pod, 'Warning', 'VolumeResizeFailed', message);
    });
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
