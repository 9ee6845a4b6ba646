import type { Container, Pod } from '../../api/api.ts';
import type { ContainerResources, Image } from '../../container-runtime/container-runtime.ts';
import type { Allocation } from '../device-plugins/device-state.ts';
import type { MountedVolume } from '../volumes/volumes.ts';
import type { Variable } from './environment.ts';

/** A container with everything that its configuration is made from. */
export interface ContainerInputs {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  readonly image: Image;
  readonly environment: readonly Variable[];
  /** By volume name. */
  readonly volumes: ReadonlyMap<string, MountedVolume>;
  readonly podIPs: readonly string[];
  /** Devices of plugins. */
  readonly allocations?: readonly Allocation[];
  /** Its CPUs and NUMA nodes. */
  readonly placement?: Pick<ContainerResources, 'cpusetCpus' | 'cpusetMems'>;
  /** CDI devices of its resource claims. */
  readonly claimDevices?: readonly string[];
  /** The container whose processes an ephemeral container sees. */
  readonly targetContainerId?: string;
}
