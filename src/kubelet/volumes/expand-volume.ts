// Expands a volume on the node after its controller expanded it.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims

import { formatTime, type PersistentVolumeClaim, type Pod, resizeStatusOf } from '../../api/api.ts';
import type { Client, EventRecorder } from '../../client/client.ts';
import type { Logger } from '../../machinery/logger.ts';
import { compareQuantities } from '../../machinery/quantity.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { RpcError } from '../plugins/rpc.ts';
import type { BoundVolume } from './claims.ts';

const notRequiredAnnotation = 'volume.kubernetes.io/node-expansion-not-required';

interface Expansion {
  readonly size: string;
  /** The claim shows the new size already: only this node has to follow. */
  readonly isRecorded: boolean;
  /** The claim shows no progress: an older resizer works on it. */
  readonly isLegacy: boolean;
}

const storageOf = (amounts: Readonly<Record<string, unknown>> | undefined): string =>
  String(amounts?.['storage'] ?? '0');

/** The expansion that this node has to do; undefined: none. Pure. */
function expansionOf({ volume, claim }: BoundVolume): Expansion | undefined {
  const current = storageOf(claim.status?.capacity);
  const provisioned = storageOf(volume.spec?.capacity);
  if (claim.status?.capacity === undefined || compareQuantities(current, provisioned) >= 0) return undefined;
  const status = resizeStatusOf(claim);
  if (!status && !claim.status.allocatedResources) return { size: provisioned, isRecorded: false, isLegacy: true };
  const size = storageOf(claim.status.allocatedResources);
  const isRecorded = !status && compareQuantities(current, size) >= 0;
  const isShared = claim.spec.accessModes?.includes('ReadWriteMany') ?? false;
  if (isRecorded && isShared && claim.metadata.annotations?.[notRequiredAnnotation] === undefined)
    return { size, isRecorded, isLegacy: false };
  if (status !== 'NodeResizePending' && status !== 'NodeResizeInProgress') return undefined;
  return { size, isRecorded: false, isLegacy: false };
}

interface ExpandedVolume extends BoundVolume {
  readonly pod: Pod;
}

interface ExpandTools {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventRecorder;
  readonly nodeName: string;
}

/** Makes the mounted volume as large as `size`. False: that is not done on nodes. */
type Resize = (size: string) => Promise<boolean>;

/** Rejects when it must be repeated. */
export async function expandVolume(given: ExpandedVolume, resize: Resize, tools: ExpandTools): Promise<void> {
  if (!expansionOf(given)) return;
  // The claim changes with each try, also with one that failed.
  const { name, namespace } = given.claim.metadata;
  const reference = { name, ...(namespace !== undefined && { namespace }) };
  const volume = { ...given, claim: await tools.client.get('persistentvolumeclaims', reference) };
  const expansion = expansionOf(volume);
  if (!expansion) return;
  const { pod, readOnly } = volume;
  const specName = volume.volume.metadata.name;
  const note = (type: 'Normal' | 'Warning', reason: string, message: string) => {
    tools.events.event(pod, type, reason, message);
    tools.events.event(volume.claim, type, reason, message);
  };
  if (readOnly)
    return note(
      'Warning',
      'FileSystemResizeFailed',
      `MountVolume.NodeExpandVolume failed for volume "${specName}" requested read-only file system`,
    );
  const claim =
    expansion.isLegacy || expansion.isRecorded
      ? volume.claim
      : await patchClaim(volume.claim, withStatus(volume.claim, 'NodeResizeInProgress'), tools);
  try {
    if (!(await resize(expansion.size))) return;
  } catch (error) {
    if (!expansion.isLegacy && error instanceof RpcError && error.isFinal)
      await recordFailure(claim, error, expansion, tools);
    // A driver that cannot expand a volume in use waits for the next mount.
    if (error instanceof RpcError && error.code === 'FailedPrecondition') return;
    throw new Error(`${failed(error as Error)}${(error as Error).message}`, { cause: error });
  }
  note(
    'Normal',
    'FileSystemResizeSuccessful',
    `MountVolume.NodeExpandVolume succeeded for volume "${specName}" ${tools.nodeName}`,
  );
  if (!expansion.isRecorded) await patchClaim(claim, finished(claim, expansion.size), tools);
}

const infeasibleCodes = ['InvalidArgument', 'OutOfRange', 'NotFound'];
const isInfeasible = (error: Error): boolean => error instanceof RpcError && infeasibleCodes.includes(error.code);

const failed = (error: Error): string =>
  `Expander.NodeExpand failed to expand the volume ${isInfeasible(error) ? '' : ': '}`;

type ClaimStatus = NonNullable<PersistentVolumeClaim['status']>;
type Condition = NonNullable<ClaimStatus['conditions']>[number];

async function recordFailure(claim: PersistentVolumeClaim, error: RpcError, { size }: Expansion, tools: ExpandTools) {
  const conditions = [...(claim.status?.conditions ?? [])].filter(({ type }) => type !== 'NodeResizeError');
  const condition: Condition = {
    type: 'NodeResizeError',
    status: 'True',
    lastTransitionTime: formatTime(tools.clock.now()) as Condition['lastTransitionTime'],
    message: `failed to expand pvc with ${failed(error)}${error.message}`,
  };
  // A smaller size was requested since: this one is given up.
  const isGivenUp = compareQuantities(storageOf(claim.spec.resources?.requests), size) !== 0;
  const change = { conditions: [...conditions, condition] };
  const status = isInfeasible(error) || isGivenUp ? withStatus(claim, 'NodeResizeInfeasible') : {};
  await patchClaim(claim, { ...change, ...status }, tools).catch((cause) =>
    tools.logger.warn('cannot record a failed expansion', { claim: claim.metadata.name, error: String(cause) }),
  );
}

const withStatus = (claim: PersistentVolumeClaim, status: string) => ({
  allocatedResourceStatuses: { ...claim.status?.allocatedResourceStatuses, storage: status },
});

const resizeConditions = new Set(['Resizing', 'FileSystemResizePending', 'ControllerResizeError', 'NodeResizeError']);

function finished({ status }: PersistentVolumeClaim, size: string) {
  const { storage: _, ...others } = status?.allocatedResourceStatuses ?? {};
  const conditions = (status?.conditions ?? []).filter(({ type }) => !resizeConditions.has(type));
  return {
    capacity: { ...status?.capacity, storage: size },
    allocatedResourceStatuses: Object.keys(others).length > 0 ? { ...others, storage: null } : null,
    conditions: conditions.length > 0 ? conditions : null,
  };
}

/** A change since the claim was read is a conflict: the expansion is then decided again. */
const patchClaim = (
  { metadata: { name, namespace, resourceVersion } }: PersistentVolumeClaim,
  status: object,
  { client }: ExpandTools,
): Promise<PersistentVolumeClaim> =>
  client.patch(
    'persistentvolumeclaims',
    { name, ...(namespace !== undefined && { namespace }) },
    { type: 'merge', body: { metadata: { resourceVersion }, status } },
    { subresource: 'status' },
  );
