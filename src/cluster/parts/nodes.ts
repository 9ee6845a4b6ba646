// The nodes of this machine: a container runtime and a kubelet each.

import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { RunningComponent } from '../../client/client.ts';
import { kubernetesVersion } from '../../kube-apiserver/kube-apiserver.ts';
import { type KubeletConfig, startKubelet } from '../../kubelet/kubelet.ts';
import { firstAddresses } from '../addresses.ts';
import { type Assembly, contextFor, identities } from '../assembly.ts';
import { nodeNames } from '../config.ts';
import { openRuntime } from '../runtime.ts';

/** The port that Kubernetes gives the kubelet; the second node of a machine takes a free one. */
const kubeletPort = 10250;

export async function startNodes(assembly: Assembly): Promise<RunningComponent> {
  const running = await Promise.all(nodeNames(assembly.config).map((name, index) => startNode(assembly, name, index)));
  return {
    health: () => running.map((node) => node.health?.()).find((problem) => problem !== undefined),
    stop: async () => void (await Promise.all(running.map((node) => node.stop()))),
  };
}

async function startNode(assembly: Assembly, name: string, index: number): Promise<RunningComponent> {
  const { config, directory } = assembly;
  const runtime = await openRuntime(config, directory.node(name), assembly);
  const context = contextFor(assembly, 'kubelet', identities.kubelet(name));
  // Another cluster on this machine may have the usual port: then any free one does.
  const first = index === 0 && config.name === 'coracle';
  const kubelet = { ...(await kubeletConfig(assembly, name)), port: first ? kubeletPort : 0 };
  const tls = { ...assembly.certificates!.get(`kubelet-${name}`)!, clientCA: assembly.ca!.cert };
  return startKubelet(context, kubelet, { runtime, tls }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    return startKubelet(context, { ...kubelet, port: 0 }, { runtime, tls });
  });
}

async function kubeletConfig({ config, directory }: Assembly, name: string): Promise<KubeletConfig> {
  const root = directory.node(name);
  const read = (file: string) =>
    readFile(file, 'utf8').then(
      (text) => text.trim(),
      () => '',
    );
  const simulated = config.runtime === 'simulated';
  return {
    nodeName: name,
    rootDirectory: path.join(root, 'kubelet'),
    podLogsDirectory: path.join(root, 'logs'),
    nodeIPs: [config.nodeIP],
    hostname: name,
    port: kubeletPort,
    clusterDNS: [firstAddresses(config.serviceCidr).dnsServiceIP],
    clusterDomain: config.clusterDomain,
    labels: {},
    taints: [],
    maxPods: 110,
    capacity: simulated
      ? { cpuMillis: 32_000, memoryBytes: 256 * 2 ** 30, ephemeralStorageBytes: 2 ** 40 }
      : {
          cpuMillis: os.availableParallelism() * 1000,
          memoryBytes: os.totalmem(),
          ephemeralStorageBytes: await diskSize(directory.root),
        },
    reserved: { cpuMillis: 0, memoryBytes: 100 * 2 ** 20 },
    nodeInfo: {
      machineID: await read('/etc/machine-id'),
      systemUUID: (await read('/sys/class/dmi/id/product_uuid')) || (await read('/etc/machine-id')),
      bootID: await read('/proc/sys/kernel/random/boot_id'),
      kernelVersion: os.release(),
      osImage: /PRETTY_NAME="?([^"\n]*)/.exec(await read('/etc/os-release'))?.[1] ?? os.type(),
      architecture: os.arch() === 'x64' ? 'amd64' : os.arch(),
      operatingSystem: 'linux',
      kubeletVersion: kubernetesVersion.gitVersion,
    },
    containerLogMaxSize: 10 * 2 ** 20,
    containerLogMaxFiles: 5,
    usesFilesystem: !simulated,
  };
}

async function diskSize(directory: string): Promise<number> {
  const { statfs } = await import('node:fs/promises');
  const { blocks, bsize } = await statfs(directory);
  return blocks * bsize;
}
