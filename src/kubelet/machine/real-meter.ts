// Measures this machine: its memory, disks and processes, and the disk usage of its pods.

import { execFile } from 'node:child_process';
import { readFile, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Pod } from '../../api/api.ts';
import type { ContainerRuntime, ContainerStats } from '../../container-runtime/container-runtime.ts';
import { must } from '../../machinery/must.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { KubeletConfig } from '../config.ts';
import type { Observation, Observations } from '../eviction/pressure.ts';
import { logDirectory } from '../files/pod-paths.ts';
import type { PodCgroups } from '../resources/pod-cgroups.ts';
import { fileSystemUsage, interfaceUsage, nodeUsage } from '../stats/node-usage.ts';
import { emptyDirDirectory, podDirectories } from '../volumes/volumes.ts';
import type { NodeMeter, StorageUsage } from './machine.ts';

export interface MeterParts {
  readonly config: KubeletConfig;
  readonly clock: Clock;
  readonly runtime: Pick<ContainerRuntime, 'imageDirectory'>;
  readonly cgroups?: Pick<PodCgroups, 'memoryOfPods'>;
}

/** Measuring one pod takes at most this time. */
const longestScanMs = 300_000;

export function realMeter(parts: MeterParts): NodeMeter {
  const { rootDirectory } = parts.config;
  let found: Promise<FileSystems> | undefined;
  const fileSystems = () => (found ??= fileSystemsOf(parts));
  return {
    usage: nodeUsage,
    network: interfaceUsage,
    fileSystem: () => fileSystemUsage(rootDirectory),
    observe: async () => observe(parts, await fileSystems()),
    hasImageFileSystem: async () => (await fileSystems()).isSeparate,
    storage: (pod, containers, signal) => storageOf(parts.config, pod, containers, signal),
    inodes: (pod, containers, signal) => inodesOf(parts.config, pod, containers, signal),
  };
}

/** Directories on the file systems of images and containers, and of the node's other files. */
interface FileSystems {
  readonly images: string;
  /** Images have a separate file system. */
  readonly isSeparate: boolean;
}

async function fileSystemsOf({ config, runtime }: MeterParts): Promise<FileSystems> {
  const node = config.rootDirectory;
  const images = (await runtime.imageDirectory?.().catch(() => undefined)) ?? node;
  const [deviceOfNode, deviceOfImages] = await Promise.all([node, images].map(deviceOf));
  return { images, isSeparate: deviceOfImages !== undefined && deviceOfImages !== deviceOfNode };
}

const deviceOf = (directory: string): Promise<number | undefined> =>
  stat(directory).then(
    ({ dev }) => dev,
    () => undefined,
  );

async function observe({ config, cgroups }: MeterParts, fileSystems: FileSystems): Promise<Observations> {
  const [usage, node, images, pids] = await Promise.all([
    nodeUsage(),
    disk(config.rootDirectory),
    disk(fileSystems.images),
    processes(),
  ]);
  const ofPods = cgroups?.memoryOfPods();
  return {
    'memory.available': { available: usage.memoryAvailableBytes, capacity: config.capacity.memoryBytes },
    ...(ofPods && { 'allocatableMemory.available': ofPods }),
    ...(node && { 'nodefs.available': node.bytes, 'nodefs.inodesFree': node.inodes }),
    ...(images && { 'imagefs.available': images.bytes, 'imagefs.inodesFree': images.inodes }),
    ...(pids && { 'pid.available': pids }),
  };
}

async function disk(directory: string): Promise<{ bytes: Observation; inodes?: Observation } | undefined> {
  const found = await statfs(directory).catch(() => undefined);
  if (!found) return undefined;
  const { bsize, blocks, bavail, files, ffree } = found;
  return {
    bytes: { available: bavail * bsize, capacity: blocks * bsize },
    // btrfs and others have no fixed number of inodes.
    ...(files > 0 && { inodes: { available: ffree, capacity: files } }),
  };
}

