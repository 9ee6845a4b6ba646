// Making and removing pods for an owner, with the events that every workload controller records about it.

import { isNamespaceTerminating, isNotFound, type KubeObject, type Pod, type PodTemplateSpec } from '../../api/api.ts';
import type { ResourceName } from '../../client/client.ts';
import { controllerReference, settleEach, slowStart, type Tools } from '../../client/client.ts';
import { type NewPod, podFromTemplate } from './pods.ts';

/** More than this is not made or removed in one go. */
export const burstPods = 500;

/** Creates `count` pods from the template; resolves with the first failure, if there was one. */
export async function createPods(
  owner: KubeObject,
  ownerResource: ResourceName,
  template: PodTemplateSpec,
  count: number,
  tools: Tools,
): Promise<unknown> {
  const { error } = await slowStart(count, () => createPod(owner, ownerResource, template, tools));
  return isNamespaceTerminating(error) ? undefined : error;
}

/** Creates one pod. `name` and `change` are for controllers whose pods differ. */
export async function createPod(
  owner: KubeObject,
  ownerResource: ResourceName,
  template: PodTemplateSpec,
  { client, events }: Tools,
  options: { name?: string; change?: (pod: NewPod) => void } = {},
): Promise<Pod | undefined> {
  const made = structuredClone(podFromTemplate(template));
  const pod: NewPod = {
    ...made,
    metadata: {
      ...(options.name ? { name: options.name } : { generateName: `${owner.metadata.name}-` }),
      namespace: owner.metadata.namespace,
      ...made.metadata,
      ownerReferences: [controllerReference(owner, ownerResource)],
    },
  };
  options.change?.(pod);
  try {
    const created = await client.create('pods', pod);
    events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
    return created;
  } catch (error) {
    if (!isNamespaceTerminating(error))
      events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
    throw error;
  }
}

/** Deletes the pods; resolves with the first failure, if there was one. */
export async function deletePods(owner: KubeObject, pods: readonly Pod[], tools: Tools): Promise<unknown> {
  const results = await settleEach(pods, (pod) => deletePod(owner, pod, tools));
  return results.find((result) => result.status === 'rejected')?.reason;
}

async function deletePod(owner: KubeObject, pod: Pod, { client, events }: Tools): Promise<void> {
  const { name, namespace } = pod.metadata;
  try {
    await client.delete('pods', { name, namespace });
    events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  } catch (error) {
    if (isNotFound(error)) return;
    events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${(error as Error).message}`);
    throw error;
  }
}
