// The part of a node's configuration that its administrator chooses: options, and the kubelet's configuration file.

import { access, constants, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { type KubeletConfig, parseCredentialProviders, parseKubeletConfiguration } from '../../kubelet/kubelet.ts';
import { milliValue, wholeValue } from '../../machinery/quantity.ts';
import type { RunConfig } from '../config.ts';
import { managerFlags } from './kubelet-settings.ts';

type FileConfig = ReturnType<typeof parseKubeletConfiguration>;
type Chosen = Omit<FileConfig, 'podsPerCore' | 'reserved'> &
  Pick<KubeletConfig, 'maxPods' | 'reserved' | 'containerLogMaxSize' | 'containerLogMaxFiles' | 'credentialProviders'>;

/** Kubernetes' hard threshold of eviction: pods cannot use this memory. */
const evictionMemoryBytes = 100 * 2 ** 20;

/** Options take precedence over the file. `cpus`: of the node. Rejects with the file and its fault. */
export async function chosenConfig(config: RunConfig, cpus: number): Promise<Chosen> {
  const { reserved: ofFile, resourceManagers, podsPerCore, ...file } = await readFileConfig(config.kubeletConfig);
  const managers = { ...resourceManagers, ...managerFlags(config) };
  const isStatic = managers.cpuManagerPolicy === 'static' || managers.memoryManagerPolicy === 'Static';
  if (isStatic && config.nodeNames.length > 1)
    throw new Error('the static policies of CPUs and memory need one node on a machine: leave --nodes out');
  const { cpu, memory } = config.systemReserved ?? {};
  const cpuMillis = cpu === undefined ? (ofFile?.cpuMillis ?? 0) : milliValue(cpu);
  const memoryBytes = memory === undefined ? (ofFile?.memoryBytes ?? 0) : wholeValue(memory);
  return {
    ...{ containerLogMaxSize: 10 * 2 ** 20, containerLogMaxFiles: 5 },
    ...file,
    maxPods: Math.min(file.maxPods ?? 110, podsPerCore === undefined ? Number.POSITIVE_INFINITY : podsPerCore * cpus),
    ...(config.evictionHard && { eviction: { ...file.eviction, evictionHard: config.evictionHard } }),
    ...(Object.keys(managers).length > 0 && { resourceManagers: managers }),
    ...(await credentialProviders(config)),
    reserved: {
      cpuMillis: managers.reservedSystemCPUs ? countOf(managers.reservedSystemCPUs) * 1000 : cpuMillis,
      memoryBytes: memoryBytes + evictionMemoryBytes,
    },
  };
}

/** Of a set such as 0-1,4, which is checked when it is used. */
const countOf = (cpus: string): number =>
  cpus.split(',').reduce((sum, part) => {
    const [first, last = first] = part.split('-').map(Number);
    return sum + (last - first + 1);
  }, 0);

/** Checked before the nodes start: a pull that fails much later would hardly show the cause. */
async function credentialProviders({
  imageCredentialProviderConfig: file,
  imageCredentialProviderBinDir: directory,
}: RunConfig): Promise<Pick<KubeletConfig, 'credentialProviders'>> {
  if (!file && !directory) return {};
  if (!file || !directory)
    throw new Error('--image-credential-provider-config and --image-credential-provider-bin-dir need each other');
  const option = `--image-credential-provider-config ${file}`;
  const texts = await configurationsIn(file).catch((error: Error) => {
    throw new Error(`${option} cannot be read: ${error.message}`);
  });
  try {
    const providers = texts.flatMap((text) => parseCredentialProviders(text));
    const twice = providers.find(({ name }, i) => providers.findIndex((other) => other.name === name) < i);
    if (twice) throw new Error(`duplicate provider name "${twice.name}" found in configuration file(s)`);
    for (const { name } of providers) await access(path.join(directory, name), constants.X_OK);
    return { credentialProviders: { providers, directory } };
  } catch (error) {
    throw new Error(`${option} cannot be used: ${(error as Error).message}`);
  }
}

/** A file, or all configuration files of a directory in the order of their names. */
async function configurationsIn(place: string): Promise<string[]> {
  if (!(await stat(place)).isDirectory()) return [await readFile(place, 'utf8')];
  const names = (await readdir(place)).filter((name) => /\.(json|yaml|yml)$/.test(name)).sort();
  if (names.length === 0) throw new Error('it has no .json, .yaml or .yml files');
  return Promise.all(names.map((name) => readFile(path.join(place, name), 'utf8')));
}

async function readFileConfig(file: string | undefined): Promise<FileConfig> {
  if (!file) return {};
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new Error(`--kubelet-config ${file} cannot be read: ${error.message}`);
  });
  try {
    const { staticPodPath: place, ...parsed } = parseKubeletConfiguration(text);
    // Relative to the file, as in Kubernetes.
    return { ...parsed, ...(place && { staticPodPath: path.resolve(path.dirname(file), place) }) };
  } catch (error) {
    throw new Error(`--kubelet-config ${file} cannot be used: ${(error as Error).message}`);
  }
}
