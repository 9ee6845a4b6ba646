// The volumes of one pod, with the API's objects in them.

import { type Pod, reachesVolume, type Volume } from '../../api/api.ts';
import { allocatableOf } from '../pods/start-container.ts';
import type { KubeletTools } from '../tools.ts';
import { type BoundVolume, boundVolumes } from './claims.ts';
import { type MountedVolume, podDirectories, setUpVolumes } from './volumes.ts';

/** Creates or updates the volumes. Undefined, with an event, if one is not possible yet. */
export async function podVolumes(
  pod: Pod,
  tools: KubeletTools,
): Promise<ReadonlyMap<string, MountedVolume> | undefined> {
  const { config } = tools;
  const { metadata, spec } = pod;
  const namespace = metadata.namespace ?? '';
  try {
    const claimed = await claimedVolumes(pod, tools);
    if (!config.usesFilesystem) return await simulatedVolumes(spec.volumes ?? [], namespace, tools);
    const context = {
      configMap: (name: string) => tools.configMap(namespace, name),
      secret: (name: string) => tools.secret(namespace, name),
      serviceAccountToken: (audience: string | undefined, seconds: number) => tools.token(pod, audience, seconds),
      fields: {
        podIPs: pod.status?.podIPs?.map((p) => p.ip!) ?? [],
        hostIPs: config.nodeIPs,
        nodeName: config.nodeName,
        allocatable: allocatableOf(tools),
      },
    };
    return await setUpVolumes(pod, podDirectories(config.rootDirectory, metadata.uid), context, claimed);
  } catch (error) {
    tools.events.event(pod, 'Warning', 'FailedMount', (error as Error).message);
    return undefined;
  }
}

const noVolumes: ReadonlyMap<string, BoundVolume> = new Map();

async function claimedVolumes(pod: Pod, { client, node, hostPathVolumes }: KubeletTools) {
  if (!pod.spec.volumes?.some(({ persistentVolumeClaim, ephemeral }) => persistentVolumeClaim ?? ephemeral))
    return noVolumes;
  const claimed = await boundVolumes(pod, {
    claim: (namespace, name) => client.get('persistentvolumeclaims', { namespace, name }),
    volume: (name) => client.get('persistentvolumes', { name }),
  });
  const own = node();
  for (const { volume } of claimed.values()) {
    const { name } = volume.metadata;
    if (own && !reachesVolume(volume, own))
      throw new Error(`MountVolume.NodeAffinity check failed for volume "${name}" : no matching NodeSelectorTerms`);
    await hostPathVolumes?.ensure(volume).catch((error: Error) => {
      throw new Error(`MountVolume.SetUp failed for volume "${name}" : ${error.message}`);
    });
  }
  return claimed;
}

/** Simulated nodes make no files, but wait for the volumes' sources as other nodes do. */
async function simulatedVolumes(volumes: readonly Volume[], namespace: string, tools: KubeletTools) {
  for (const volume of volumes) {
    const missing = await missingSource(volume, namespace, tools);
    if (missing) throw new Error(`MountVolume.SetUp failed for volume "${volume.name}" : ${missing} not found`);
  }
  return new Map(volumes.map(({ name }) => [name, { path: `/simulated/${name}`, readOnly: false }]));
}

async function missingSource(volume: Volume, namespace: string, tools: KubeletTools): Promise<string | undefined> {
  const { configMap, secret, projected } = volume;
  // Nearly all pods have the token volume, and all namespaces have its sources.
  if (volume.name.startsWith('kube-api-access-')) return undefined;
  for (const source of projected?.sources ?? [
    { configMap, secret: secret && { ...secret, name: secret.secretName } },
  ]) {
    const { configMap: map, secret: key } = source;
    if (map?.name && !map.optional && !(await tools.configMap(namespace, map.name))) return `configmap "${map.name}"`;
    if (key?.name && !key.optional && !(await tools.secret(namespace, key.name))) return `secret "${key.name}"`;
  }
  return undefined;
}
