// Opens the container runtime of a node of this machine, and removes a runtime's remains.

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type ContainerRuntime,
  createCriRuntime,
  createNativeRuntime,
  createSimulatedRuntime,
  destroyNativeRuntime,
} from '../container-runtime/container-runtime.ts';
import { removeServices } from '../kube-proxy/kube-proxy.ts';
import { clearKubelet } from '../kubelet/kubelet.ts';
import { must } from '../machinery/must.ts';
import { type ClusterConfig, machineName, type RunConfig } from './config.ts';
import type { Environment, PartContext } from './context.ts';
import { list } from './settings/setting-values.ts';

/** State of the native runtime: its sockets need a short path. */
const runtimeRoot = (nodeDirectory: string) => path.join(nodeDirectory, 'rt');

/** State of the pods that are parts of the node. */
export const addOnState = (nodeDirectory: string): string => path.join(nodeDirectory, 'add-ons.json');

export const kubeletRoot = (nodeDirectory: string): string => path.join(nodeDirectory, 'kubelet');

/** Images are shared by the nodes of a cluster. */
export const imageDirectory = (config: Pick<ClusterConfig, 'dataDirectory'>): string =>
  path.join(config.dataDirectory, 'images');

/** The last runtime of a node: stored in its directory, so that `down` finds it after a crash. */
export interface RuntimeRecord {
  readonly runtime: ClusterConfig['runtime'];
  /** Socket of the runtime, with `cri`. */
  readonly endpoint?: string;
  /** Under which this node's sandboxes are found among those of others, with `cri`. */
  readonly owner?: string;
}

const recordFile = (nodeDirectory: string) => path.join(nodeDirectory, 'runtime.json');

/** Undefined when no runtime was ever opened here. */
export async function readRuntimeRecord(nodeDirectory: string): Promise<RuntimeRecord | undefined> {
  const text = await readFile(recordFile(nodeDirectory), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as RuntimeRecord);
}

export async function openRuntime(
  config: RunConfig,
  nodeDirectory: string,
  environment: Pick<PartContext, keyof Environment | 'behaviour'>,
): Promise<ContainerRuntime> {
  const { clock, random, logger, behaviour } = environment;
  if (config.runtime === 'simulated') return createSimulatedRuntime({ clock, random, ...(behaviour && { behaviour }) });
  const record = recordOf(config, nodeDirectory);
  const before = await readRuntimeRecord(nodeDirectory);
  // The previous runtime's containers of this node would be orphaned.
  if (before && JSON.stringify(before) !== JSON.stringify(record)) await clearRuntime(nodeDirectory, environment);
  await writeRecord(nodeDirectory, record);
  if (config.runtime === 'cri') return createCriRuntime(criOptions(record, config, environment));
  return createNativeRuntime({
    root: runtimeRoot(nodeDirectory),
    imageDirectory: imageDirectory(config),
    clusterCidrs: list(config.clusterCidr),
    ...(config.ociRuntime && { ociRuntime: config.ociRuntime }),
    clock,
    random,
    logger,
  });
}

function recordOf({ runtime, criEndpoint }: RunConfig, nodeDirectory: string): RuntimeRecord {
  if (runtime !== 'cri') return { runtime };
  // Several clusters may share one containerd, and each may have a node of the same name.
  const owner = `${path.basename(nodeDirectory)}-${createHash('sha256').update(nodeDirectory).digest('hex').slice(0, 8)}`;
  return { runtime, endpoint: criEndpoint.includes('://') ? criEndpoint : `unix://${criEndpoint}`, owner };
}

async function writeRecord(nodeDirectory: string, record: RuntimeRecord): Promise<void> {
  await mkdir(nodeDirectory, { recursive: true });
  const file = recordFile(nodeDirectory);
  await writeFile(`${file}.new`, `${JSON.stringify(record)}\n`);
  await rename(`${file}.new`, file);
}

const criOptions = (
  { endpoint, owner }: RuntimeRecord,
  config: Pick<ClusterConfig, 'dataDirectory'>,
  { clock, random }: Pick<Environment, 'clock' | 'random'>,
) => ({
  endpoint: must(endpoint, 'endpoint'),
  owner: must(owner, 'owner'),
  imageDirectory: imageDirectory(config),
  clock,
  random,
});

/**
 * Stops and removes every container that the node's runtime made, running or crashed. Images and volumes stay. Rejects
 * if a CRI runtime does not respond: its containers may still run.
 */
export async function clearRuntime(
  nodeDirectory: string,
  environment: Pick<Environment, 'clock' | 'random' | 'logger'>,
): Promise<void> {
  const record = await readRuntimeRecord(nodeDirectory);
  if (record?.runtime === 'cri') {
    const dataDirectory = path.dirname(path.dirname(nodeDirectory));
    const runtime = await createCriRuntime(criOptions(record, { dataDirectory }, environment));
    await runtime.destroyAll?.().finally(() => runtime.close());
  }
  await destroyNativeRuntime({ root: runtimeRoot(nodeDirectory), ...environment });
  await rm(addOnState(nodeDirectory), { force: true });
  await clearKubelet(kubeletRoot(nodeDirectory));
}

/** Removes the service proxies of this machine. */
export const clearServices = (cluster: Pick<ClusterConfig, 'name' | 'dataDirectory'>): Promise<void> =>
  removeServices(machineName(cluster));