async function processes(): Promise<Observation | undefined> {
  const read = (name: string) => readFile(`/proc/${name}`, 'utf8').catch(() => '');
  const [load, pidMax, threadsMax] = await Promise.all(
    ['loadavg', 'sys/kernel/pid_max', 'sys/kernel/threads-max'].map(read),
  );
  const running = Number(/\/(\d+) /.exec(load)?.[1]);
  const capacity = Math.min(Number(pidMax), Number(threadsMax));
  return running > 0 && capacity > 0 ? { available: capacity - running, capacity } : undefined;
}

type Directories = Pick<KubeletConfig, 'rootDirectory' | 'podLogsDirectory'>;

/** The directory of a container's writable layer, where the runtime does not measure it. */
const layerDirectories = (containers: readonly ContainerStats[]): string[] =>
  containers.flatMap(({ writableLayer: layer }) => (layer && 'directory' in layer ? [layer.directory] : []));

async function storageOf(
  { rootDirectory, podLogsDirectory }: Directories,
  pod: Pod,
  stats: readonly ContainerStats[],
  signal: AbortSignal,
): Promise<StorageUsage> {
  const directories = podDirectories(rootDirectory, pod.metadata.uid);
  const emptyDirs = (pod.spec.volumes ?? []).filter((v) => v.emptyDir).map((v) => v.name);
  const logs = logDirectory(podLogsDirectory, pod);
  const statsOf = (name: string) => stats.filter((s) => s.name === name).slice(-1);
  const containers = pod.spec.containers.map((c) => c.name);
  const directoriesOf = new Map<string, readonly string[]>([
    ...emptyDirs.map((name): [string, string[]] => [`v/${name}`, [emptyDirDirectory(directories, name)]]),
    ...containers.map((name): [string, string[]] => [
      `c/${name}`,
      [path.join(logs, name), ...layerDirectories(statsOf(name))],
    ]),
  ]);
  const used = await diskUsage([...directoriesOf.values()].flat(), signal);
  const sum = (key: string) => must(directoriesOf.get(key), key).reduce((total, at) => total + (used.get(at) ?? 0), 0);
  const layerBytes = (name: string) => {
    const [layer] = statsOf(name).map((s) => s.writableLayer);
    return layer && 'usedBytes' in layer ? layer.usedBytes : 0;
  };
  return {
    emptyDirs: new Map(emptyDirs.map((name) => [name, sum(`v/${name}`)])),
    containers: new Map(containers.map((name) => [name, sum(`c/${name}`) + layerBytes(name)])),
  };
}

/**
 * Disk usage in bytes below each directory. du(1) runs in a separate process, at the lowest CPU priority, relative to
 * descriptors, without following links or crossing file systems; a tree that exceeds the time limit is not counted.
 */
export async function diskUsage(
  directories: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  if (directories.length === 0) return new Map();
  const lines = await du(['-skx', '--', ...directories], signal);
  return new Map(lines.flatMap(([amount, directory]) => (directory ? [[directory, amount * 1024]] : [])));
}

async function inodesOf(
  { rootDirectory, podLogsDirectory }: Directories,
  pod: Pod,
  containers: readonly ContainerStats[],
  signal: AbortSignal,
): Promise<number> {
  const volumes = podDirectories(rootDirectory, pod.metadata.uid).disk;
  const directories = [volumes, logDirectory(podLogsDirectory, pod), ...layerDirectories(containers)];
  const lines = await du(['-sx', '--inodes', '--', ...directories], signal);
  return lines.reduce((sum, [amount]) => sum + amount, 0);
}

/** Files that disappear meanwhile make du fail; its output is still valid. */
function du(args: readonly string[], signal: AbortSignal): Promise<(readonly [amount: number, directory: string])[]> {
  const options = { signal, timeout: longestScanMs, maxBuffer: 2 ** 20 };
  return new Promise((resolve) =>
    execFile('nice', ['-n', '19', 'du', ...args], options, (_error, stdout) => {
      const lines = stdout.split('\n').map((line) => /^(\d+)\t(.*)$/.exec(line));
      resolve(lines.flatMap((match) => (match ? [[Number(match[1]), match[2]] as const] : [])));
    }),
  );
}
