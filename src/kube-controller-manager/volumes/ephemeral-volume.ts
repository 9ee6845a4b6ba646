// Creates the claims of pods' generic ephemeral volumes. The pod owns them: the garbage collector deletes them with it.
// https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes

import { controllerOf, type PersistentVolumeClaim, type Pod, type Volume } from '../../api/api.ts';
import { type Controller, controllerReference, keyOf, type Tools, type Watch } from '../../client/client.ts';
import { must } from '../../machinery/must.ts';

const podsOfClaim = 'ephemeral claim';

const claimName = (pod: Pod, volume: Volume): string => `${pod.metadata.name}-${volume.name}`;
const ephemeralVolumes = ({ spec }: Pod): Volume[] => (spec.volumes ?? []).filter(({ ephemeral }) => ephemeral);
const claimsOf = (pod: Pod): string[] =>
  ephemeralVolumes(pod).map((volume) => `${pod.metadata.namespace}/${claimName(pod, volume)}`);

/** Volumes of a pod do not change, and the garbage collector deletes claims of deleted pods. */
const newPods: Watch = {
  resource: 'pods',
  matters: () => false,
  keys: (pod: Pod) => (ephemeralVolumes(pod).length ? [keyOf(pod)] : []),
};

/** A claim that was deleted under its pod is created again. */
const deletedClaims: Watch = {
  resource: 'persistentvolumeclaims',
  matters: () => false,
  keys: (claim: PersistentVolumeClaim, { lister }) => lister('pods').by(podsOfClaim, keyOf(claim)).map(keyOf),
};

export const ephemeralVolume: Controller = {
  name: 'ephemeral-volume',
  component: 'ephemeral_volume',
  watches: [newPods, deletedClaims],
  indexes: [{ resource: 'pods', name: podsOfClaim, valuesOf: claimsOf }],
  async reconcile(key, tools) {
    const pod = tools.lister('pods').get(key);
    if (!pod || pod.metadata.deletionTimestamp) return;
    for (const volume of ephemeralVolumes(pod)) await ensureClaim(pod, volume, tools);
  },
};

async function ensureClaim(pod: Pod, volume: Volume, tools: Tools): Promise<void> {
  const { namespace } = pod.metadata;
  const name = claimName(pod, volume);
  const existing = tools.lister('persistentvolumeclaims').get(`${namespace}/${name}`);
  if (existing && controllerOf(existing)?.uid === pod.metadata.uid) return;
  try {
    if (existing) throw new Error(`PVC ${namespace}/${name} was not created for pod ${keyOf(pod)} (pod is not owner)`);
    await createClaim(pod, volume, tools);
  } catch (error) {
    const message = `ephemeral volume ${volume.name}: ${(error as Error).message}`;
    tools.events.event(pod, 'Warning', 'FailedBinding', message);
    throw new Error(`pod ${keyOf(pod)}, ${message}`);
  }
}

async function createClaim(pod: Pod, volume: Volume, { client }: Tools): Promise<void> {
  const { metadata, spec } = must(must(volume.ephemeral, 'ephemeral').volumeClaimTemplate, 'volumeClaimTemplate');
  const { labels, annotations } = metadata ?? {};
  const name = claimName(pod, volume);
  const claim = {
    metadata: {
      name,
      namespace: pod.metadata.namespace,
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ownerReferences: [controllerReference(pod, 'pods')],
    },
    spec,
  };
  await client.create('persistentvolumeclaims', claim).catch((error: Error) => {
    throw new Error(`create PVC ${name}: ${error.message}`);
  });
}
