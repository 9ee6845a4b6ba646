// The usage of the resource that is short, by pod.

import type { StorageUsage } from '../machine/machine.ts';
import type { KubeletTools } from '../tools.ts';
import type { Candidate, PodUsage } from './ranking.ts';
import type { StarvedResource } from './thresholds.ts';

const nothing: PodUsage = { memoryBytes: 0, diskBytes: 0, inodes: 0, processes: 0, containers: [] };

/** Disk usage is measured only if a disk is short. */
export async function withUsage<P extends Pick<Candidate, 'pod'>>(
  pods: readonly P[],
  resource: StarvedResource,
  tools: KubeletTools,
  signal: AbortSignal,
): Promise<(P & Candidate)[]> {
  const { meter } = tools.machine;
  const stats = await tools.runtime.containerStats();
  const found: (P & Candidate)[] = [];
  for (const each of pods) {
    const { pod } = each;
    const { containers } = tools.cache.get(pod.metadata.uid);
    const names = new Map(containers.map(({ id, name }) => [id, name]));
    const own = stats.filter(({ id }) => names.has(id));
    const containerUsages = own.map((s) => ({ name: s.name, memoryBytes: s.memoryWorkingSetBytes, diskBytes: 0 }));
    const memoryBytes = own.reduce((sum, s) => sum + s.memoryWorkingSetBytes, 0);
    let usage: PodUsage | undefined =
      own.length > 0 ? { ...nothing, memoryBytes, containers: containerUsages } : undefined;
    if (resource === 'pids' && usage) usage = { ...usage, processes: tools.cgroups?.processCount(pod) ?? 0 };
    if (resource === 'ephemeral-storage') usage = withStorage(usage, await meter.storage(pod, own, signal));
    if (resource === 'inodes') {
      const inodes = await meter.inodes(pod, own, signal);
      if (inodes !== undefined) usage = { ...(usage ?? nothing), inodes };
    }
    found.push({ ...each, usage });
  }
  return found;
}

function withStorage(usage: PodUsage | undefined, storage: StorageUsage | undefined): PodUsage | undefined {
  if (!storage) return usage;
  const sum = (amounts: Iterable<number>) => [...amounts].reduce((total, amount) => total + amount, 0);
  return {
    ...(usage ?? nothing),
    diskBytes: sum(storage.emptyDirs.values()) + sum(storage.containers.values()),
    containers: [...storage.containers].map(([name, diskBytes]) => ({ name, memoryBytes: 0, diskBytes })),
  };
}
