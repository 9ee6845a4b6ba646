// The parts from which the native runtime makes containers.

import type { Logger } from '../../../machinery/logger.ts';
import type { Random } from '../../../machinery/random.ts';
import type { Clock } from '../../../machinery/time/clock.ts';
import type { Cgroups } from '../../cgroups/cgroups.ts';
import type { EventHub } from '../../event-hub.ts';
import type { ImageStore } from '../../images/image-store.ts';
import type { OciRuntime } from '../oci/oci-runtime.ts';
import type { NodeFacts } from '../oci/runtime-spec.ts';
import type { ShimClient } from '../shim/shim-client.ts';
import type { StateDirectory } from '../state.ts';

export interface ContainerParts {
  readonly state: StateDirectory;
  readonly images: ImageStore;
  readonly cgroups: Cgroups;
  readonly runtime: OciRuntime;
  readonly node: NodeFacts;
  /** Directories of the Container Device Interface. */
  readonly cdiDirectories: readonly string[];
  readonly shim: ShimClient;
  readonly hub: EventHub;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
