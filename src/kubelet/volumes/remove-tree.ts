// Removes container files of any number and depth.

import { execFile } from 'node:child_process';
import { rmdir } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * rm(1) walks by descriptors: links do not redirect it, a path longer than PATH_MAX does not stop it, and millions of
 * names do not fill this process' memory. The mounts below `directory` must be gone.
 */
export async function removeTree(directory: string): Promise<void> {
  try {
    await rmdir(directory); // mostly it is empty
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    await run('rm', ['-rf', '--', directory]);
  }
}
