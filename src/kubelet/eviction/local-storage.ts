// Evicts pods that use more of the machine's disk than their limits let them: of an emptyDir (sizeLimit), of a container
// and of a pod (ephemeral-storage). https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#local-ephemeral-storage

import { type Pod, podLimits } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { canonicalQuantity } from '../../machinery/quantity.ts';
import type { StorageUsage } from '../machine/machine.ts';
import { bytes } from '../resources/resources.ts';
import type { KubeletTools } from '../tools.ts';
import { isCritical } from './critical.ts';

/** KubeletConfiguration's monitoring interval of evictions. */
const monitorIntervalMs = 10_000;
/** Measuring one pod takes at most this share of the time. */
const restPerScan = 10;

/** Grace in seconds, and whether the pod's status names it a disruption. */
export interface EvictionManner {
  /** By default the pod's. */
  readonly graceSeconds?: number;
  readonly isDisruption: boolean;
  /** The message of that condition, if it differs from the pod's. */
  readonly disruption?: string;
  /** Default: Evicted. */
  readonly reason?: string;
}

/** A pod that can be evicted. */
export interface Evictable {
  readonly pod: Pod;
  readonly isActive: boolean;
  /** It has completed or failed, and no container runs. */
  readonly hasEnded: boolean;
  evict(message: string, how?: EvictionManner): void;
}

const storage = 'ephemeral-storage';

/** Whether the pod has storage limits: only then it is measured. */
export const hasStorageLimits = ({ spec }: Pod): boolean =>
  (spec.volumes ?? []).some((v) => bytes(v.emptyDir?.sizeLimit) > 0) ||
  spec.containers.some((c) => c.resources?.limits?.[storage] !== undefined);

/** The reason for eviction, in Kubernetes' words; undefined within the limits. Pure. */
export function overStorageLimit({ spec }: Pod, usage: StorageUsage): string | undefined {
  for (const { name, emptyDir } of spec.volumes ?? []) {
    const limit = bytes(emptyDir?.sizeLimit);
    if (limit > 0 && (usage.emptyDirs.get(name) ?? 0) > limit)
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${canonicalQuantity(must(must(emptyDir, 'emptyDir').sizeLimit, 'sizeLimit'))}". `;
  }
  const limits = spec.containers.flatMap((c) => {
    const limit = c.resources?.limits?.[storage];
    return limit === undefined ? [] : [{ name: c.name, limit }];
  });
  const inMemory = new Set((spec.volumes ?? []).filter((v) => v.emptyDir?.medium).map((v) => v.name));
  const onDisk = [...usage.emptyDirs].filter(([name]) => !inMemory.has(name)).map(([, used]) => used);
  const total = [...onDisk, ...usage.containers.values()].reduce((sum, used) => sum + used, 0);
  const podLimit = podLimits({ spec })[storage];
  if (podLimit !== undefined && total > bytes(podLimit))
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${canonicalQuantity(podLimit)}. `;
  const over = limits.find(({ name, limit }) => (usage.containers.get(name) ?? 0) > bytes(limit));
  return (
    over && `Container ${over.name} exceeded its local ephemeral storage limit "${canonicalQuantity(over.limit)}". `
  );
}

type StorageTools = Pick<KubeletTools, 'machine' | 'clock' | 'logger' | 'runtime'>;

/** Runs until `signal` aborts. Measures one pod at a time. */
export async function watchLocalStorage(
  tools: StorageTools,
  pods: () => readonly Evictable[],
  signal: AbortSignal,
): Promise<void> {
  /** When a pod is to be measured again, by uid. */
  const dueMs = new Map<string, number>();
  while (!signal.aborted) {
    await tools.clock.sleep(monitorIntervalMs, signal).catch(() => {});
    const limited = pods().filter((each) => each.isActive && !isCritical(each.pod) && hasStorageLimits(each.pod));
    for (const uid of dueMs.keys()) if (!limited.some((each) => each.pod.metadata.uid === uid)) dueMs.delete(uid);
    if (limited.length === 0 || signal.aborted) continue;
    try {
      await checkAll(tools, limited, dueMs, signal);
    } catch (error) {
      tools.logger.warn('cannot measure local storage', { error: String(error) });
    }
  }
}

async function checkAll(
  tools: StorageTools,
  limited: readonly Evictable[],
  dueMs: Map<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = tools;
  const stats = await tools.runtime.containerStats();
  const sandboxes = await tools.runtime.listPodSandboxes();
  for (const each of limited) {
    const { uid } = each.pod.metadata;
    const begunMs = clock.monotonic();
    if (signal.aborted || begunMs < (dueMs.get(uid) ?? 0)) continue;
    const ids = new Set(sandboxes.filter((s) => s.config.uid === uid).map((s) => s.id));
    const own = stats.filter((s) => ids.has(s.sandboxId));
    const usage = await tools.machine.meter.storage(each.pod, own, signal);
    const message = usage && overStorageLimit(each.pod, usage);
    dueMs.set(uid, clock.monotonic() + (clock.monotonic() - begunMs) * restPerScan);
    if (message) each.evict(message);
  }
}
