// The decisions about one CSI volume: to which nodes it is to be attached, and from which it is to be detached. Pure.
// https://kubernetes.io/docs/concepts/storage/volumes/#csi

import {
  allowsMultiAttach,
  isPodTerminal,
  type Node,
  type PersistentVolume,
  type Pod,
  type VolumeAttachment,
} from '../../../api/api.ts';

/** Kubernetes' ReconcilerMaxWaitForUnmountDuration. */
export const longestUnmountMs = 6 * 60_000;
const outOfServiceTaint = 'node.kubernetes.io/out-of-service';

/** The volume on one node. */
export interface Place {
  readonly nodeName: string;
  /** Undefined: the node is gone from the API. */
  readonly node?: Node;
  readonly attachment?: VolumeAttachment;
  /** Pods on the node that need the volume. */
  readonly pods: readonly Pod[];
  /** When the last of them went, in monotonic milliseconds. */
  readonly unwantedSinceMs?: number;
}

export type PlaceDecision =
  | { readonly do: 'nothing' }
  | { readonly do: 'attach' }
  /** The attachment exists and is not complete. */
  | { readonly do: 'await-attachment' }
  /** Another node has the volume. */
  | { readonly do: 'refuse'; readonly others: readonly Place[] }
  /** The node still uses the volume: decide again after this time. */
  | { readonly do: 'await-unmount'; readonly afterMs?: number }
  | { readonly do: 'detach'; readonly isForced: false | 'timeout' | 'out-of-service'; readonly verifies: boolean };

const isReady = (node: Node | undefined): boolean =>
  node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

const isOutOfService = (node: Node | undefined): boolean =>
  node?.spec?.taints?.some(({ key }) => key === outOfServiceTaint) ?? false;

export const isInUse = (node: Node | undefined, uniqueName: string): boolean =>
  node?.status?.volumesInUse?.includes(uniqueName) ?? false;

/** The decision for each place, in the given order: of two nodes that want a volume for one, the first gets it. */
export function decidePlaces(
  volume: PersistentVolume,
  uniqueName: string,
  places: readonly Place[],
  nowMs: number,
): ReadonlyMap<Place, PlaceDecision> {
  const isShared = allowsMultiAttach(volume);
  const holders = new Set(places.filter(({ attachment }) => attachment));
  const decisions = new Map<Place, PlaceDecision>();
  for (const place of places) {
    const others = [...holders].filter((holder) => holder !== place);
    const decision = decide(place, uniqueName, isShared ? [] : others, nowMs);
    if (decision.do === 'attach') holders.add(place);
    decisions.set(place, decision);
  }
  return decisions;
}

function decide(place: Place, uniqueName: string, others: readonly Place[], nowMs: number): PlaceDecision {
  const { attachment, pods } = place;
  if (pods.length === 0) return attachment ? decideDetach(place, attachment, uniqueName, nowMs) : { do: 'nothing' };
  if (attachment?.status?.attached && !attachment.metadata.deletionTimestamp) return { do: 'nothing' };
  if (attachment) return { do: 'await-attachment' };
  return others.length > 0 ? { do: 'refuse', others } : { do: 'attach' };
}

function decideDetach(
  { node, unwantedSinceMs = nowMsUnknown }: Place,
  { metadata }: VolumeAttachment,
  uniqueName: string,
  nowMs: number,
): PlaceDecision {
  if (metadata.deletionTimestamp) return { do: 'nothing' }; // the attacher of the driver is at work
  const waitedMs = unwantedSinceMs === nowMsUnknown ? 0 : nowMs - unwantedSinceMs;
  const isLate = waitedMs > longestUnmountMs;
  const outOfService = isOutOfService(node);
  // Nothing is known about a node that is gone: its volumes may be mounted.
  const isMounted = node ? isInUse(node, uniqueName) : true;
  const isForcedByTime = isLate && !isReady(node);
  if (isMounted && !isForcedByTime && !outOfService)
    return { do: 'await-unmount', ...(!isLate && { afterMs: longestUnmountMs - waitedMs + 1 }) };
  const verifies = !isLate && !outOfService;
  return { do: 'detach', isForced: verifies ? false : isLate ? 'timeout' : 'out-of-service', verifies };
}

const nowMsUnknown = Number.POSITIVE_INFINITY;

/** In Kubernetes' words: why the pod's volume is not attached to its node. */
export function multiAttachMessage(specName: string, pod: Pod, others: readonly Place[]): string {
  const prefix = `Multi-Attach error for volume "${specName}" `;
  const users = others.flatMap(({ pods }) => pods);
  if (users.length === 0)
    return `${prefix}Volume is already exclusively attached to one node and can't be attached to another`;
  const { namespace } = pod.metadata;
  const local = users.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name);
  const elsewhere = users.length - local.length;
  const count = `${elsewhere} pod(s) in different namespaces`;
  if (local.length === 0) return `${prefix}Volume is already used by ${count}`;
  return `${prefix}Volume is already used by pod(s) ${local.join(', ')}${elsewhere > 0 ? ` and ${count}` : ''}`;
}

/** Its containers have ended, and so has its use of volumes. */
export function usesVolumes(pod: Pod): boolean {
  if (!pod.spec.nodeName || isPodTerminal(pod)) return false;
  if (!pod.metadata.deletionTimestamp) return true;
  return (pod.status?.containerStatuses ?? []).some(({ state }) => !state?.terminated && !state?.waiting);
}
