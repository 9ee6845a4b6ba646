// Claims of a pod: bound ones restrict it to nodes that reach their volumes, others get volumes for the chosen node.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/

import {
  type ClaimOfPod,
  foreignClaim,
  isClaimBound,
  type PersistentVolumeClaim,
  type Pod,
  storageClassOf,
} from '../../api/api.ts';
import { defaultArguments, type PluginArguments } from '../configuration/arguments.ts';
import type { Plugin, Snapshot } from '../framework.ts';
import { unresolvable } from '../framework.ts';
import { chooseVolumes } from './volume-choice.ts';
import { reserveVolumes } from './volume-reservation.ts';

const unbound = unresolvable('pod has unbound immediate PersistentVolumeClaims');

/** The reason why a claim is unusable. */
function faultOf(pod: Pod, { claim: name, isEphemeral }: ClaimOfPod, claim: PersistentVolumeClaim | undefined) {
  const shown = `persistentvolumeclaim ${JSON.stringify(name)}`;
  if (!claim)
    return isEphemeral ? `waiting for ephemeral volume controller to create the ${shown}` : `${shown} not found`;
  if (claim.status?.phase === 'Lost')
    return `${shown} bound to non-existent persistentvolume ${JSON.stringify(claim.spec.volumeName)}`;
  if (claim.metadata.deletionTimestamp) return `${shown} is being deleted`;
  return isEphemeral ? foreignClaim(pod, claim) : undefined;
}

const waitsForConsumer = (claim: PersistentVolumeClaim, { storage }: Snapshot): boolean =>
  !claim.spec.volumeName && storage.class(storageClassOf(claim))?.volumeBindingMode === 'WaitForFirstConsumer';

export const volumeBindingWith = ({ bindTimeoutSeconds }: PluginArguments['VolumeBinding']): Plugin => ({
  name: 'VolumeBinding',
  prepareFilter({ pod, claimVolumes: wanted }, snapshot) {
    if (wanted.length === 0) return 'skip';
    const { storage } = snapshot;
    // Several volumes of a pod may use one claim.
    const claims = new Set<PersistentVolumeClaim>();
    for (const one of wanted) {
      const claim = storage.claim(pod.metadata.namespace ?? '', one.claim);
      const fault = faultOf(pod, one, claim);
      if (fault !== undefined) return unresolvable(fault);
      if (claim) claims.add(claim);
    }
    const { bound = [], waiting = [] } = Object.groupBy(claims, (claim) => (isClaimBound(claim) ? 'bound' : 'waiting'));
    if (waiting.some((claim) => !waitsForConsumer(claim, snapshot))) return unbound;
    const needed = { bound, delayed: waiting };
    return {
      filter({ node }) {
        const choice = chooseVolumes(needed, node, storage);
        return 'bindings' in choice ? undefined : choice;
      },
      reserve({ node }) {
        if (waiting.length === 0) return undefined;
        const choice = chooseVolumes(needed, node, storage);
        return 'bindings' in choice ? reserveVolumes(choice, node, storage, bindTimeoutSeconds * 1_000) : undefined;
      },
    };
  },
  wakes(event, { pod, claimVolumes }) {
    if (event.type === 'claim-changed')
      return (
        event.claim.metadata.namespace === pod.metadata.namespace &&
        claimVolumes.some(({ claim }) => claim === event.claim.metadata.name)
      );
    if (event.type === 'node-changed') return event.aspects.includes('labels');
    return event.type === 'node-added' || event.type === 'storage-changed' || event.type === 'csi-changed';
  },
});

export const volumeBinding = volumeBindingWith(defaultArguments.VolumeBinding);
