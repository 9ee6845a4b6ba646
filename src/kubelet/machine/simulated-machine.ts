// The machine of a simulated node: no files, no kernel. The scripts of its pods define their resource usage.

import path from 'node:path';
import type { Volume } from '../../api/api.ts';
import type { ContainerRuntime, ContainerStats } from '../../container-runtime/container-runtime.ts';
import type { KubeletConfig } from '../config.ts';
import { idsPerPod } from '../containers/user-namespaces.ts';
import type { Machine, NodeMeter, PodFiles, TerminationReader, VolumeSources } from './machine.ts';

/** A simulated node has all features that a real one may have. */
export const simulatedMachine = (
  config: Pick<KubeletConfig, 'capacity' | 'usedStorageBytes'>,
  runtime: Pick<ContainerRuntime, 'memoryUsageBytes'>,
): Machine => ({ files, meter: simulatedMeter(config, runtime), hasAppArmor: true });

const noMessages: TerminationReader = { of: async (_pod, containers) => containers };

const files: PodFiles = {
  refreshesVolumes: false,
  prepare: async () => {},
  makeDirectory: async () => {},
  async setUpVolumes({ spec }, sources) {
    const volumes = spec.volumes ?? [];
    for (const volume of volumes) {
      const missing = await missingSource(volume, sources);
      if (missing) throw new Error(`MountVolume.SetUp failed for volume "${volume.name}" : ${missing} not found`);
    }
    return new Map(volumes.map(({ name }) => [name, { path: `/simulated/${name}`, readOnly: false }]));
  },
  releaseVolumes: async () => {},
  remove: async () => {},
  removeLogs: async () => {},
  removeLog: async () => {},
  subPath: async (_uid, { volumePath, subPath }) => path.join(volumePath, subPath),
  extraMounts: async () => [],
  terminationMessages: () => noMessages,
  resizeRecord: () => ({ read: () => undefined, write: async () => {} }),
  userNamespace: ({ spec }) =>
    spec.hostUsers === false ? { userNamespace: { hostId: idsPerPod, length: idsPerPod } } : {},
};

/** A simulated node makes no files, but waits for the sources of volumes as other nodes do. */
async function missingSource(volume: Volume, sources: VolumeSources): Promise<string | undefined> {
  const { configMap, secret, projected } = volume;
  // Nearly all pods have the token volume, and all namespaces have its sources.
  if (volume.name.startsWith('kube-api-access-')) return undefined;
  for (const source of projected?.sources ?? [
    { configMap, secret: secret && { ...secret, name: secret.secretName } },
  ]) {
    const { configMap: map, secret: key } = source;
    if (map?.name && !map.optional && !(await sources.configMap(map.name))) return `configmap "${map.name}"`;
    if (key?.name && !key.optional && !(await sources.secret(key.name))) return `secret "${key.name}"`;
  }
  return undefined;
}

function simulatedMeter(
  {
    capacity: { memoryBytes, ephemeralStorageBytes },
    usedStorageBytes,
  }: Pick<KubeletConfig, 'capacity' | 'usedStorageBytes'>,
  runtime: Pick<ContainerRuntime, 'memoryUsageBytes'>,
): NodeMeter {
  const sum = (containers: readonly ContainerStats[], amount: 'cpuNanoseconds' | 'memoryWorkingSetBytes') =>
    containers.reduce((total, each) => total + each[amount], 0);
  return {
    async usage(containers) {
      const memoryWorkingSetBytes = sum(containers, 'memoryWorkingSetBytes');
      return {
        cpuNanoseconds: sum(containers, 'cpuNanoseconds'),
        ...{ memoryWorkingSetBytes, memoryAvailableBytes: memoryBytes - memoryWorkingSetBytes, bootedAt: 0 },
      };
    },
    fileSystem: async () => undefined,
    async observe() {
      const memory = { available: memoryBytes - (runtime.memoryUsageBytes?.() ?? 0), capacity: memoryBytes };
      const disk = usedStorageBytes && {
        'nodefs.available': { available: ephemeralStorageBytes - usedStorageBytes(), capacity: ephemeralStorageBytes },
      };
      return { 'memory.available': memory, 'allocatableMemory.available': memory, ...disk };
    },
    hasImageFileSystem: async () => false,
    storage: async () => undefined,
    inodes: async () => undefined,
  };
}
