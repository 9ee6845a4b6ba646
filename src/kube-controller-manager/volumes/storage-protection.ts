// Delays the deletion of a claim, a volume or a class of attributes while it is in use.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection

import {
  claimKeysOfPod,
  isPodTerminal,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type VolumeAttributesClass,
} from '../../api/api.ts';
import { type Controller, keyOf, own, type Tools, type Watch } from '../../client/client.ts';
import { podsByClaim } from './persistentvolume-binder.ts';

const claimFinalizer = 'kubernetes.io/pvc-protection';
const volumeFinalizer = 'kubernetes.io/pv-protection';
const classFinalizer = 'kubernetes.io/vac-protection';
const byClass = 'by volume attributes class';

/** A deleted or ended pod may have been the last user. */
const claimsOfPods: Watch = {
  resource: 'pods',
  matters: (next: Pod, old: Pod) => isPodTerminal(next) !== isPodTerminal(old),
  keys: claimKeysOfPod,
};

export const pvcProtection: Controller = {
  name: 'pvc-protection',
  component: 'pvc-protection-controller',
  watches: [own('persistentvolumeclaims'), claimsOfPods],
  indexes: [{ resource: 'pods', name: podsByClaim, valuesOf: claimKeysOfPod }],
  async reconcile(key, tools) {
    const claim = tools.lister('persistentvolumeclaims').get(key);
    if (!claim) return;
    if (!claim.metadata.deletionTimestamp) return protect(tools, 'persistentvolumeclaims', claim, claimFinalizer);
    const used = tools
      .lister('pods')
      .by(podsByClaim, key)
      .some((pod) => !isPodTerminal(pod) && pod.spec.nodeName);
    if (!used) await release(tools, 'persistentvolumeclaims', claim, claimFinalizer);
  },
};

export const pvProtection: Controller = {
  name: 'pv-protection',
  component: 'pv-protection-controller',
  watches: [own('persistentvolumes')],
  async reconcile(key, tools) {
    const volume = tools.lister('persistentvolumes').get(key);
    if (!volume) return;
    if (!volume.metadata.deletionTimestamp) return protect(tools, 'persistentvolumes', volume, volumeFinalizer);
    if (volume.status?.phase !== 'Bound') await release(tools, 'persistentvolumes', volume, volumeFinalizer);
  },
};

/** The wanted class, the present one, and the one that a change is on its way to. */
function classesOfClaim({ spec, status }: PersistentVolumeClaim): string[] {
  const { currentVolumeAttributesClassName, modifyVolumeStatus } = status ?? {};
  const names = [
    spec.volumeAttributesClassName,
    currentVolumeAttributesClassName,
    modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return [...new Set(names.flatMap((name) => name || []))];
}

const classesOfVolume = ({ spec }: PersistentVolume): string[] =>
  spec.volumeAttributesClassName ? [spec.volumeAttributesClassName] : [];

export const vacProtection: Controller = {
  name: 'volumeattributesclass-protection',
  watches: [
    own('volumeattributesclasses'),
    { resource: 'persistentvolumeclaims', keys: classesOfClaim },
    { resource: 'persistentvolumes', keys: classesOfVolume },
  ],
  indexes: [
    { resource: 'persistentvolumeclaims', name: byClass, valuesOf: classesOfClaim },
    { resource: 'persistentvolumes', name: byClass, valuesOf: classesOfVolume },
  ],
  async reconcile(key, tools) {
    const { lister } = tools;
    const attributes = lister('volumeattributesclasses').get(key);
    if (!attributes) return;
    if (!attributes.metadata.deletionTimestamp)
      return protect(tools, 'volumeattributesclasses', attributes, classFinalizer);
    const users = [
      ...lister('persistentvolumes').by(byClass, key),
      ...lister('persistentvolumeclaims').by(byClass, key),
    ];
    if (users.length === 0) await release(tools, 'volumeattributesclasses', attributes, classFinalizer);
  },
};

type Storage = PersistentVolumeClaim | PersistentVolume | VolumeAttributesClass;
type StorageResource = 'persistentvolumeclaims' | 'persistentvolumes' | 'volumeattributesclasses';

/** New objects have the finalizer from admission; those of before it get it here. */
async function protect(
  { client }: Tools,
  resource: StorageResource,
  object: Storage,
  finalizer: string,
): Promise<void> {
  const { finalizers = [] } = object.metadata;
  if (!finalizers.includes(finalizer)) await writeFinalizers(client, resource, object, [...finalizers, finalizer]);
}

async function release(
  { client, logger }: Tools,
  resource: StorageResource,
  object: Storage,
  finalizer: string,
): Promise<void> {
  const { finalizers = [] } = object.metadata;
  if (!finalizers.includes(finalizer)) return;
  await writeFinalizers(
    client,
    resource,
    object,
    finalizers.filter((name) => name !== finalizer),
  );
  logger.debug('unused, removing the finalizer', { resource, object: keyOf(object) });
}

/** Updates the whole object: a concurrent change causes a conflict, and the key is retried. */
const writeFinalizers = (client: Tools['client'], resource: StorageResource, object: Storage, finalizers: string[]) =>
  client.update(resource, { ...object, metadata: { ...object.metadata, finalizers } });
