// The kernel's table of connections: its size, and how long it remembers TCP connections.
// Defaults of kube-proxy's --conntrack-* flags: https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../machinery/logger.ts';

const maxPerCore = 32_768;
const leastMax = 131_072;
const mostMax = 1_048_576;
const establishedSeconds = 24 * 3_600;
const closeWaitSeconds = 3_600;
/** Connections for each bucket of the table. */
const perBucket = 4;

interface ConntrackFiles {
  /** Directory of the settings of netfilter. */
  readonly settings: string;
  /** Number of buckets. */
  readonly hashSize: string;
}

const machineFiles: ConntrackFiles = {
  settings: '/proc/sys/net/netfilter',
  hashSize: '/sys/module/nf_conntrack/parameters/hashsize',
};

/** Entries that the table should hold. */
export const tableSize = (cores: number): number => Math.min(mostMax, Math.max(leastMax, maxPerCore * cores));

/**
 * The size is only raised: the machine may need more for other programs. Settings that cannot be changed (in a container,
 * or in a separate network namespace) stay, with a warning.
 */
export async function setConntrack(cores: number, logger: Logger, files: ConntrackFiles = machineFiles): Promise<void> {
  const size = tableSize(cores);
  const setting = (name: string) => path.join(files.settings, `nf_conntrack_${name}`);
  const steps: readonly [file: string, value: number, isEnough: (present: number) => boolean][] = [
    [setting('max'), size, (present) => present >= size],
    [files.hashSize, size / perBucket, (present) => present >= size / perBucket],
    [setting('tcp_timeout_established'), establishedSeconds, (present) => present === establishedSeconds],
    [setting('tcp_timeout_close_wait'), closeWaitSeconds, (present) => present === closeWaitSeconds],
  ];
  for (const [file, value, isEnough] of steps)
    try {
      if (!isEnough(Number(await readFile(file, 'utf8')))) await writeFile(file, String(value));
    } catch (error) {
      logger.warn('setting of tracked connections not changed', { file, value, error: String(error) });
    }
}
