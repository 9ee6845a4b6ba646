// Expands a volume by its driver.

import { wholeValue } from '../../machinery/quantity.ts';
import { expandVolume } from '../volumes/expand-volume.ts';
import { type CsiTools, secretValues } from './csi-tools.ts';
import type { CsiPaths, PersistentCsiVolume } from './csi-volume.ts';
import { capabilityOf } from './volume-step.ts';

/** Paths of the mounted volume. */
interface ExpandedPaths {
  readonly volumePath: string;
  readonly stagingPath: string;
}

/** As the driver knows them: a device by the path where it published it. */
export function expandedPaths(
  volume: Pick<PersistentCsiVolume, 'pod' | 'specName' | 'driver' | 'handle' | 'isBlock'>,
  paths: CsiPaths,
): ExpandedPaths {
  const { specName, pod, isBlock } = volume;
  const { uid } = pod.metadata;
  if (isBlock) return { volumePath: paths.blockTarget(uid, specName), stagingPath: paths.blockStaging(specName) };
  return { volumePath: paths.target(uid, specName), stagingPath: paths.staging(volume) };
}

/** Rejects when it must be repeated. */
export const expandCsiVolume = (volume: PersistentCsiVolume, at: ExpandedPaths, tools: CsiTools): Promise<void> =>
  expandVolume(volume, (size) => callDriver(volume, size, at, tools), tools);

/** False: the driver does not expand volumes on nodes. */
async function callDriver(
  volume: PersistentCsiVolume,
  size: string,
  { volumePath, stagingPath }: ExpandedPaths,
  tools: CsiTools,
): Promise<boolean> {
  const operation = tools.drivers.operation(volume.driver);
  if (!(await operation.has('EXPAND_VOLUME'))) return false;
  const reference = volume.source.nodeExpandSecretRef;
  const secrets = reference ? await secretValues(tools, 'NodeExpandSecretRef', reference) : {};
  const capability = { ...capabilityOf(volume), mountOptions: volume.volume.spec?.mountOptions ?? [] };
  const requiredBytes = wholeValue(size);
  await operation.expand({ volumeId: volume.handle, volumePath, stagingPath, requiredBytes, capability, secrets });
  return true;
}
