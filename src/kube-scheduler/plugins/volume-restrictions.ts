// Volumes that only one pod may use: claims with the access mode ReadWriteOncePod, and disks of old in-tree types.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes

import type { Pod, Volume } from '../../api/api.ts';
import type { Plugin, Rejection, Snapshot } from '../framework.ts';

const diskInUse: Rejection = { reason: 'node(s) had no available disk', resolvable: true };
const claimInUse: Rejection = {
  reason:
    'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
  resolvable: true,
};

/** Whether two volumes are the same disk, and may not both be mounted. */
function isConflict(a: Volume, b: Volume): boolean {
  const writes = (one: { readOnly?: boolean }, other: { readOnly?: boolean }) => !(one.readOnly && other.readOnly);
  const [gce, otherGce] = [a.gcePersistentDisk, b.gcePersistentDisk];
  if (gce && otherGce && gce.pdName === otherGce.pdName && writes(gce, otherGce)) return true;
  const [aws, otherAws] = [a.awsElasticBlockStore, b.awsElasticBlockStore];
  if (aws && otherAws && aws.volumeID === otherAws.volumeID) return true;
  const [iscsi, otherIscsi] = [a.iscsi, b.iscsi];
  if (iscsi && otherIscsi && iscsi.iqn === otherIscsi.iqn && writes(iscsi, otherIscsi)) return true;
  const [rbd, otherRbd] = [a.rbd, b.rbd];
  return Boolean(
    rbd &&
      otherRbd &&
      rbd.monitors.some((monitor) => otherRbd.monitors.includes(monitor)) &&
      rbd.pool === otherRbd.pool &&
      rbd.image === otherRbd.image &&
      writes(rbd, otherRbd),
  );
}

const disksOf = ({ spec }: Pod): Volume[] =>
  (spec.volumes ?? []).filter((v) => v.gcePersistentDisk ?? v.awsElasticBlockStore ?? v.iscsi ?? v.rbd);

const sharesDisk = (disks: readonly Volume[], { spec }: Pod): boolean =>
  disks.some((disk) => (spec.volumes ?? []).some((volume) => isConflict(disk, volume)));

/** Keys of the pod's claims that only one pod may use. Undefined, with the name, for a claim that is missing. */
function exclusiveClaims(keys: readonly string[], { storage }: Snapshot): { missing: string } | readonly string[] {
  const exclusive: string[] = [];
  for (const key of keys) {
    const [namespace, name] = key.split('/');
    const claim = storage.claim(namespace, name);
    if (!claim) return { missing: name };
    if (claim.spec.accessModes?.includes('ReadWriteOncePod')) exclusive.push(key);
  }
  return exclusive;
}

export const volumeRestrictions: Plugin = {
  name: 'VolumeRestrictions',
  prepareFilter({ pod, claims }, snapshot) {
    if (!pod.spec.volumes?.length) return 'skip';
    const exclusive = exclusiveClaims(claims, snapshot);
    if ('missing' in exclusive)
      return { reason: `persistentvolumeclaim ${JSON.stringify(exclusive.missing)} not found`, resolvable: false };
    const disks = disksOf(pod);
    const isUsed = exclusive.some((key) => snapshot.claimUsers(key) > 0);
    if (disks.length === 0 && !isUsed) return 'skip';
    return {
      filter(node) {
        if (disks.length > 0 && [...node.pods.values()].some((placed) => sharesDisk(disks, placed.pod)))
          return diskInUse;
        return isUsed ? claimInUse : undefined;
      },
    };
  },
  wakes(event, { pod, claims }) {
    if (event.type === 'claim-changed')
      return claims.includes(`${event.claim.metadata.namespace}/${event.claim.metadata.name}`);
    if (event.type !== 'pod-gone') return event.type === 'node-added';
    if (event.pod.metadata.namespace !== pod.metadata.namespace) return false;
    const names = new Set((pod.spec.volumes ?? []).map((v) => v.persistentVolumeClaim?.claimName));
    return (
      sharesDisk(disksOf(pod), event.pod) ||
      (event.pod.spec.volumes ?? []).some(
        ({ persistentVolumeClaim: used }) => used !== undefined && names.has(used.claimName),
      )
    );
  },
};
