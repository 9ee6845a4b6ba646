// Takes a volume from a pod (unpublish), and from the node after its last pod (unstage).
// https://github.com/container-storage-interface/spec/blob/master/spec.md#nodeunpublishvolume

import { rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { mountsBelow } from '../volumes/mounts.ts';
import { type CsiTools, csiError } from './csi-tools.ts';
import type { Device, Mount } from './records.ts';
import { loadVolumeData, missing, removeMountDirectory } from './volume-data.ts';

/** Rejects while the driver cannot do it. */
export async function unmountFromPod(mount: Mount, tools: CsiTools): Promise<void> {
  const { uid, specName, driver, handle, isBlock } = mount;
  const { paths } = tools;
  if (isBlock) await rm(paths.podDevice(uid, specName), { force: true });
  if (mount.state === 'wanted') return;
  const target = isBlock ? paths.blockTarget(uid, specName) : paths.target(uid, specName);
  const fail = (why: string): never => {
    throw csiError(
      isBlock ? `blockMapper.unpublishVolumeForBlock failed: ${why}` : `Unmounter.TearDownAt failed: ${why}`,
    );
  };
  await begin(tools, driver, isBlock ? 'blockMapper.UnmapPodDevice' : 'Unmounter.TearDownAt')
    .unpublish(handle, target)
    .catch((error: Error) => fail(error.message));
  if (!isBlock) await removeMountDirectory(target);
}

/** Rejects while the driver cannot do it. */
export async function unmountFromNode(device: Device, tools: CsiTools): Promise<void> {
  if (device.isBlock) return unmapDevice(device, tools);
  const { driver, handle } = device;
  const { paths } = tools;
  if (!(await loadVolumeData(paths.stagingDirectory(device)))) return;
  const staging = paths.staging(device);
  const operation = begin(tools, driver, 'attacher.UnmountDevice');
  if (await operation.has('STAGE_UNSTAGE_VOLUME'))
    await operation.unstage(handle, staging).catch((error: Error) => {
      throw csiError(`attacher.UnmountDevice failed: ${error.message}`);
    });
  await removeMountDirectory(staging);
}

async function unmapDevice({ driver, handle, specName }: Device, tools: CsiTools): Promise<void> {
  const { paths } = tools;
  const staging = paths.blockStaging(specName);
  const isStaged = await stat(staging).then(
    () => true,
    () => false,
  );
  if (isStaged) {
    const operation = begin(tools, driver, 'blockMapper.TearDownDevice');
    if (await operation.has('STAGE_UNSTAGE_VOLUME'))
      await operation.unstage(handle, staging).catch((error: Error) => {
        throw csiError(`blockMapper.unstageVolumeForBlock failed: ${error.message}`);
      });
    await removeUnmounted(staging);
  }
  await rmdir(path.dirname(paths.blockTarget('x', specName))).catch(missing);
  await removeUnmounted(paths.block(specName));
}

/** Removing a mount would delete the files behind it. */
async function removeUnmounted(directory: string): Promise<void> {
  const [mount] = await mountsBelow(directory);
  if (mount) throw csiError(`cannot remove ${directory}: ${mount} is mounted`);
  await rm(directory, { recursive: true, force: true });
}

function begin({ drivers }: CsiTools, driver: string, step: string) {
  try {
    return drivers.operation(driver);
  } catch (error) {
    throw csiError(`${step} failed to get CSI client: ${(error as Error).message}`);
  }
}
