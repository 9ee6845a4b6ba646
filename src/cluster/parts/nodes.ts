// The nodes of this machine: a container runtime and a kubelet each.

import { readFile, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { kubernetesVersion, simulatedVolumeDirectory } from '../../api/api.ts';
import { cutClient, type RunningComponent } from '../../client/client.ts';
import type { ContainerRuntime } from '../../container-runtime/container-runtime.ts';
import { type KubeletConfig, machineHugePages, type RunningKubelet, startKubelet } from '../../kubelet/kubelet.ts';
import { type AddOnRuntime, withAddOns } from '../add-ons/add-ons.ts';
import { firstAddresses } from '../addresses/addresses.ts';
import type { RunConfig } from '../config.ts';
import { componentContext } from '../context.ts';
import { identities } from '../identities.ts';
import type { NodeHandle, NodePartContext } from '../node-part.ts';
import { addOnState, clearServices, kubeletRoot, openRuntime } from '../runtime.ts';
import { chosenConfig } from '../settings/kubelet-config.ts';

interface NodesPart extends RunningComponent {
  readonly nodes: ReadonlyMap<string, NodeHandle>;
}

/** The port that Kubernetes gives the kubelet; the second node of a machine takes a free one. */
const kubeletPort = 10250;
/** Nodes that start at one time. */
const startsAtOnce = 100;

export async function startNodes(context: NodePartContext): Promise<NodesPart> {
  // The rules of a former proxy would contradict those of the one that takes its place.
  if (context.config.disable.includes('kube-proxy')) await clearServices(context.config);
  const nodes = context.config.nodeNames.map((name, index) => makeNode(context, name, index));
  for (let i = 0; i < nodes.length; i += startsAtOnce)
    await Promise.all(nodes.slice(i, i + startsAtOnce).map((node) => node.start()));
  return {
    nodes: new Map(nodes.map((node) => [node.name, node])),
    health: () => nodes.map((node) => node.health()).find((problem) => problem !== undefined),
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  };
}

function makeNode(context: NodePartContext, name: string, index: number): NodeHandle {
  let kubelet: RunningKubelet | undefined;
  let problem: () => string | undefined = () => undefined;
  return {
    name,
    health: () => kubelet?.health?.() ?? problem(),
    async start() {
      if (kubelet) return;
      const runtime = await nodeRuntime(context, name);
      problem = runtime.problem;
      const started = await startNode(context, name, index, runtime.runtime);
      kubelet = started;
      context.localUsage.set(name, () => started.resourceMetrics());
    },
    async stop() {
      context.localUsage.delete(name);
      await kubelet?.stop();
      kubelet = undefined;
    },
  };
}

async function nodeRuntime(parts: NodePartContext, node: string): Promise<AddOnRuntime> {
  const { config, directory } = parts;
  const runtime = await openRuntime(config, directory.node(node), parts);
  if (config.runtime === 'simulated') return { runtime, problem: () => undefined };
  return withAddOns(runtime, parts, { node, stateFile: addOnState(directory.node(node)) });
}

async function startNode(
  parts: NodePartContext,
  name: string,
  index: number,
  runtime: ContainerRuntime,
): Promise<RunningKubelet> {
  const { config } = parts;
  const client = parts.clientFor(identities.kubelet(name));
  const link = parts.lab?.linkOf(name);
  const context = componentContext(parts, 'kubelet', link ? cutClient(client, link) : client);
  // Another cluster on this machine may use the default port: then any free one is used.
  const kubelet = {
    ...(await kubeletConfig(parts, name)),
    port: index === 0 && config.name === 'coracle' ? kubeletPort : 0,
  };
  const tls = parts.kubeletTls(name);
  return startKubelet(context, kubelet, { runtime, tls }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    return startKubelet(context, { ...kubelet, port: 0 }, { runtime, tls });
  });
}

async function kubeletConfig({ config, directory, lab }: NodePartContext, name: string): Promise<KubeletConfig> {
  const root = directory.node(name);
  const simulated = config.runtime === 'simulated';
  const capacity = simulated ? simulatedCapacity : await machineCapacity(directory.root);
  return {
    nodeName: name,
    rootDirectory: kubeletRoot(root),
    volumeDirectory: simulated ? simulatedVolumeDirectory : path.join(root, 'volumes'),
    podLogsDirectory: path.join(root, 'logs'),
    nodeIPs: config.nodeIPs,
    hostname: name,
    port: kubeletPort,
    clusterDNS: firstAddresses(config.serviceCidr).dnsServiceIPs.slice(0, 1),
    clusterDomain: config.clusterDomain,
    labels: config.nodeLabels ?? {},
    taints: config.nodeTaints,
    ...cloudOf(config),
    capacity,
    nodeInfo: simulated ? simulatedInfo : await machineInfo(),
    usesFilesystem: !simulated,
    ...(await chosenConfig(config, capacity.cpuMillis / 1000)),
    ...(lab && { usedStorageBytes: () => (lab.isFull(name) ? simulatedCapacity.ephemeralStorageBytes * 0.99 : 0) }),
  };
}

/** Nodes of a cloud wait for its cloud-controller-manager; the addresses of others are their own. */
const cloudOf = ({ cloudProvider = 'local', providerID, givenNodeIPs }: RunConfig) =>
  cloudProvider === 'local'
    ? {}
    : { cloud: { isNodeIPGiven: givenNodeIPs !== undefined, ...(providerID !== undefined && { providerID }) } };

const simulatedCapacity = { cpuMillis: 32_000, memoryBytes: 256 * 2 ** 30, ephemeralStorageBytes: 2 ** 40 };
const architecture = os.arch() === 'x64' ? 'amd64' : os.arch();
const kubeletVersion = kubernetesVersion.gitVersion;
/** The same on every machine, so that simulations are reproducible. */
const simulatedInfo: KubeletConfig['nodeInfo'] = {
  machineID: '',
  systemUUID: '',
  bootID: '',
  kernelVersion: 'simulated',
  osImage: 'simulated',
  architecture,
  operatingSystem: 'linux',
  kubeletVersion,
};

async function machineInfo(): Promise<KubeletConfig['nodeInfo']> {
  const read = (file: string) =>
    readFile(file, 'utf8').then(
      (text) => text.trim(),
      () => '',
    );
  const [machineID, productUUID, bootID, release] = await Promise.all(
    ['/etc/machine-id', '/sys/class/dmi/id/product_uuid', '/proc/sys/kernel/random/boot_id', '/etc/os-release'].map(
      read,
    ),
  );
  const osImage = /PRETTY_NAME="?([^"\n]*)/.exec(release)?.[1] ?? os.type();
  return {
    machineID,
    systemUUID: productUUID || machineID,
    bootID,
    kernelVersion: os.release(),
    osImage,
    architecture,
    operatingSystem: 'linux',
    kubeletVersion,
  };
}

async function machineCapacity(directory: string): Promise<KubeletConfig['capacity']> {
  const { blocks, bsize } = await statfs(directory);
  return {
    cpuMillis: os.availableParallelism() * 1000,
    memoryBytes: os.totalmem(),
    ephemeralStorageBytes: blocks * bsize,
    hugePages: Object.fromEntries(machineHugePages().map(({ resource, bytes }) => [resource, bytes])),
  };
}
