// Mounts a volume with a file system: once for the node (stage), then for the pod (publish).
// https://github.com/container-storage-interface/spec/blob/master/spec.md#nodestagevolume

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { giveToGroup } from '../volumes/ownership.ts';
import { type CsiTools, csiError } from './csi-tools.ts';
import { attachmentName, type CsiVolume, type PersistentCsiVolume } from './csi-volume.ts';
import type { Mount } from './records.ts';
import { removeMountDirectory, saveVolumeData } from './volume-data.ts';
import {
  beginOperation,
  capabilityOf,
  inStep,
  isFinal,
  podInfo,
  publishContextOf,
  publishSecrets,
  serviceAccountTokens,
  stageSecrets,
} from './volume-step.ts';

/** Resolves with the path. Rejects with StepFailure. Called again for a mounted volume that is to be published again. */
export async function mountVolume(volume: CsiVolume, mount: Mount, tools: CsiTools): Promise<string> {
  if (volume.lifecycle === 'Persistent') {
    await inStep(volume, 'MountVolume.WaitForAttach failed', () => publishContextOf(volume, tools));
    if (tools.records.device(volume)?.state !== 'staged')
      await inStep(volume, 'MountVolume.MountDevice failed', () => stage(volume, tools));
  }
  return inStep(volume, 'MountVolume.SetUp failed', () => publish(volume, mount, tools));
}

async function stage(volume: PersistentCsiVolume, tools: CsiTools): Promise<void> {
  const { driver, handle, specName, pod, source } = volume;
  const { paths, records } = tools;
  const operation = beginOperation(tools, volume, 'attacher.MountDevice failed to create newCsiDriverClient');
  if (!(await operation.has('STAGE_UNSTAGE_VOLUME'))) return;
  const publishContext = await publishContextOf(volume, tools);
  const secrets = await stageSecrets(volume, tools);
  const group = (await operation.has('VOLUME_MOUNT_GROUP')) ? pod.spec.securityContext?.fsGroup : undefined;
  const stagingPath = paths.staging(volume);
  await mkdir(stagingPath, { recursive: true, mode: 0o750 });
  await saveVolumeData(path.dirname(stagingPath), { volumeHandle: handle, driverName: driver });
  const device =
    records.device(volume) ?? records.addDevice({ driver, handle, specName, isBlock: false, state: undefined });
  const wasUncertain = device.state === 'uncertain';
  device.state = 'uncertain';
  try {
    await operation.stage({
      ...{ volumeId: handle, stagingPath, publishContext, secrets },
      ...{ volumeContext: source.volumeAttributes ?? {}, capability: capabilityOf(volume, group) },
    });
    device.state = 'staged';
  } catch (error) {
    // After an uncertain call the volume may be staged although this call failed.
    if (isFinal(error) && !wasUncertain) {
      await removeMountDirectory(stagingPath);
      records.removeDevice(device);
    }
    throw error;
  }
}

async function publish(volume: CsiVolume, mount: Mount, tools: CsiTools): Promise<string> {
  const { driver, handle, specName, pod } = volume;
  const { paths, nodeName } = tools;
  const operation = beginOperation(tools, volume, 'mounter.SetUpAt failed to get CSI client');
  checkLifecycle(volume, tools);
  const policy = tools.driverObject(driver)?.spec.fsGroupPolicy ?? 'ReadWriteOnceWithFSType';
  const isStaged = volume.lifecycle === 'Persistent' && (await operation.has('STAGE_UNSTAGE_VOLUME'));
  const publishContext = volume.lifecycle === 'Persistent' ? await publishContextOf(volume, tools) : {};
  const { secrets, volumeContext } = await contentsOf(volume, tools);
  const group = pod.spec.securityContext?.fsGroup;
  const givesGroup = await operation.has('VOLUME_MOUNT_GROUP');
  const targetPath = paths.target(pod.metadata.uid, specName);
  await saveVolumeData(path.dirname(targetPath), {
    ...{ specVolID: specName, volumeHandle: handle, driverName: driver, nodeName },
    ...{ volumeLifecycleMode: volume.lifecycle, attachmentID: attachmentName(volume, nodeName) },
  });
  const before = mount.state;
  if (before === 'wanted') mount.state = 'uncertain';
  try {
    await operation.publish({
      ...{ volumeId: handle, targetPath, publishContext, secrets, volumeContext, readOnly: volume.readOnly },
      stagingPath: isStaged ? paths.staging(volume) : '',
      capability: capabilityOf(volume, givesGroup ? group : undefined),
    });
  } catch (error) {
    if (isFinal(error) && before === 'wanted') {
      await removeMountDirectory(targetPath);
      mount.state = 'wanted';
    }
    throw error;
  }
  if (group !== undefined && !givesGroup && getsGroup(volume, policy))
    await giveToGroup(targetPath, group, pod.spec.securityContext?.fsGroupChangePolicy).catch((error: Error) => {
      throw new Error(`applyFSGroup failed for vol ${handle}: ${error.message}`);
    });
  return targetPath;
}

/** Secrets and attributes for the driver. */
async function contentsOf(volume: CsiVolume, tools: CsiTools) {
  const given = await publishSecrets(volume, tools);
  const { tokens, areSecrets } = await serviceAccountTokens(volume, tools);
  const attributes = { ...volume.source.volumeAttributes, ...podInfo(volume, tools) };
  return areSecrets
    ? { secrets: { ...given, ...tokens }, volumeContext: attributes }
    : { secrets: given, volumeContext: { ...attributes, ...tokens } };
}

/** https://kubernetes-csi.github.io/docs/ephemeral-local-volumes.html */
function checkLifecycle({ lifecycle, driver }: CsiVolume, { driverObject }: CsiTools): void {
  const modes = driverObject(driver)?.spec.volumeLifecycleModes;
  if (!modes && lifecycle === 'Persistent') return;
  if (modes?.includes(lifecycle)) return;
  const why = modes ? `only supports [${modes.map((mode) => `"${mode}"`).join(' ')}]` : 'no CSIDriver object';
  throw csiError(
    `mounter.SetupAt failed to check volume lifecycle mode: volume mode "${lifecycle}" not supported by driver ${driver} (${why})`,
  );
}

/** https://kubernetes-csi.github.io/docs/support-fsgroup.html */
export function getsGroup(volume: CsiVolume, policy: string): boolean {
  if (policy === 'None' || volume.readOnly) return false;
  if (policy === 'File') return true;
  if (!volume.source.fsType) return false;
  if (volume.lifecycle === 'Ephemeral') return true;
  const modes = volume.volume.spec?.accessModes ?? [];
  return modes.includes('ReadWriteOnce') || modes.includes('ReadWriteOncePod');
}
