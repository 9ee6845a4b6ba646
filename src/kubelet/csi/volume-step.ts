// The steps of a volume's way to a pod, and the inputs of its driver for them.

import { attaches } from '../../api/api.ts';
import { RpcError } from '../plugins/rpc.ts';
import { type CsiTools, csiError, secretValues } from './csi-tools.ts';
import { attachmentName, type CsiVolume, type PersistentCsiVolume } from './csi-volume.ts';
import type { Capability } from './driver-client.ts';

type EventReason = 'FailedMount' | 'FailedMapVolume' | 'VolumeResizeFailed';

/** A step failed: the event names it, and the operation is repeated. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure';
  readonly reason: EventReason;

  constructor(reason: EventReason, step: string, specName: string, cause: unknown) {
    super(`${step} for volume "${specName}" : ${(cause as Error).message}`, { cause });
    this.reason = reason;
  }
}

/** Runs one step: its failure names it. */
export async function inStep<T>({ specName, isBlock }: CsiVolume, step: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new StepFailure(isBlock ? 'FailedMapVolume' : 'FailedMount', step, specName, error);
  }
}

/** The driver has surely not done it. */
export const isFinal = (error: unknown): boolean => error instanceof RpcError && error.isFinal;

type Texts = Readonly<Record<string, string>>;

/** The driver's node service; its absence is no fault of the volume. */
export function beginOperation({ drivers }: CsiTools, { driver }: CsiVolume, failed: string) {
  try {
    return drivers.operation(driver);
  } catch (error) {
    throw csiError(`${failed}: ${(error as Error).message}`);
  }
}

/** The answer of the driver's controller service to the attachment; empty without attachment. */
export async function publishContextOf(volume: PersistentCsiVolume, tools: CsiTools): Promise<Texts> {
  if (!attaches(tools.driverObject(volume.driver))) return {};
  const name = attachmentName(volume, tools.nodeName);
  const attachment = await tools.client.get('volumeattachments', { name }).catch((error: Error) => {
    throw new Error(`volume ${volume.handle} has GET error for volume attachment ${name}: ${error.message}`);
  });
  if (attachment.metadata.deletionTimestamp) throw new Error('volume attachment is being deleted');
  const { attached, attachError, attachmentMetadata } = attachment.status ?? {};
  if (attached) return attachmentMetadata ?? {};
  throw new Error(attachError?.message ?? `volume ${volume.handle} is not attached for volume attachment ${name}`);
}

export function capabilityOf(volume: CsiVolume, group?: number): Capability {
  const { isBlock } = volume;
  const persistent = volume.lifecycle === 'Persistent' ? volume.volume.spec : undefined;
  return {
    isBlock,
    fsType: volume.source.fsType ?? '',
    mountOptions: isBlock ? [] : (persistent?.mountOptions ?? []),
    accessMode: persistent?.accessModes?.[0] ?? 'ReadWriteOnce',
    ...(group !== undefined && { group }),
  };
}

export const stageSecrets = async ({ source }: PersistentCsiVolume, tools: CsiTools): Promise<Texts> =>
  source.nodeStageSecretRef ? secretValues(tools, 'NodeStageSecretRef', source.nodeStageSecretRef) : {};

/** An inline volume names a secret of the pod's namespace. */
export async function publishSecrets(volume: CsiVolume, tools: CsiTools): Promise<Texts> {
  const reference = volume.source.nodePublishSecretRef;
  if (!reference) return {};
  const { namespace } = volume.pod.metadata;
  const named = volume.lifecycle === 'Ephemeral' ? { ...reference, namespace } : reference;
  return secretValues(tools, 'NodePublishSecretRef', named);
}

/** https://kubernetes-csi.github.io/docs/pod-info.html */
export function podInfo({ pod, lifecycle, driver }: CsiVolume, { driverObject }: CsiTools): Texts {
  if (!driverObject(driver)?.spec.podInfoOnMount) return {};
  const { name, namespace = '', uid } = pod.metadata;
  return {
    'csi.storage.k8s.io/pod.name': name,
    'csi.storage.k8s.io/pod.namespace': namespace,
    'csi.storage.k8s.io/pod.uid': uid,
    'csi.storage.k8s.io/serviceAccount.name': pod.spec.serviceAccountName ?? '',
    'csi.storage.k8s.io/ephemeral': String(lifecycle === 'Ephemeral'),
  };
}

/** https://kubernetes-csi.github.io/docs/token-requests.html */
export async function serviceAccountTokens(
  { pod, driver }: CsiVolume,
  { driverObject, token }: CsiTools,
): Promise<{ readonly tokens: Texts; readonly areSecrets: boolean }> {
  const { tokenRequests = [], serviceAccountTokenInSecrets = false } = driverObject(driver)?.spec ?? {};
  if (tokenRequests.length === 0) return { tokens: {}, areSecrets: false };
  const found: [string, object][] = [];
  for (const { audience = '', expirationSeconds } of tokenRequests) {
    const { token: text, expirationTimestamp } = await token(pod, audience, expirationSeconds);
    found.push([audience, { token: text, expirationTimestamp }]);
  }
  found.sort(([a], [b]) => (a < b ? -1 : 1));
  const tokens = { 'csi.storage.k8s.io/serviceAccount.tokens': JSON.stringify(Object.fromEntries(found)) };
  return { tokens, areSecrets: serviceAccountTokenInSecrets };
}
