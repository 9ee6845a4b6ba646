// Opens the container runtime that a node of this machine uses, and clears away what one left.

import path from 'node:path';
import {
  type ContainerRuntime,
  createNativeRuntime,
  createSimulatedRuntime,
  destroyNativeRuntime,
} from '../container-runtime/container-runtime.ts';
import type { Assembly, Environment } from './assembly.ts';
import type { ClusterConfig } from './config.ts';

/** State of the native runtime: its sockets need a short path. */
const runtimeRoot = (nodeDirectory: string) => path.join(nodeDirectory, 'rt');

/** Images are shared by the nodes of a cluster. */
export const imageDirectory = (config: Pick<ClusterConfig, 'dataDirectory'>): string =>
  path.join(config.dataDirectory, 'images');

export async function openRuntime(
  config: ClusterConfig,
  nodeDirectory: string,
  { clock, random, logger, behaviour }: Pick<Assembly, keyof Environment | 'behaviour'>,
): Promise<ContainerRuntime> {
  switch (config.runtime) {
    case 'simulated':
      return createSimulatedRuntime({ clock, random, ...(behaviour && { behaviour }) });
    case 'native':
      return createNativeRuntime({
        root: runtimeRoot(nodeDirectory),
        imageDirectory: imageDirectory(config),
        clusterCidrs: [config.clusterCidr],
        clock,
        random,
        logger,
      });
    case 'cri':
      throw new Error(`the cri runtime (${config.criEndpoint}) is not there yet: use --runtime native`);
  }
}

/** Stops and removes every container that the node's runtime made, running or crashed. Images and volumes stay. */
export async function clearRuntime(
  nodeDirectory: string,
  { clock, logger }: Pick<Environment, 'clock' | 'logger'>,
): Promise<void> {
  await destroyNativeRuntime({ root: runtimeRoot(nodeDirectory), clock, logger });
}
