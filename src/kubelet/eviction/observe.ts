// Measures a node's available resources, and its pods' usage.

import { execFile } from 'node:child_process';
import { readFile, stat, statfs } from 'node:fs/promises';
import { logDirectory } from '../containers/container-config.ts';
import { nodeUsage } from '../stats/node-usage.ts';
import type { KubeletTools } from '../tools.ts';
import { podDirectories } from '../volumes/volumes.ts';
import { measureStorage } from './local-storage.ts';
import type { Observation, Observations } from './pressure.ts';
import type { Candidate, PodUsage } from './ranking.ts';
import type { StarvedResource } from './thresholds.ts';

/** Directories on the file system of images and containers, and on that of the node's other files. */
export interface NodeFileSystems {
  readonly nodefs?: string;
  readonly imagefs?: string;
  /** Whether images have a separate file system. */
  readonly isDedicated: boolean;
}

export async function fileSystemsOf({ config, runtime }: KubeletTools): Promise<NodeFileSystems> {
  if (!config.usesFilesystem) return { isDedicated: false };
  const nodefs = config.rootDirectory;
  const imagefs = (await runtime.imageDirectory?.().catch(() => undefined)) ?? nodefs;
  const [node, images] = await Promise.all([nodefs, imagefs].map(deviceOf));
  return { nodefs, imagefs, isDedicated: images !== undefined && images !== node };
}

const deviceOf = (directory: string): Promise<number | undefined> =>
  stat(directory).then(
    ({ dev }) => dev,
    () => undefined,
  );

export async function observe(tools: KubeletTools, { nodefs, imagefs }: NodeFileSystems): Promise<Observations> {
  const { config, runtime } = tools;
  const { memoryBytes } = config.capacity;
  if (!config.usesFilesystem) {
    const used = runtime.memoryUsageBytes?.() ?? 0;
    const memory = { available: memoryBytes - used, capacity: memoryBytes };
    return { 'memory.available': memory, 'allocatableMemory.available': memory };
  }
  const [usage, node, images, pids] = await Promise.all([nodeUsage(), disk(nodefs), disk(imagefs), processes()]);
  const ofPods = tools.cgroups?.memoryOfPods();
  return {
    'memory.available': { available: usage.memoryAvailableBytes, capacity: memoryBytes },
    ...(ofPods && { 'allocatableMemory.available': ofPods }),
    ...(node && { 'nodefs.available': node.bytes, 'nodefs.inodesFree': node.inodes }),
    ...(images && { 'imagefs.available': images.bytes, 'imagefs.inodesFree': images.inodes }),
    ...(pids && { 'pid.available': pids }),
  };
}

async function disk(directory: string | undefined): Promise<{ bytes: Observation; inodes?: Observation } | undefined> {
  const found = directory && (await statfs(directory).catch(() => undefined));
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

const nothing: PodUsage = { memoryBytes: 0, diskBytes: 0, inodes: 0, processes: 0, containers: [] };

/** Disk usage is measured only if a disk is short. */
export async function withUsage<P extends Pick<Candidate, 'pod'>>(
  pods: readonly P[],
  resource: StarvedResource,
  tools: KubeletTools,
  signal: AbortSignal,
): Promise<(P & Candidate)[]> {
  const stats = await tools.runtime.containerStats();
  const found: (P & Candidate)[] = [];
  for (const each of pods) {
    const { pod } = each;
    const { containers } = tools.cache.get(pod.metadata.uid);
    const names = new Map(containers.map(({ id, name }) => [id, name]));
    const own = stats.filter(({ id }) => names.has(id));
    const containerUsages = own.map((s) => ({ name: s.name, memoryBytes: s.memoryWorkingSetBytes, diskBytes: 0 }));
    const memoryBytes = own.reduce((sum, s) => sum + s.memoryWorkingSetBytes, 0);
    let usage: PodUsage | undefined =
      own.length > 0 ? { ...nothing, memoryBytes, containers: containerUsages } : undefined;
    if (resource === 'pids' && usage) usage = { ...usage, processes: tools.cgroups?.processCount(pod) ?? 0 };
    if (resource === 'ephemeral-storage' && tools.config.usesFilesystem) {
      const storage = await measureStorage(tools, pod, own, signal);
      const sum = (amounts: Iterable<number>) => [...amounts].reduce((total, amount) => total + amount, 0);
      usage = {
        ...(usage ?? nothing),
        diskBytes: sum(storage.emptyDirs.values()) + sum(storage.containers.values()),
        containers: [...storage.containers].map(([name, diskBytes]) => ({ name, memoryBytes: 0, diskBytes })),
      };
    }
    if (resource === 'inodes' && tools.config.usesFilesystem) {
      const layers = own.flatMap(({ writableLayer }) =>
        writableLayer && 'directory' in writableLayer ? [writableLayer.directory] : [],
      );
      const { disk: volumes } = podDirectories(tools.config.rootDirectory, pod.metadata.uid);
      const logs = logDirectory(tools.config.podLogsDirectory, pod);
      usage = { ...(usage ?? nothing), inodes: await inodesBelow([volumes, logs, ...layers], signal) };
    }
    found.push({ ...each, usage });
  }
  return found;
}

const longestScanMs = 300_000;

function inodesBelow(directories: readonly string[], signal: AbortSignal): Promise<number> {
  const options = { signal, timeout: longestScanMs, maxBuffer: 2 ** 20 };
  return new Promise((resolve) =>
    execFile('nice', ['-n', '19', 'du', '-sx', '--inodes', '--', ...directories], options, (_error, stdout) =>
      resolve(stdout.split('\n').reduce((sum, line) => sum + (Number.parseInt(line, 10) || 0), 0)),
    ),
  );
}
