// Brings a block volume to a pod as a device: staged once for the node, published for the pod.

import { mkdir, realpath, rm, rmdir, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { CsiTools } from './csi-tools.ts';
import { attachmentName, type PersistentCsiVolume } from './csi-volume.ts';
import type { Mount } from './records.ts';
import { missing, saveVolumeData } from './volume-data.ts';
import {
  beginOperation,
  capabilityOf,
  inStep,
  isFinal,
  podInfo,
  publishContextOf,
  publishSecrets,
  stageSecrets,
} from './volume-step.ts';

/** Resolves with the path of the device. Rejects with StepFailure. */
export async function mapVolume(volume: PersistentCsiVolume, mount: Mount, tools: CsiTools): Promise<string> {
  const { driver, handle, specName } = volume;
  const { paths, records, nodeName } = tools;
  await inStep(volume, 'MapVolume.NewBlockVolumeMapper initialization failed', () =>
    saveVolumeData(paths.blockData(specName), {
      ...{ specVolID: specName, volumeHandle: handle, driverName: driver, nodeName },
      attachmentID: attachmentName(volume, nodeName),
    }),
  );
  await inStep(volume, 'MapVolume.WaitForAttach failed', () => publishContextOf(volume, tools));
  if (!records.device(volume)) records.addDevice({ driver, handle, specName, isBlock: true, state: undefined });
  if (records.device(volume)?.state !== 'staged')
    await inStep(volume, 'MapVolume.SetUpDevice failed', () => stage(volume, tools));
  const device = await inStep(volume, 'MapVolume.MapPodDevice failed', () => publish(volume, mount, tools));
  return inStep(volume, 'MapVolume.MapBlockVolume failed', () => link(volume, device, tools));
}

async function stage(volume: PersistentCsiVolume, tools: CsiTools): Promise<void> {
  const { handle, specName, source } = volume;
  const { paths, records } = tools;
  const device = records.device(volume);
  const operation = beginOperation(tools, volume, 'blockMapper.SetUpDevice failed to get CSI client');
  if (!device || !(await operation.has('STAGE_UNSTAGE_VOLUME'))) return;
  const publishContext = await publishContextOf(volume, tools);
  const secrets = await stageSecrets(volume, tools);
  const stagingPath = paths.blockStaging(specName);
  await mkdir(stagingPath, { recursive: true, mode: 0o750 });
  const wasUncertain = device.state === 'uncertain';
  device.state = 'uncertain';
  try {
    await operation.stage({
      ...{ volumeId: handle, stagingPath, publishContext, secrets },
      ...{ volumeContext: source.volumeAttributes ?? {}, capability: capabilityOf(volume) },
    });
    device.state = 'staged';
  } catch (error) {
    if (isFinal(error) && !wasUncertain) {
      device.state = undefined;
      await rmdir(stagingPath).catch(missing);
    }
    throw error;
  }
}

async function publish(volume: PersistentCsiVolume, mount: Mount, tools: CsiTools): Promise<string> {
  const { handle, specName, pod, source } = volume;
  const { paths } = tools;
  const operation = beginOperation(tools, volume, 'blockMapper.MapPodDevice failed to get CSI client');
  const publishContext = await publishContextOf(volume, tools);
  const secrets = await publishSecrets(volume, tools);
  const targetPath = paths.blockTarget(pod.metadata.uid, specName);
  await mkdir(path.dirname(targetPath), { recursive: true, mode: 0o750 });
  const before = mount.state;
  if (before === 'wanted') mount.state = 'uncertain';
  try {
    await operation.publish({
      ...{ volumeId: handle, targetPath, publishContext, secrets, readOnly: volume.readOnly },
      // Always given, as Kubernetes does for block volumes.
      stagingPath: paths.blockStaging(specName),
      volumeContext: { ...source.volumeAttributes, ...podInfo(volume, tools) },
      capability: capabilityOf(volume),
    });
  } catch (error) {
    if (isFinal(error) && before === 'wanted') mount.state = 'wanted';
    throw error;
  }
  return targetPath;
}

/** A link in the pod's directory names the device. A driver may answer anything: it must be a block device. */
async function link({ pod, specName }: PersistentCsiVolume, target: string, { paths }: CsiTools): Promise<string> {
  const device = await realpath(target);
  if (!(await stat(device)).isBlockDevice()) throw new Error(`${target} is not a block device`);
  const at = paths.podDevice(pod.metadata.uid, specName);
  await mkdir(path.dirname(at), { recursive: true, mode: 0o750 });
  await rm(at, { force: true });
  await symlink(device, at);
  return at;
}
