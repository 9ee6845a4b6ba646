// Gives a volume's files to the pod's group (fsGroup), as Kubernetes does for volumes that it manages.
// https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#configure-volume-permission-and-ownership-change-policy-for-pods

import { constants } from 'node:fs';
import { chmod, chown, type FileHandle, lchown, open, readdir } from 'node:fs/promises';
import { directoryOnly, pathOf } from '../files/safe-path.ts';

const groupReads = 0o660;
const groupEnters = 0o110;
const setGroup = 0o2000;
/** O_PATH | O_NOFOLLOW: refers to a link itself, and opens no device. */
const anyFile = 0x20_0000 | constants.O_NOFOLLOW;

/** Containers may change the files meanwhile: each is changed through its open directory, and links are not followed. */
export async function giveToGroup(directory: string, group: number, policy: string | undefined): Promise<void> {
  const root = await open(directory, directoryOnly & ~constants.O_NOFOLLOW);
  try {
    if (policy === 'OnRootMismatch' && (await isGroups(root, group))) return;
    await giveBelow(root, group);
    // Last, so that an interrupted run is seen by the next one.
    await give(root, pathOf(root), group);
  } finally {
    await root.close();
  }
}

async function isGroups(root: FileHandle, group: number): Promise<boolean> {
  const { gid, mode } = await root.stat();
  const wanted = groupReads | groupEnters | setGroup;
  return gid === group && (mode & wanted) === wanted;
}

async function giveBelow(parent: FileHandle, group: number): Promise<void> {
  for (const name of await readdir(pathOf(parent), { encoding: 'buffer' })) {
    const path = Buffer.concat([Buffer.from(`${pathOf(parent)}/`), name]);
    const handle = await open(path, anyFile).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return undefined; // removed meanwhile
    });
    if (!handle) continue;
    try {
      if ((await handle.stat()).isDirectory()) await giveBelow(handle, group);
      await give(handle, path, group);
    } finally {
      await handle.close();
    }
  }
}

async function give(handle: FileHandle, path: string | Buffer, group: number): Promise<void> {
  const before = await handle.stat();
  // Through /proc/self/fd the change reaches the open file, even after a rename.
  if (before.isSymbolicLink()) return lchown(path, before.uid, group);
  await chown(pathOf(handle), before.uid, group);
  const bits = before.isDirectory() ? groupReads | groupEnters | setGroup : groupReads;
  await chmod(pathOf(handle), (before.mode & 0o7777) | bits);
}
