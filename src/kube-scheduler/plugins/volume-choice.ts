// Which volumes a pod gets on one node: those that its claims have, free ones, or new ones from a provisioner.
// https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode

import {
  claimRequest,
  type Node,
  noProvisioner,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
  storageClassOf,
  volumeAnnotations,
} from '../../api/api.ts';
import { compareQuantities } from '../../machinery/quantity.ts';
import { labelSelector } from '../../machinery/selectors/label-selector.ts';
import { spendEffort } from '../../machinery/time/effort.ts';
import type { Rejection } from '../framework.ts';
import { unresolvable } from '../framework.ts';
import type { Storage } from '../storage.ts';
import { reaches, volumeFor } from './volume-candidates.ts';

/** The claims of a pod, by their need for a volume. */
interface PodClaims {
  readonly bound: readonly PersistentVolumeClaim[];
  /** They get their volumes once the node is known. */
  readonly delayed: readonly PersistentVolumeClaim[];
}

export interface VolumeChoice {
  readonly bindings: readonly { readonly volume: PersistentVolume; readonly claim: PersistentVolumeClaim }[];
  /** Claims for which a provisioner is to make volumes. */
  readonly provisions: readonly PersistentVolumeClaim[];
}

const noVolume = unresolvable("node(s) didn't find available persistent volumes to bind");
const noSpace = unresolvable('node(s) did not have enough free storage');
const missingVolume = unresolvable('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)');
const unreachable = unresolvable("node(s) didn't match PersistentVolume's node affinity");

export function chooseVolumes(claims: PodClaims, node: Node, storage: Storage): VolumeChoice | readonly Rejection[] {
  const delayed = chooseForDelayed(claims.delayed, node, storage);
  const rejections = [boundFault(claims.bound, node, storage), 'reason' in delayed ? delayed : undefined];
  const found = rejections.filter((rejection) => rejection !== undefined);
  return found.length > 0 ? found : (delayed as VolumeChoice);
}

function boundFault(claims: PodClaims['bound'], node: Node, storage: Storage): Rejection | undefined {
  for (const { spec } of claims) {
    const volume = storage.volume(spec.volumeName ?? '');
    if (!volume) return missingVolume;
    if (!reaches(volume, node)) return unreachable;
  }
  return undefined;
}

const selectedNodeOf = ({ metadata }: PersistentVolumeClaim): string | undefined =>
  metadata.annotations?.[volumeAnnotations.selectedNode];

function chooseForDelayed(claims: PodClaims['delayed'], node: Node, storage: Storage): VolumeChoice | Rejection {
  const provisions: PersistentVolumeClaim[] = [];
  const bindings: VolumeChoice['bindings'][number][] = [];
  const taken = new Set<string>();
  const bySize = [...claims].sort((a, b) => compareQuantities(claimRequest(a), claimRequest(b)));
  for (const claim of bySize) {
    const selected = selectedNodeOf(claim);
    if (selected !== undefined && selected !== node.metadata.name) return noVolume;
    const volume = selected === undefined ? volumeFor(claim, node, storage, taken) : undefined;
    if (volume) {
      taken.add(volume.metadata.name);
      bindings.push({ volume, claim });
    } else provisions.push(claim);
  }
  for (const claim of provisions) {
    const fault = provisionFault(claim, node, storage);
    if (fault) return fault;
  }
  return { bindings, provisions };
}

function provisionFault(claim: PersistentVolumeClaim, node: Node, storage: Storage): Rejection | undefined {
  const storageClass = storage.class(storageClassOf(claim));
  if (!storageClass?.provisioner || storageClass.provisioner === noProvisioner) return noVolume;
  if (!isAllowed(storageClass, node)) return noVolume;
  return hasSpace(claim, storageClass, node, storage) ? undefined : noSpace;
}

/** Terms are alternatives; all expressions of a term must match. */
const isAllowed = ({ allowedTopologies = [] }: StorageClass, { metadata }: Node): boolean =>
  allowedTopologies.length === 0 ||
  allowedTopologies.some(
    ({ matchLabelExpressions = [] }) =>
      matchLabelExpressions.length > 0 &&
      matchLabelExpressions.every(({ key, values }) => values.includes(metadata.labels?.[key] ?? '')),
  );

/** Only a CSI driver that reports its capacity limits it: https://kubernetes.io/docs/concepts/storage/storage-capacity/ */
function hasSpace(claim: PersistentVolumeClaim, { metadata, provisioner }: StorageClass, node: Node, storage: Storage) {
  if (!storage.driver(provisioner)?.spec.storageCapacity) return true;
  return storage.capacities().some(({ storageClassName, maximumVolumeSize, capacity, nodeTopology }) => {
    spendEffort(1);
    const limit = maximumVolumeSize ?? capacity;
    return (
      storageClassName === metadata.name &&
      limit !== undefined &&
      compareQuantities(String(limit), claimRequest(claim)) >= 0 &&
      nodeTopology !== undefined &&
      labelSelector(nodeTopology).matches(node.metadata.labels ?? {})
    );
  });
}
