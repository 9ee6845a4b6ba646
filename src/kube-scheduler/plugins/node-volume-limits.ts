// A CSI driver attaches a limited number of volumes to a node (CSINode's allocatable.count).
// https://kubernetes.io/docs/concepts/storage/storage-limits/

import { type CSINode, claimsOfPod, type PersistentVolumeClaim, storageClassOf } from '../../api/api.ts';
import type { Plugin, Rejection } from '../framework.ts';
import type { PodInfo } from '../pod-info.ts';
import type { Storage } from '../storage.ts';

const exceeded: Rejection = { reason: 'node(s) exceed max volume count', resolvable: true };

/** Limits by the name of the driver. */
const limitsOf = (csiNode: CSINode | undefined): ReadonlyMap<string, number> =>
  new Map(
    (csiNode?.spec.drivers ?? []).flatMap(({ name, allocatable }) =>
      allocatable?.count === undefined ? [] : [[name, allocatable.count] as const],
    ),
  );

/** The driver and the unique name of a claim's volume; the volume of an unbound claim will be a new one. */
function volumeOf(claim: PersistentVolumeClaim, storage: Storage): readonly [id: string, driver: string] | undefined {
  const volume = storage.volume(claim.spec.volumeName ?? '');
  if (volume) {
    const csi = volume.spec?.csi;
    return csi && [`${csi.driver}/${csi.volumeHandle}`, csi.driver];
  }
  const provisioner = storage.class(storageClassOf(claim))?.provisioner;
  const { namespace, name } = claim.metadata;
  return provisioner ? [`${provisioner}/new/${namespace}/${name}`, provisioner] : undefined;
}

/** Volumes of a pod with their drivers. */
function* volumesOf(
  { pod, claimVolumes }: PodInfo,
  storage: Storage,
): Generator<readonly [id: string, driver: string]> {
  for (const { claim: name } of claimVolumes) {
    const claim = storage.claim(pod.metadata.namespace ?? '', name);
    const volume = claim && volumeOf(claim, storage);
    if (volume) yield volume;
  }
}

/** Volumes that attachments of the node show, with their drivers. */
function* attachedVolumes(node: string, storage: Storage): Generator<readonly [id: string, driver: string]> {
  for (const { spec } of storage.attachmentsOf(node)) {
    const csi = storage.volume(spec.source.persistentVolumeName ?? '')?.spec?.csi;
    if (csi && spec.attacher) yield [`${spec.attacher}/${csi.volumeHandle}`, spec.attacher];
  }
}

export const nodeVolumeLimits: Plugin = {
  name: 'NodeVolumeLimits',
  prepareFilter(info, { storage }) {
    if (info.claimVolumes.length === 0) return 'skip';
    const wanted = new Map(volumesOf(info, storage));
    if (wanted.size === 0) return 'skip';
    return {
      filter({ name, pods }) {
        const limits = limitsOf(storage.csiNode(name));
        if (limits.size === 0) return undefined;
        const present = new Map(attachedVolumes(name, storage));
        for (const placed of pods.values())
          for (const [id, driver] of volumesOf(placed, storage)) present.set(id, driver);
        const added = [...wanted].filter(([id]) => !present.has(id));
        const count = (of: Iterable<readonly [string, string]>, driver: string) =>
          [...of].filter(([, other]) => other === driver).length;
        const isExceeded = added.some(([, driver]) => {
          const limit = limits.get(driver);
          return limit !== undefined && count(present, driver) + count(added, driver) > limit;
        });
        return isExceeded ? exceeded : undefined;
      },
    };
  },
  wakes(event, { pod, claimVolumes }) {
    if (event.type === 'pod-gone') return claimsOfPod(event.pod).length > 0;
    if (event.type === 'claim-changed')
      return (
        event.claim.metadata.namespace === pod.metadata.namespace &&
        claimVolumes.some(({ claim }) => claim === event.claim.metadata.name)
      );
    return event.type === 'csi-changed';
  },
};
