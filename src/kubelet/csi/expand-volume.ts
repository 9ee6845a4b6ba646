// Expands a volume by its driver.

import { wholeValue } from '../../machinery/quantity.ts';
import { expandVolume } from '../volumes/expand-volume.ts';
import { type CsiTools, secretValues } from './csi-tools.ts';
import type { PersistentCsiVolume } from './csi-volume.ts';
import { capabilityOf } from './volume-step.ts';

/** Paths of the mounted volume. */
interface ExpandedPaths {
  readonly volumePath: string;
  readonly stagingPath: string;
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
