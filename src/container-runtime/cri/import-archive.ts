// CRI can pull images but not import them: archives reach containerd through its client `ctr`.

import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { RuntimeError } from '../runtime-error.ts';

export const socketOf = (endpoint: string): string => endpoint.replace(/^unix:(\/\/)?/, '');

/**
 * Imports a docker-save or OCI archive into containerd; `what` is its name in messages. Resolves with the names of its
 * images. Rejects with RuntimeError('image') without `ctr`, for other runtimes than containerd, or if the import fails.
 */
export async function importArchive(
  socket: string,
  archive: Readable,
  archiveName: string,
): Promise<readonly string[]> {
  const ctr = spawn('ctr', ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', '-']);
  let stdout = '';
  let stderr = '';
  ctr.stdout.on('data', (chunk) => (stdout += chunk));
  ctr.stderr.on('data', (chunk) => (stderr += chunk));
  ctr.stdin.on('error', () => {}); // it ended before reading all input: the exit code shows the error
  archive.on('error', (error) => ctr.stdin.destroy(error));
  archive.pipe(ctr.stdin);
  const code = await new Promise<number | string | null>((resolve) => {
    ctr.on('error', (error) => resolve(error.message));
    ctr.on('close', resolve);
  });
  if (code !== 0)
    throw new RuntimeError(
      'image',
      `cannot bring ${archiveName} into the runtime at ${socket} with ctr: ${stderr.trim() || code}`,
    );
  return [...stdout.matchAll(/^unpacking (\S+) /gm)].map(([, name]) => name);
}
