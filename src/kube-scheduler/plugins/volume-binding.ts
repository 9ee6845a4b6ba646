// Claims of a pod: bound ones restrict it to nodes that reach their volumes, others keep it pending.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/

import { matchesNodeSelector, type PersistentVolume, type PersistentVolumeClaim, type Pod } from '../../api/api.ts';
import type { Plugin, Rejection, Snapshot } from '../framework.ts';

const unresolvable = (reason: string): Rejection => ({ reason, resolvable: false });
const unbound = unresolvable('pod has unbound immediate PersistentVolumeClaims');
const noVolume = unresolvable("node(s) didn't find available persistent volumes to bind");
const missingVolume = unresolvable('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)');
const unreachable = unresolvable("node(s) didn't match PersistentVolume's node affinity");

const boundAnnotation = 'pv.kubernetes.io/bind-completed';

interface Wanted {
  readonly name: string;
  readonly isEphemeral: boolean;
}

function claimsOf({ metadata, spec }: Pod): Wanted[] {
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }): Wanted[] => {
    if (persistentVolumeClaim) return [{ name: persistentVolumeClaim.claimName, isEphemeral: false }];
    return ephemeral ? [{ name: `${metadata.name}-${name}`, isEphemeral: true }] : [];
  });
}

/** The reason why a claim is unusable. */
function faultOf(pod: Pod, { name, isEphemeral }: Wanted, claim: PersistentVolumeClaim | undefined) {
  const shown = `persistentvolumeclaim ${JSON.stringify(name)}`;
  if (!claim)
    return isEphemeral ? `waiting for ephemeral volume controller to create the ${shown}` : `${shown} not found`;
  if (claim.status?.phase === 'Lost')
    return `${shown} bound to non-existent persistentvolume ${JSON.stringify(claim.spec.volumeName)}`;
  if (claim.metadata.deletionTimestamp) return `${shown} is being deleted`;
  const owner = claim.metadata.ownerReferences?.find(({ controller }) => controller);
  if (isEphemeral && owner?.uid !== pod.metadata.uid)
    return `PVC ${pod.metadata.namespace}/${name} was not created for pod ${pod.metadata.namespace}/${pod.metadata.name} (pod is not owner)`;
  return undefined;
}

const isBound = ({ metadata, spec }: PersistentVolumeClaim): boolean =>
  Boolean(spec.volumeName) && metadata.annotations?.[boundAnnotation] !== undefined;

const waitsForConsumer = ({ spec }: PersistentVolumeClaim, { storage }: Snapshot): boolean =>
  storage.class(spec.storageClassName ?? '')?.volumeBindingMode === 'WaitForFirstConsumer';

export const volumeBinding: Plugin = {
  name: 'VolumeBinding',
  prepareFilter({ pod }, snapshot) {
    const wanted = claimsOf(pod);
    if (wanted.length === 0) return 'skip';
    const { storage } = snapshot;
    const claims: PersistentVolumeClaim[] = [];
    for (const one of wanted) {
      const claim = storage.claim(pod.metadata.namespace ?? '', one.name);
      const fault = faultOf(pod, one, claim);
      if (fault !== undefined) return unresolvable(fault);
      if (claim) claims.push(claim);
    }
    const waiting = claims.filter((claim) => !isBound(claim));
    if (waiting.some((claim) => claim.spec.volumeName || !waitsForConsumer(claim, snapshot))) return unbound;
    // No component binds or provisions a volume for the selected node.
    if (waiting.length > 0) return { filter: () => noVolume };
    const volumes = claims.map(({ spec }) => storage.volume(spec.volumeName ?? ''));
    return {
      filter({ node }) {
        if (volumes.includes(undefined)) return missingVolume;
        return volumes.every((volume) => reaches(volume, node)) ? undefined : unreachable;
      },
    };
  },
  wakes(event, { pod }) {
    if (event.type === 'claim-changed')
      return (
        event.claim.metadata.namespace === pod.metadata.namespace &&
        claimsOf(pod).some(({ name }) => name === event.claim.metadata.name)
      );
    if (event.type === 'node-changed') return event.aspects.includes('labels');
    return event.type === 'node-added' || event.type === 'storage-changed';
  },
};

function reaches(volume: PersistentVolume | undefined, node: Parameters<typeof matchesNodeSelector>[1]): boolean {
  const required = volume?.spec.nodeAffinity?.required;
  return !required || matchesNodeSelector(required, node);
}
