// The machine's resource usage, from the kernel.

import { readFile, statfs } from 'node:fs/promises';

export interface NodeUsage {
  /** Since the machine started. */
  readonly cpuNanoseconds: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryAvailableBytes: number;
  /** Milliseconds since the epoch. */
  readonly bootedAt: number;
}

const nanosecondsPerTick = 1e7; // USER_HZ is 100 on every Linux

export async function nodeUsage(): Promise<NodeUsage> {
  const [stat, meminfo] = await Promise.all(['/proc/stat', '/proc/meminfo'].map((file) => readFile(file, 'utf8')));
  return { ...cpuOf(stat), ...memoryOf(meminfo) };
}

/** Busy time of all processors: user, nice, system, irq, softirq, steal; not idle and iowait. */
export function cpuOf(stat: string): Pick<NodeUsage, 'cpuNanoseconds' | 'bootedAt'> {
  const [, ...ticks] = (/^cpu .*$/m.exec(stat)?.[0] ?? '').split(/\s+/).map(Number);
  const busy = [0, 1, 2, 5, 6, 7].reduce((sum, field) => sum + (ticks[field] ?? 0), 0);
  return {
    cpuNanoseconds: busy * nanosecondsPerTick,
    bootedAt: Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0) * 1000,
  };
}

export function memoryOf(meminfo: string): Pick<NodeUsage, 'memoryWorkingSetBytes' | 'memoryAvailableBytes'> {
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
  const available = of('MemAvailable');
  return { memoryWorkingSetBytes: Math.max(0, of('MemTotal') - available), memoryAvailableBytes: available };
}

/** In the terms of stats/v1alpha1 FsStats. */
export interface FileSystemUsage {
  readonly availableBytes: number;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly inodesFree: number;
  readonly inodes: number;
  readonly inodesUsed: number;
}

/** Of the file system that the directory is on. */
export async function fileSystemUsage(directory: string): Promise<FileSystemUsage> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(directory);
  return {
    availableBytes: bavail * bsize,
    capacityBytes: blocks * bsize,
    usedBytes: (blocks - bfree) * bsize,
    inodesFree: ffree,
    inodes: files,
    inodesUsed: files - ffree,
  };
}

/** Counters of one network interface since it was made. */
export interface InterfaceUsage {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

/** Of the network namespace of a process, without the loopback; none when the process has ended. */
export async function interfaceUsage(pid: number): Promise<InterfaceUsage[]> {
  return interfacesOf(await readFile(`/proc/${pid}/net/dev`, 'utf8').catch(() => ''));
}

/** https://docs.kernel.org/filesystems/proc.html (net/dev): 8 columns received, 8 sent. */
export function interfacesOf(text: string): InterfaceUsage[] {
  return [...text.matchAll(/^ *(\S+):((?: +\d+){16}) *$/gm)].flatMap(([, name, columns]) => {
    const [rxBytes, rxPackets, rxErrors, rxDropped, , , , , txBytes, txPackets, txErrors, txDropped] = columns
      .trim()
      .split(/ +/)
      .map(Number);
    const received = { rxBytes, rxPackets, rxErrors, rxDropped };
    return name === 'lo' ? [] : [{ name, ...received, txBytes, txPackets, txErrors, txDropped }];
  });
}
