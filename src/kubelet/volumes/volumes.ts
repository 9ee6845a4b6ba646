// All volume plugins, and the volumes of one pod.

import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { PersistentVolume, Pod, Volume } from '../../api/api.ts';
import { silentPath } from '../../container-runtime/container-runtime.ts';
import { onNode } from '../plugins/kubelet-directory.ts';
import type { BoundVolume } from './claims.ts';
import { emptyDir, hostPath } from './directories.ts';
import { local } from './local.ts';
import { isMountPoint, mountMemory, mountsBelow, shareMounts, unmountBelow } from './mounts.ts';
import { nfs } from './nfs.ts';
import { inline } from './persistent-source.ts';
import { configMap, downwardAPI, projected, secret } from './sources.ts';
import { subPathDirectory } from './sub-paths.ts';
import { type MountedVolume, type VolumeContext, VolumeError, type VolumePlugin, type VolumeSource } from './volume.ts';

export type { MountedVolume } from './volume.ts';

const plugins: readonly VolumePlugin[] = [emptyDir, hostPath, configMap, secret, downwardAPI, projected, local, nfs];

/** Directories of a pod's files: on disk, and (secrets, tokens) in memory. */
interface PodDirectories {
  readonly disk: string;
  readonly memory: string;
}

/** Volumes are at <pod directory>/volumes/kubernetes.io~<plugin>/<volume name>. */
const directoryOf = ({ disk, memory }: PodDirectories, plugin: VolumePlugin, name: string) =>
  path.join(plugin.inMemory ? memory : disk, 'volumes', `kubernetes.io~${pluginName(plugin)}`, name);

export const emptyDirDirectory = (directories: PodDirectories, name: string): string =>
  directoryOf(directories, emptyDir, name);

/** Kubernetes' name of the plugin. */
const pluginName = ({ source }: VolumePlugin) => (source === 'local' ? 'local-volume' : kebab(source as string));

