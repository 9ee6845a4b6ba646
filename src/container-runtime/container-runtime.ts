// The room's front door: opens a container runtime, and exports the runtime interface.

import { open } from 'node:fs/promises';
import type { CriOptions } from './cri/cri.ts';
import type { ContainerRuntime } from './interface.ts';
import { RuntimeError } from './runtime-error.ts';

export type { BuiltInProgram, BuiltInRun } from './built-in/program.ts';
export { withBuiltIn } from './built-in/with-built-in.ts';
export { type Cgroups, type Limits, openCgroups, pageSizeName } from './cgroups/cgroups.ts';
export { podsCgroup, qosCgroups, removeEmptyParents, removePodCgroups } from './cgroups/qos-cgroups.ts';
export { openImages } from './images/images.ts';
export { normalizeReference } from './images/reference.ts';
export type * from './interface.ts';
export { meantToEndAnnotation, podUidLabel } from './labels.ts';
export { createNativeRuntime, destroyNativeRuntime } from './native/native.ts';
export { findOciRuntime } from './native/oci/oci-runtime.ts';
export { packetFilter } from './network/packet-filter.ts';
export { PodRoutes, type RemoteNode, removePodRoutes } from './network/pod-routes.ts';
export { closeInherited } from './processes/inherited.ts';
export { silentPath } from './processes/silent-mounts.ts';
export { RuntimeError } from './runtime-error.ts';
export {
  createSimulatedRuntime,
  type SimulatedBehaviour,
  type SimulatedRuntime,
} from './simulated/simulated.ts';

/**
 * Imports a docker-save or OCI archive into containerd. Resolves with the images' names; rejects with
 * RuntimeError('image').
 */
export async function loadIntoCri(endpoint: string, file: string): Promise<readonly string[]> {
  const { importArchive, socketOf } = await import('./cri/import-archive.ts');
  const handle = await open(file).catch((error) => {
    throw new RuntimeError('image', `cannot read ${file}: ${error.message}`, { cause: error });
  });
  return importArchive(socketOf(endpoint), handle.createReadStream(), file);
}

/** Rejects with RuntimeError('unavailable') if the endpoint does not respond. Loaded on demand: gRPC is large. */
export async function createCriRuntime(options: CriOptions): Promise<ContainerRuntime> {
  return (await import('./cri/cri.ts')).createCriRuntime(options);
}
