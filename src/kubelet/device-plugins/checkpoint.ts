// The devices of containers, on disk: they stay with their containers when the kubelet restarts.

import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import type { Allocation } from './device-state.ts';

interface Content {
  readonly resources: readonly string[];
  readonly allocations: readonly Allocation[];
}

/** As Kubernetes names it. */
const fileName = 'kubelet_internal_checkpoint';

const checksum = (data: unknown): string => createHash('sha256').update(JSON.stringify(data)).digest('hex');

export async function writeCheckpoint(directory: string, data: Content): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o750 });
  const file = path.join(directory, fileName);
  const handle = await open(`${file}.tmp`, 'w', 0o600);
  try {
    await handle.writeFile(JSON.stringify({ data, checksum: checksum(data) }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.tmp`, file);
}

/** Undefined without a file. Throws an Error for a damaged one. */
export async function readCheckpoint(directory: string): Promise<Content | undefined> {
  const text = await readFile(path.join(directory, fileName), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  if (text === undefined) return undefined;
  const { data, checksum: expected } = JSON.parse(text) as { data: Content; checksum: string };
  if (checksum(data) !== expected) throw new Error(`checkpoint ${fileName} is corrupted`);
  return data;
}
