// File systems on disks: made, checked, mounted and grown as Kubernetes does for its own volumes.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { VolumeError } from './volume.ts';

const run = promisify(execFile);

interface Failure extends Error {
  readonly code?: number | string;
  readonly stdout?: string;
  readonly stderr?: string;
}

const outputOf = ({ stdout = '', stderr = '' }: Failure): string => `${stdout}${stderr}`.trim();

/** Exit code of blkid for a disk without a known content. */
const nothingFound = 2;

/** The content of the disk by blkid; undefined: nothing. Partitions have a name that no file system has. */
async function formatOf(device: string): Promise<string | undefined> {
  const asked = ['-p', '-s', 'TYPE', '-s', 'PTTYPE', '-o', 'export', device];
  const found = await run('blkid', asked).catch((error: Failure) => {
    if (error.code === nothingFound) return { stdout: '' };
    throw new VolumeError(`failed to get disk format of disk ${device}: ${outputOf(error) || error.message}`);
  });
  const values = Object.fromEntries(found.stdout.split('\n').map((line) => line.split('=') as [string, string]));
  return values['PTTYPE'] ? 'unknown data, probably partitions' : values['TYPE'];
}

const formatOptions: Readonly<Record<string, readonly string[]>> = {
  ext3: ['-F', '-m0'],
  ext4: ['-F', '-m0'],
  xfs: ['-f'],
};

/** Two pods that find an empty disk at the same time must not both format it. */
const lastUse = new Map<string, Promise<unknown>>();

function inTurn<T>(device: string, work: () => Promise<T>): Promise<T> {
  const result = (lastUse.get(device) ?? Promise.resolve()).then(work);
  const settled = result.catch(() => {});
  lastUse.set(device, settled);
  void settled.then(() => lastUse.get(device) === settled && lastUse.delete(device));
  return result;
}

/** Mounts the disk, and makes a file system of this type first if the disk is empty. */
export const mountDevice = (device: string, target: string, fsType: string, options: readonly string[]) =>
  inTurn(device, async () => {
    const readOnly = options.includes('ro');
    const format = await formatOf(device);
    if (format !== undefined) {
      if (!readOnly) await check(device);
    } else if (readOnly) {
      throw new VolumeError(`cannot mount unformatted disk ${device} as we are manipulating it in read-only mode`);
    } else await makeFileSystem(device, target, fsType, options);
    const all = [...options, 'defaults'].join();
    await run('mount', ['-n', '-t', fsType, '-o', all, '--', device, target]).catch((error: Failure) => {
      throw new VolumeError(
        `local: failed to mount device ${device} at ${target} (fstype: ${fsType}), error ${outputOf(error)}`,
      );
    });
  });

async function makeFileSystem(device: string, target: string, fsType: string, options: readonly string[]) {
  await run(`mkfs.${fsType}`, [...(formatOptions[fsType] ?? []), device]).catch((error: Failure) => {
    const all = [...options, 'defaults'].join(' ');
    throw new VolumeError(
      `format of disk "${device}" failed: type:("${fsType}") target:("${target}") options:("${all}") errcode:(${error.message}) output:(${outputOf(error)}) `,
    );
  });
}

/** Exit code of fsck for errors that it left. */
const errorsUncorrected = 4;

/** The mount decides about all other results, also without fsck. */
async function check(device: string): Promise<void> {
  await run('fsck', ['-a', device]).catch((error: Failure) => {
    if (error.code === errorsUncorrected)
      throw new VolumeError(
        `'fsck' found errors on device ${device} but could not correct them: ${error.stdout}${error.stderr}`,
      );
  });
}

/** Gives the file system all of the disk. */
export async function growFileSystem(device: string, mountedAt: string): Promise<void> {
  const format = await formatOf(device);
  const command = growCommand(format, device, mountedAt);
  if (!command) return;
  const [program, ...given] = command;
  await run(program, given).catch((error: Failure) => {
    throw new VolumeError(
      `resize of device ${program === 'resize2fs' ? device : mountedAt} failed: ${error.message}. ${program} output: ${outputOf(error)}`,
    );
  });
}

/** Undefined: an empty disk gets a file system of its size later. */
function growCommand(format: string | undefined, device: string, at: string): [string, ...string[]] | undefined {
  if (format === undefined) return undefined;
  if (format === 'ext3' || format === 'ext4') return ['resize2fs', device];
  if (format === 'xfs') return ['xfs_growfs', '-d', at];
  if (format === 'btrfs') return ['btrfs', 'filesystem', 'resize', 'max', at];
  throw new VolumeError(
    `ResizeFS.Resize - resize of format ${format} is not supported for device ${device} mounted at ${at}`,
  );
}