const kebab = (name: string) => name.replace('API', 'Api').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Creates or updates all volumes of a pod. Resolves with them by name. Throws VolumeError. */
export async function setUpVolumes(
  pod: Pod,
  directories: PodDirectories,
  context: Omit<
    VolumeContext,
    'directory' | 'podDirectory' | 'pod' | 'volumeName' | 'readOnly' | 'mountOptions' | 'isBlock' | 'countFile'
  >,
  claimed: ReadonlyMap<string, BoundVolume> = new Map(),
): Promise<ReadonlyMap<string, MountedVolume>> {
  const volumes = new Map<string, MountedVolume>();
  const countFile = fileCounter();
  const found = (pod.spec.volumes ?? []).map((given) => {
    const bound = claimed.get(given.name);
    const volume = bound ? inline(bound.volume, given.name) : onThisNode(given, directories);
    const plugin = pluginFor(volume);
    return { given, bound, volume, plugin, directory: directoryOf(directories, plugin, volume.name) };
  });
  // A server may stop to answer at any time, and calls of this process would wait for it.
  const silent = await silentPath(found.flatMap(({ volume, directory }) => pathsOf(volume, directory)));
  for (const { given, bound, volume, plugin, directory } of found) {
    const readOnly = bound?.readOnly ?? false;
    const isBlock = bound?.volume.spec?.volumeMode === 'Block';
    try {
      const own = pathsOf(volume, directory);
      if (silent !== undefined && own.includes(silent))
        throw new VolumeError(`the file system of ${silent} does not answer`);
      const at = await plugin.setUp(volume, {
        ...{ ...context, pod, volumeName: volume.name, countFile },
        ...{ podDirectory: directories.disk, directory },
        ...{ readOnly, isBlock, mountOptions: bound?.volume.spec?.mountOptions ?? [] },
      });
      volumes.set(volume.name, { path: at, readOnly: plugin.readOnly ?? readOnly, ...(isBlock && { isDevice: true }) });
    } catch (error) {
      throw new VolumeError(
        `MountVolume.SetUp failed for volume "${bound?.volume.metadata.name ?? given.name}" : ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }
  return volumes;
}

/** The paths that setting up the volume reads. */
const pathsOf = ({ hostPath: node, local: disk }: VolumeSource, directory: string): readonly string[] =>
  [directory, node?.path, disk?.path].filter((each) => each !== undefined);

/** One Secret may be named by thousands of files, which are in memory that no limit of the pod covers. */
const mostBytes = 64 << 20;
const pageBytes = 4096;

function fileCounter(): (bytes: number) => void {
  let left = mostBytes;
  return (bytes) => {
    left -= Math.max(pageBytes, bytes);
    if (left < 0)
      throw new VolumeError(`the files of ConfigMaps, Secrets and other sources have more than ${mostBytes} bytes`);
  };
}

/** Uses the space that the volume got. False: its source does not grow on nodes. */
export async function growVolume(
  volume: PersistentVolume,
  name: string,
  directories: PodDirectories,
): Promise<boolean> {
  const source = inline(volume, name);
  const plugin = pluginFor(source);
  if (!plugin.grow) return false;
  const directory = directoryOf(directories, plugin, name);
  await plugin.grow(source, { directory, isBlock: volume.spec?.volumeMode === 'Block' });
  return true;
}

/** A hostPath below the kubelet's standard directory leads to this kubelet's. */
function onThisNode(volume: Volume, { disk }: PodDirectories): Volume {
  if (!volume.hostPath) return volume;
  const rootDirectory = path.dirname(path.dirname(disk));
  return { ...volume, hostPath: { ...volume.hostPath, path: onNode(rootDirectory, volume.hostPath.path) } };
}

function pluginFor(volume: VolumeSource): VolumePlugin {
  const plugin = plugins.find((p) => volume[p.source] !== undefined);
  if (plugin) return plugin;
  const source = Object.keys(volume).find((key) => key !== 'name');
  throw new VolumeError(
    `volume "${volume.name}": no volume plugin matched: this node does not support ${source} volumes`,
  );
}

/** Removes a pod's volumes with their content, and no other files of the pod. Works on partial state. */
export async function releaseVolumes(directories: PodDirectories): Promise<void> {
  const { disk, memory } = directories;
  await unmountBelow(disk);
  // Removing a directory with a mount would delete the files behind the mount.
  const [left] = await mountsBelow(disk);
  if (left) throw new Error(`cannot remove the volumes of a pod: ${left} is still mounted`);
  for (const plugin of plugins) {
    if (!plugin.tearDown) continue;
    const parent = path.dirname(directoryOf(directories, plugin, 'x'));
    for (const name of await readdir(parent).catch(() => [])) await plugin.tearDown(path.join(parent, name));
  }
  for (const directory of ['volumes', 'volumeDevices', 'plugins']
    .map((name) => path.join(disk, name))
    .concat(subPathDirectory(disk), memory))
    await rm(directory, { recursive: true, force: true });
}

/** Takes down a pod's volumes and removes the pod's directories. */
export async function tearDownVolumes(directories: PodDirectories): Promise<void> {
  await releaseVolumes(directories);
  await rm(directories.disk, { recursive: true, force: true });
}

const memoryRoot = (rootDirectory: string) => path.join(rootDirectory, 'memory');

export const podDirectories = (rootDirectory: string, uid: string): PodDirectories => ({
  disk: path.join(rootDirectory, 'pods', uid),
  memory: path.join(memoryRoot(rootDirectory), uid),
});

/** Makes the directories of all pods, which only root may enter. One tmpfs is cheaper than one for each secret. */
export async function prepareVolumes(rootDirectory: string): Promise<void> {
  for (const name of ['pods', 'plugins', 'plugins_registry'])
    await mkdir(path.join(rootDirectory, name), { recursive: true, mode: 0o750 });
  const memory = memoryRoot(rootDirectory);
  await shareMounts(rootDirectory);
  await mkdir(memory, { recursive: true, mode: 0o750 });
  if (!(await isMountPoint(memory))) await mountMemory(memory, 0o750);
}

/** Removes all mounts of a kubelet below its root directory: secrets are gone then, other volumes stay. */
export const unmountVolumes = (rootDirectory: string): Promise<void> => unmountBelow(rootDirectory);

/** Uids of the pods that have a directory. */
export const podUids = (rootDirectory: string): Promise<string[]> =>
  readdir(path.join(rootDirectory, 'pods')).catch(() => []);
