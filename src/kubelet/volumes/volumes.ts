// All volume plugins, and the volumes of one pod.

import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Pod, Volume } from '../../api/api.ts';
import { emptyDir, hostPath } from './directories.ts';
import { configMap, downwardAPI, projected, secret } from './sources.ts';
import { type VolumeContext, VolumeError, type VolumePlugin } from './volume.ts';

const plugins: readonly VolumePlugin[] = [emptyDir, hostPath, configMap, secret, downwardAPI, projected];

/** Volumes lie at <pod directory>/volumes/kubernetes.io~<plugin>/<volume name>. */
const directoryOf = (podDirectory: string, plugin: VolumePlugin, name: string) =>
  path.join(podDirectory, 'volumes', `kubernetes.io~${kebab(plugin.source as string)}`, name);

const kebab = (name: string) => name.replace('API', 'Api').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Makes all of a pod's volumes, or brings them up to date. Returns volume name to host path. Throws VolumeError. */
export async function setUpVolumes(
  pod: Pod,
  podDirectory: string,
  context: Omit<VolumeContext, 'directory' | 'pod'>,
): Promise<ReadonlyMap<string, string>> {
  const paths = new Map<string, string>();
  for (const volume of pod.spec.volumes ?? []) {
    const plugin = pluginFor(volume);
    const directory = directoryOf(podDirectory, plugin, volume.name);
    try {
      paths.set(volume.name, await plugin.setUp(volume, { ...context, pod, directory }));
    } catch (error) {
      throw new VolumeError(`MountVolume.SetUp failed for volume "${volume.name}" : ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  return paths;
}

function pluginFor(volume: Volume): VolumePlugin {
  const plugin = plugins.find((p) => volume[p.source] !== undefined);
  if (plugin) return plugin;
  const source = Object.keys(volume).find((key) => key !== 'name');
  throw new VolumeError(
    `volume "${volume.name}": no volume plugin matched: this node does not support ${source} volumes`,
  );
}

/** Takes down what a pod's volumes mounted and removes the pod's directory. Works when half is gone. */
export async function tearDownVolumes(podDirectory: string): Promise<void> {
  for (const plugin of plugins) {
    if (!plugin.tearDown) continue;
    const parent = path.dirname(directoryOf(podDirectory, plugin, 'x'));
    for (const name of await readdir(parent).catch(() => [])) await plugin.tearDown(path.join(parent, name));
  }
  await rm(podDirectory, { recursive: true, force: true });
}
