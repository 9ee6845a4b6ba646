// The volumes of one pod, with the API's objects in them.

import type { Pod } from '../api/api.ts';
import { allocatableOf } from './start-container.ts';
import type { KubeletTools } from './tools.ts';
import { type MountedVolume, podDirectories, setUpVolumes } from './volumes/volumes.ts';

/** Makes the volumes or brings them up to date. Undefined, with an event, when one cannot be made yet. */
export async function podVolumes(
  pod: Pod,
  tools: KubeletTools,
): Promise<ReadonlyMap<string, MountedVolume> | undefined> {
  const { config } = tools;
  const { metadata, spec } = pod;
  if (!config.usesFilesystem)
    return new Map((spec.volumes ?? []).map((v) => [v.name, { path: `/simulated/${v.name}`, readOnly: false }]));
  const namespace = metadata.namespace ?? '';
  try {
    return await setUpVolumes(pod, podDirectories(config.rootDirectory, metadata.uid), {
      configMap: (name) => tools.configMap(namespace, name),
      secret: (name) => tools.secret(namespace, name),
      serviceAccountToken: (audience, seconds) => tools.token(pod, audience, seconds),
      fields: {
        podIPs: pod.status?.podIPs?.map((p) => p.ip!) ?? [],
        hostIPs: config.nodeIPs,
        nodeName: config.nodeName,
        allocatable: allocatableOf(tools),
      },
    });
  } catch (error) {
    tools.events.event(pod, 'Warning', 'FailedMount', (error as Error).message);
    return undefined;
  }
}
