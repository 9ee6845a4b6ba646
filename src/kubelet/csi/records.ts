// The CSI volumes that this node has, or may have: the mounts of pods, and the devices that are staged for them. After
// a restart they are read from the data files.

import path from 'node:path';
import { namesIn } from '../files/names-in.ts';
import { isMountPoint } from '../volumes/mounts.ts';
import { type CsiPaths, type CsiVolume, uniqueName } from './csi-volume.ts';
import { loadVolumeData, type VolumeData } from './volume-data.ts';

/** `wanted`: the driver was not called yet. `uncertain`: a call has no clear result. */
type MountState = 'wanted' | 'uncertain' | 'mounted';

export interface Mount {
  readonly uid: string;
  readonly specName: string;
  readonly driver: string;
  readonly handle: string;
  readonly isPersistent: boolean;
  readonly isBlock: boolean;
  state: MountState;
  /** By the pod's spec: known once this kubelet has set it up. */
  use?: { readonly volume: string; readonly namespace: string; readonly claim?: string };
  /** An earlier kubelet mounted it, and the driver has not confirmed it since. */
  isRecovered: boolean;
}

export interface Device {
  readonly driver: string;
  readonly handle: string;
  readonly specName: string;
  readonly isBlock: boolean;
  /** Undefined: only its files were made. */
  state: 'uncertain' | 'staged' | undefined;
}

/** Operations with the same key must not run at the same time. */
export const turnOf = ({
  uid,
  specName,
  isPersistent,
  ...volume
}: Omit<Mount, 'state' | 'isRecovered' | 'use'>): string => (isPersistent ? uniqueName(volume) : `${uid}/${specName}`);

export class CsiRecords {
  readonly #mounts = new Map<string, Mount>();
  /** By unique name. */
  readonly #devices = new Map<string, Device>();

  /** The record of the pod's volume, made if it is missing. */
  want({ pod, specName, driver, handle, lifecycle, isBlock }: CsiVolume): Mount {
    const { uid } = pod.metadata;
    const key = `${uid}/${specName}`;
    const existing = this.#mounts.get(key);
    if (existing) return existing;
    const mount: Mount = {
      ...{ uid, specName, driver, handle, isBlock },
      ...{ isPersistent: lifecycle === 'Persistent', state: 'wanted', isRecovered: false },
    };
    this.#mounts.set(key, mount);
    return mount;
  }

  forget(mount: Mount): void {
    const key = `${mount.uid}/${mount.specName}`;
    if (this.#mounts.get(key) === mount) this.#mounts.delete(key);
  }

  mount(uid: string, specName: string): Mount | undefined {
    return this.#mounts.get(`${uid}/${specName}`);
  }

  /** All, or those of one pod. */
  mounts(uid?: string): Mount[] {
    return [...this.#mounts.values()].filter((mount) => uid === undefined || mount.uid === uid);
  }

  device(volume: { readonly driver: string; readonly handle: string }): Device | undefined {
    return this.#devices.get(uniqueName(volume));
  }

  devices(): Device[] {
    return [...this.#devices.values()];
  }

  addDevice(device: Device): Device {
    this.#devices.set(uniqueName(device), device);
    return device;
  }

  removeDevice(device: Device): void {
    this.#devices.delete(uniqueName(device));
  }

  /** The mounts of a persistent volume. */
  mountsOf(volume: { readonly driver: string; readonly handle: string }): Mount[] {
    const name = uniqueName(volume);
    return this.mounts().filter((mount) => mount.isPersistent && uniqueName(mount) === name);
  }

  /** For node.status.volumesInUse; `attaches` by the driver's name. */
  inUse(attaches: (driver: string) => boolean): string[] {
    const persistent = [...this.mounts().filter(({ isPersistent }) => isPersistent), ...this.devices()];
    return [...new Set(persistent.filter(({ driver }) => attaches(driver)).map(uniqueName))].sort();
  }

  /** Reads the records that an earlier kubelet left. */
  async recover(paths: CsiPaths): Promise<void> {
    for (const uid of await namesIn(paths.pods)) {
      for (const specName of await namesIn(paths.podVolumes(uid)))
        await this.#recoverMount(paths, uid, specName, await loadVolumeData(paths.podVolume(uid, specName)), false);
      for (const specName of await namesIn(paths.podDevices(uid)))
        await this.#recoverMount(paths, uid, specName, await loadVolumeData(paths.blockData(specName)), true);
    }
    for (const specName of await namesIn(path.join(paths.blocks, 'publish')))
      for (const uid of await namesIn(path.join(paths.blocks, 'publish', specName)))
        await this.#recoverMount(paths, uid, specName, await loadVolumeData(paths.blockData(specName)), true);
    await this.#recoverDevices(paths);
  }

  async #recoverMount(
    paths: CsiPaths,
    uid: string,
    specName: string,
    data: VolumeData | undefined,
    isBlock: boolean,
  ): Promise<void> {
    if (!data || this.mount(uid, specName)) return;
    const { driverName: driver, volumeHandle: handle, volumeLifecycleMode } = data;
    const target = isBlock ? paths.blockTarget(uid, specName) : paths.target(uid, specName);
    const isMounted = await isMountPoint(target).catch(() => false);
    this.#mounts.set(`${uid}/${specName}`, {
      ...{ uid, specName, driver, handle, isBlock, isPersistent: volumeLifecycleMode !== 'Ephemeral' },
      ...{ state: isMounted ? 'mounted' : 'uncertain', isRecovered: true },
    });
  }

  async #recoverDevices(paths: CsiPaths): Promise<void> {
    for (const driver of await namesIn(paths.plugin)) {
      if (driver === 'volumeDevices') continue;
      for (const name of await namesIn(path.join(paths.plugin, driver))) {
        const data = await loadVolumeData(path.join(paths.plugin, driver, name));
        if (data) this.#recoverDevice(data, '', false);
      }
    }
    for (const specName of await namesIn(paths.blocks)) {
      const data = await loadVolumeData(paths.blockData(specName));
      if (data) this.#recoverDevice(data, specName, true);
    }
  }

  #recoverDevice({ driverName: driver, volumeHandle: handle }: VolumeData, specName: string, isBlock: boolean): void {
    // Staging is idempotent: the next mount of the volume repeats it.
    if (!this.device({ driver, handle })) this.addDevice({ driver, handle, specName, isBlock, state: 'uncertain' });
  }
}
