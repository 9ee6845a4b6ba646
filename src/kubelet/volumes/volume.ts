// A volume plugin: one file each behind one function (docs/design.md, idea 5).

import type { ConfigMap, LocalVolumeSource, Pod, Secret, Volume } from '../../api/api.ts';
import type { EnvironmentSources } from '../containers/environment.ts';

/** A pod's volume; of a claim, with the source of the persistent volume. */
export type VolumeSource = Volume & { readonly local?: LocalVolumeSource };

export interface VolumeContext {
  readonly pod: Pod;
  readonly podDirectory: string;
  readonly volumeName: string;
  /** The directory of this volume of this pod. */
  readonly directory: string;
  /** The claim is used for reading only. */
  readonly readOnly: boolean;
  /** Of a persistent volume. */
  readonly mountOptions: readonly string[];
  /** Containers use the volume as a device. */
  readonly isBlock: boolean;
  configMap(name: string): Promise<ConfigMap | undefined>;
  secret(name: string): Promise<Secret | undefined>;
  /** A token for the pod's service account, renewed before it runs out. */
  serviceAccountToken(audience: string | undefined, expirationSeconds: number): Promise<string>;
  readonly fields: Pick<EnvironmentSources, 'podIPs' | 'hostIPs' | 'nodeName' | 'allocatable'>;
  /** Counts a file that the kubelet writes for the pod. Throws VolumeError when all of them have too many bytes. */
  countFile(bytes: number): void;
  /** An event of the pod, which goes on. */
  warn(reason: string, message: string): void;
}

/** Creates or updates the volume: called again while the pod runs. Returns the path to mount. */
type SetUp = (volume: VolumeSource, context: VolumeContext) => Promise<string>;

export interface VolumePlugin {
  /** The field of a volume that selects this plugin. */
  readonly source: keyof VolumeSource;
  readonly setUp: SetUp;
  /** Containers only read it: the kubelet writes its files. */
  readonly readOnly?: boolean;
  /** Its contents never reach a disk: they are on a tmpfs of the kubelet. */
  readonly inMemory?: boolean;
  /** Uses the space that a mounted persistent volume got; absent: its source does not grow on nodes. */
  readonly grow?: (volume: VolumeSource, context: Pick<VolumeContext, 'directory' | 'isBlock'>) => Promise<void>;
  /** Removes the volume's remains. Called without mounts below `directory`. */
  readonly tearDown?: (directory: string) => Promise<void>;
}

/** A volume as containers mount it. */
export interface MountedVolume {
  readonly path: string;
  readonly readOnly: boolean;
  /** A block volume: `path` leads to its device. */
  readonly isDevice?: boolean;
}

/** The volume cannot be made now: event FailedMount, and another try later. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
}
