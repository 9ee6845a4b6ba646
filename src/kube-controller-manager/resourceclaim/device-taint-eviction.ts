// Evicts pods whose devices have NoExecute taints, once the claims have tolerated them for as long as they may.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#device-taints-and-tolerations

import {
  allocatedDevices,
  type DeviceRequestAllocationResult,
  type DeviceTaint,
  isNotFound,
  type Pod,
  parseTime,
  poolId,
  type ResourceV1ResourceClaim as ResourceClaim,
  type ResourceSlice,
  toleratesDeviceTaint,
} from '../../api/api.ts';
import { type Controller, keyOf, type Tools, timestamp } from '../../client/client.ts';

const byPool = 'by pool';
const poolOfSlice = ({ spec }: ResourceSlice): string => poolId(spec.driver, spec.pool.name);
const usersOf = ({ metadata, status }: ResourceClaim): string[] =>
  (status?.reservedFor ?? [])
    .filter(({ apiGroup, resource }) => !apiGroup && resource === 'pods')
    .map(({ name }) => `${metadata.namespace}/${name}`);

const evicting = (taints: readonly DeviceTaint[] | undefined): DeviceTaint[] =>
  (taints ?? []).filter(({ effect }) => effect === 'NoExecute');
const taintsOf = ({ spec }: ResourceSlice): string =>
  JSON.stringify([
    spec.pool.generation,
    (spec.devices ?? []).flatMap(({ name, taints }) => evicting(taints).map((taint) => [name, taint])),
  ]);

const deletionBuckets = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 30, 60, 120, 180, 240];

export function deviceTaintEviction(): Controller {
  /** Pods to be evicted later, by uid. */
  const marked = new Set<string>();
  return {
    name: 'device-taint-eviction',
    component: 'device-taint-eviction-controller',
    watches: [
      {
        resource: 'resourceslices',
        matters: (next: ResourceSlice, old: ResourceSlice) => taintsOf(next) !== taintsOf(old),
        keys: (slice: ResourceSlice, { lister }) =>
          lister('resourceclaims').by(byPool, poolOfSlice(slice)).flatMap(usersOf),
      },
      { resource: 'resourceclaims', keys: (claim: ResourceClaim) => usersOf(claim) },
      {
        resource: 'pods',
        matters: (next: Pod, old: Pod) =>
          next.spec.nodeName !== old.spec.nodeName ||
          next.status?.resourceClaimStatuses !== old.status?.resourceClaimStatuses,
        keys: (pod: Pod) => (pod.spec.resourceClaims?.length ? [keyOf(pod)] : []),
      },
    ],
    indexes: [
      {
        resource: 'resourceclaims',
        name: byPool,
        valuesOf: (claim: ResourceClaim) => [
          ...new Set(allocatedDevices(claim).map(({ driver, pool }) => poolId(driver, pool))),
        ],
      },
      { resource: 'resourceslices', name: byPool, valuesOf: (slice: ResourceSlice) => [poolOfSlice(slice)] },
    ],
    workers: 8,
    async reconcile(key, tools) {
      const pod = tools.lister('pods').get(key);
      if (!pod?.spec.nodeName || pod.metadata.deletionTimestamp) return;
      const dueMs = evictionTime(pod, tools);
      if (dueMs === undefined) {
        if (marked.delete(pod.metadata.uid)) report(pod, 'Cancelling deletion', tools);
        return;
      }
      const restMs = dueMs - tools.clock.now();
      if (restMs > 0) {
        marked.add(pod.metadata.uid);
        return { after: restMs };
      }
      marked.delete(pod.metadata.uid);
      if (await evict(pod, tools)) measure(-restMs / 1000, tools);
    },
  };
}

/** The earliest time among the taints of the devices of all claims; undefined if there is none. */
function evictionTime(pod: Pod, { lister }: Tools): number | undefined {
  const { namespace, uid } = pod.metadata;
  let dueMs: number | undefined;
  for (const { name, resourceClaimName } of pod.spec.resourceClaims ?? []) {
    const made = pod.status?.resourceClaimStatuses?.find((entry) => entry.name === name)?.resourceClaimName;
    const claim = lister('resourceclaims').get(`${namespace}/${resourceClaimName ?? made}`);
    if (!claim?.status?.reservedFor?.some((user) => user.uid === uid)) continue;
    for (const device of allocatedDevices(claim))
      for (const taint of taintsOfDevice(
        device,
        lister('resourceslices').by(byPool, poolId(device.driver, device.pool)),
      )) {
        const due = dueTime(taint, device.tolerations);
        if (due !== undefined && (dueMs === undefined || due < dueMs)) dueMs = due;
      }
  }
  return dueMs;
}

/** Slices of old generations do not count. */
function taintsOfDevice({ device }: DeviceRequestAllocationResult, slices: readonly ResourceSlice[]): DeviceTaint[] {
  const newest = Math.max(...slices.map(({ spec }) => spec.pool.generation));
  const current = slices.filter(({ spec }) => spec.pool.generation === newest);
  const found = current.flatMap(({ spec }) => spec.devices ?? []).find(({ name }) => name === device);
  return evicting(found?.taints);
}

/** When the taint ends the pod; undefined if it is tolerated forever. */
function dueTime(taint: DeviceTaint, tolerations: DeviceRequestAllocationResult['tolerations']): number | undefined {
  const matching = (tolerations ?? []).filter(
    (toleration) => toleration.effect === 'NoExecute' && toleratesDeviceTaint(toleration, taint),
  );
  if (matching.some(({ tolerationSeconds }) => tolerationSeconds === undefined)) return undefined;
  const addedMs = parseTime(taint.timeAdded ?? '');
  if (addedMs === undefined || matching.length === 0) return addedMs;
  return addedMs + 1_000 * Math.min(...matching.map(({ tolerationSeconds = 0 }) => Math.max(0, tolerationSeconds)));
}

function report(pod: Pod, message: string, { events }: Tools): void {
  events.event(pod, 'Normal', 'DeviceTaintManagerEviction', message);
}

/** False if the pod was gone. */
async function evict(pod: Pod, tools: Tools): Promise<boolean> {
  const { client, clock } = tools;
  const { name, namespace, uid } = pod.metadata;
  const target = { name, ...(namespace !== undefined && { namespace }) };
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByDeviceTaintManager',
    message: 'Device Taint manager: deleting due to NoExecute taint',
    lastTransitionTime: timestamp(clock.now()),
  };
  report(pod, 'Marking for deletion', tools);
  try {
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    await client.patch('pods', target, { type: 'strategic', body }, { subresource: 'status' });
    await client.delete('pods', target, { preconditions: { uid } });
    return true;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return false;
  }
}

function measure(seconds: number, { metrics }: Tools): void {
  metrics
    .counter(
      'device_taint_eviction_controller_pod_deletions_total',
      'Total number of Pods deleted by DeviceTaintEvictionController since its start.',
    )
    .add();
  metrics
    .histogram(
      'device_taint_eviction_controller_pod_deletion_duration_seconds',
      "Latency, in seconds, between the time when a device taint effect has been activated and a Pod's deletion via DeviceTaintEvictionController.",
      deletionBuckets,
    )
    .observe(seconds);
}
