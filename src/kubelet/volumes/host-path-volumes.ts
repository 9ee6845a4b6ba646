// The directories of the default StorageClass on this node. They are made when a pod first mounts the volume, and
// removed on request of the provisioner.

import { mkdir, open, readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { hostPathProvisioner, hostPathVolumeName, type PersistentVolume, volumeAnnotations } from '../../api/api.ts';
import type { Logger } from '../../machinery/logger.ts';
import { makeDirectoriesBeneath, openBeneath, orMissing } from '../files/safe-path.ts';
import { mountsBelow } from './mounts.ts';
import { removeTree } from './remove-tree.ts';
import { VolumeError } from './volume.ts';

/** Any user of a container may write to its volume. */
const volumeMode = 0o777;
/** Users of the machine do not reach the volumes. */
const parentMode = 0o700;
/** Volumes that are being removed. No name of a volume begins with a dot. */
const removedName = '.removed';

export class HostPathVolumes {
  readonly #directory: string;
  readonly #logger: Logger;
  /** A volume that was removed is never made again: its name has the uid of its claim. */
  readonly #removed = new Set<string>();
  /** Makes and removes one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #removal: Promise<void> | undefined;

  constructor(directory: string, logger: Logger) {
    this.#directory = directory;
    this.#logger = logger;
  }

  /** Completes the removals that an earlier process began. */
  async start(): Promise<void> {
    await mkdir(path.join(this.#directory, removedName), { recursive: true, mode: parentMode });
    void this.#removeInBackground();
  }

  /** Resolves when the removal in progress has ended. */
  async stop(): Promise<void> {
    await this.#last.catch(() => {});
    await this.#removal;
  }

  /** Makes the volume's directory if the volume is one of these. */
  async ensure(volume: PersistentVolume): Promise<void> {
    const { name, annotations } = volume.metadata;
    if (annotations?.[volumeAnnotations.provisionedBy] !== hostPathProvisioner) return;
    const expected = path.join(this.#directory, name);
    const given = volume.spec?.hostPath?.path;
    if (!hostPathVolumeName.test(name) || given !== expected)
      throw new VolumeError(
        `the directory of volume ${name} is ${given}, and this node has its volumes in ${this.#directory}`,
      );
    await this.#inTurn(async () => {
      if (this.#removed.has(name)) throw new VolumeError(`volume ${name} was deleted`);
      await makeDirectoriesBeneath(this.#directory, name, volumeMode);
      // A link or a file in its place was not made here.
      const handle = await openBeneath(this.#directory, name);
      const isDirectory = (await handle.stat()).isDirectory();
      await handle.close();
      if (!isDirectory) throw new VolumeError(`${expected} is not a directory`);
    });
  }

  /**
   * Removes the volume. Resolves when no crash of the process or the machine can bring the directory back; its files
   * may take longer. A name that does not exist is removed already.
   */
  remove(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const from = path.join(this.#directory, name);
      const [mount] = await mountsBelow(from);
      if (mount) throw new VolumeError(`volume ${name} cannot be removed: ${mount} is mounted`);
      this.#removed.add(name);
      const to = path.join(this.#directory, removedName, name);
      await rename(from, to).catch(orMissing);
      for (const directory of [path.dirname(to), this.#directory]) await flush(directory);
      void this.#removeInBackground();
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.catch(() => {}).then(work);
    this.#last = result;
    return result;
  }

  #removeInBackground(): Promise<void> {
    const before = this.#removal ?? Promise.resolve();
    this.#removal = before.then(async () => {
      const parent = path.join(this.#directory, removedName);
      for (const name of await readdir(parent).catch(() => []))
        await removeTree(path.join(parent, name)).catch((error) =>
          this.#logger.warn('cannot remove the files of a deleted volume', { volume: name, error: String(error) }),
        );
    });
    return this.#removal;
  }
}

async function flush(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  await handle.sync();
  await handle.close();
}
