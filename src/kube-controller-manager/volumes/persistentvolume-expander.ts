// Records an event on resized claims: an external controller must expand them. Kubernetes 1.36 has no plugin that
// expands volumes inside this controller.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims

import { claimRequest, ignoreNotFound, type PersistentVolumeClaim } from '../../api/api.ts';
import { type Controller, own } from '../../client/client.ts';
import { compareQuantities } from '../../machinery/quantity.ts';

/** Larger than the volume that it has. */
export const mustGrow = (claim: PersistentVolumeClaim): boolean =>
  claim.status?.phase === 'Bound' &&
  compareQuantities(claimRequest(claim), String(claim.status.capacity?.['storage'] ?? '0')) > 0;

export const persistentVolumeExpander: Controller = {
  name: 'persistentvolume-expander',
  component: 'volume_expand',
  watches: [
    own('persistentvolumeclaims', (next: PersistentVolumeClaim, old: PersistentVolumeClaim) => {
      const sizes = ({ spec, status }: PersistentVolumeClaim) =>
        [spec.resources?.requests?.['storage'], status?.capacity?.['storage']].map((size) => String(size ?? '0'));
      const [request, capacity] = sizes(next);
      const [requestBefore, capacityBefore] = sizes(old);
      return compareQuantities(request, requestBefore) > 0 || compareQuantities(capacity, capacityBefore) > 0;
    }),
  ],
  async reconcile(key, { lister, client, events }) {
    const claim = lister('persistentvolumeclaims').get(key);
    if (!claim?.spec.volumeName || !mustGrow(claim)) return;
    const volume = await client.get('persistentvolumes', { name: claim.spec.volumeName }).catch(ignoreNotFound);
    if (volume?.spec?.claimRef?.uid !== claim.metadata.uid)
      throw new Error(`persistent Volume is not bound to PVC being updated : ${key}`);
    events.event(claim, 'Normal', 'ExternalExpanding', 'waiting for an external controller to expand this PVC');
  },
};
