// Cluster events that may make a waiting pod schedulable.

import type { DeviceClass, Node, PersistentVolumeClaim, Pod, ResourceV1ResourceClaim } from '../api/api.ts';
import type { Requests } from './pod-info.ts';

export type ClusterEvent =
  | { readonly type: 'node-added'; readonly node: Node }
  | { readonly type: 'node-changed'; readonly node: Node; readonly old: Node; readonly aspects: readonly NodeAspect[] }
  | { readonly type: 'node-removed'; readonly node: Node }
  /** A pod was assigned a node: it takes resources, ports and a place in a topology. */
  | { readonly type: 'pod-assigned'; readonly pod: Pod }
  /** A pod with a node ended or was deleted: its resources are free. */
  | { readonly type: 'pod-gone'; readonly pod: Pod }
  | { readonly type: 'claim-changed'; readonly claim: PersistentVolumeClaim }
  /** A volume, a storage class, or the capacity of a driver. */
  | { readonly type: 'storage-changed' }
  /** A CSI driver, its presence on a node, or an attachment. */
  | { readonly type: 'csi-changed' }
  | {
      readonly type: 'resource-claim-changed';
      readonly claim: ResourceV1ResourceClaim | undefined;
      readonly old: ResourceV1ResourceClaim | undefined;
    }
  /** New or changed. */
  | { readonly type: 'device-class-changed'; readonly deviceClass: DeviceClass }
  | { readonly type: 'resource-slice-changed' }
  /** A placed pod has other labels. */
  | { readonly type: 'pod-relabelled'; readonly pod: Pod; readonly old: Pod }
  /** A placed pod requests less. */
  | { readonly type: 'pod-scaled-down'; readonly pod: Pod; readonly before: Requests; readonly after: Requests }
  /** The waiting pod itself was changed. */
  | { readonly type: 'pod-updated'; readonly pod: Pod; readonly old: Pod };

export type NodeAspect = 'allocatable' | 'labels' | 'taints' | 'conditions' | 'features';
