// One CSI volume of one pod, its names, and its places on the node: those of Kubernetes, which drivers expect.
// https://kubernetes.io/docs/concepts/storage/volumes/#csi

import { createHash } from 'node:crypto';
import path from 'node:path';
import {
  type CSIPersistentVolumeSource,
  csiAttachmentText,
  csiVolumeName,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type Volume,
} from '../../api/api.ts';
import type { BoundVolume } from '../volumes/claims.ts';

type InlineSource = NonNullable<Volume['csi']>;

interface Common {
  readonly pod: Pod;
  /** In the pod's spec. */
  readonly name: string;
  /** Name of the PersistentVolume, or of the pod's inline volume. */
  readonly specName: string;
  readonly driver: string;
  readonly handle: string;
  readonly isBlock: boolean;
  readonly readOnly: boolean;
}

export type CsiVolume = PersistentCsiVolume | InlineCsiVolume;

export interface PersistentCsiVolume extends Common {
  readonly lifecycle: 'Persistent';
  readonly source: CSIPersistentVolumeSource;
  readonly volume: PersistentVolume;
  readonly claim: PersistentVolumeClaim;
}

interface InlineCsiVolume extends Common {
  readonly lifecycle: 'Ephemeral';
  readonly source: InlineSource;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const inlineHandle = (podUid: string, name: string): string => `csi-${sha256(`${podUid}${name}`)}`;

export const attachmentName = (volume: Pick<Common, 'driver' | 'handle'>, nodeName: string): string =>
  `csi-${sha256(csiAttachmentText({ driver: volume.driver, volumeHandle: volume.handle }, nodeName))}`;

/** The name of the volume in node.status and in the turns of operations; an inline one has no part in node.status. */
export const uniqueName = ({ driver, handle }: Pick<Common, 'driver' | 'handle'>): string =>
  csiVolumeName({ driver, volumeHandle: handle });

/** The pod's CSI volumes; `claimed` by the name of the pod's volume. */
export function csiVolumesOf(pod: Pod, claimed: ReadonlyMap<string, BoundVolume>): CsiVolume[] {
  return (pod.spec.volumes ?? []).flatMap(({ name, csi }): CsiVolume[] => {
    const bound = claimed.get(name);
    const source = bound?.volume.spec?.csi;
    if (bound && source) {
      const { volume, claim, readOnly } = bound;
      const { driver, volumeHandle: handle } = source;
      const isBlock = volume.spec?.volumeMode === 'Block';
      const specName = volume.metadata.name;
      return [
        { lifecycle: 'Persistent', pod, name, specName, driver, handle, isBlock, readOnly, source, volume, claim },
      ];
    }
    if (!csi || bound) return [];
    const { driver, readOnly = false } = csi;
    const handle = inlineHandle(pod.metadata.uid, name);
    return [
      { lifecycle: 'Ephemeral', pod, name, specName: name, driver, handle, isBlock: false, readOnly, source: csi },
    ];
  });
}

/** Directories of the kubelet that hold CSI volumes. */
export class CsiPaths {
  readonly #root: string;

  constructor(rootDirectory: string) {
    this.#root = rootDirectory;
  }

  get pods(): string {
    return path.join(this.#root, 'pods');
  }

  podDirectory(uid: string): string {
    return path.join(this.pods, uid);
  }

  /** Has the data file of each of the pod's mounted volumes, in a directory of the volume's name. */
  podVolumes(uid: string): string {
    return path.join(this.podDirectory(uid), 'volumes', 'kubernetes.io~csi');
  }

  podVolume(uid: string, specName: string): string {
    return path.join(this.podVolumes(uid), specName);
  }

  /** Where the driver mounts a volume for a pod. */
  target(uid: string, specName: string): string {
    return path.join(this.podVolume(uid, specName), 'mount');
  }

  /** Has links to the devices of the pod's block volumes. */
  podDevices(uid: string): string {
    return path.join(this.podDirectory(uid), 'volumeDevices', 'kubernetes.io~csi');
  }

  podDevice(uid: string, specName: string): string {
    return path.join(this.podDevices(uid), specName);
  }

  get plugin(): string {
    return path.join(this.#root, 'plugins', 'kubernetes.io', 'csi');
  }

  /** Has the data file of a staged volume. */
  stagingDirectory({ driver, handle }: Pick<Common, 'driver' | 'handle'>): string {
    return path.join(this.plugin, driver, sha256(handle));
  }

  staging(volume: Pick<Common, 'driver' | 'handle'>): string {
    return path.join(this.stagingDirectory(volume), 'globalmount');
  }

  get blocks(): string {
    return path.join(this.plugin, 'volumeDevices');
  }

  block(specName: string): string {
    return path.join(this.blocks, specName);
  }

  /** Has the data file of a block volume. */
  blockData(specName: string): string {
    return path.join(this.block(specName), 'data');
  }

  blockStaging(specName: string): string {
    return path.join(this.blocks, 'staging', specName);
  }

  blockTarget(uid: string, specName: string): string {
    return path.join(this.blocks, 'publish', specName, uid);
  }
}
