// Starts one container of a pod whose sandbox is ready: image, configuration, create, start, postStart.

import type { Container, Pod, Secret } from '../../api/api.ts';
import { RuntimeError, type Sandbox, type SandboxConfig } from '../../container-runtime/container-runtime.ts';
import type { KubeletConfig } from '../config.ts';
import { containerConfig } from '../containers/container-config.ts';
import { ConfigError, type EnvironmentSources, makeEnvironment } from '../containers/environment.ts';
import { ImageError } from '../images/images.ts';
import type { PodFiles } from '../machine/machine.ts';
import { runHook } from '../probes/hooks.ts';
import { bytes, milli } from '../resources/resources.ts';
import type { KubeletTools } from '../tools.ts';
import type { MountedVolume } from '../volumes/volumes.ts';
import { graceOf } from './grace.ts';
import { newest } from './pod-actions.ts';
import { later, unlessAborted } from './unless-aborted.ts';

/** The reason why the container does not run: the content of state.waiting. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

interface StartInputs {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  readonly sandbox: Sandbox;
  readonly sandboxConfig: SandboxConfig;
  readonly volumes: ReadonlyMap<string, MountedVolume>;
  readonly pullSecrets: readonly Secret[];
  /** Aborts when the container need not start any more: then a pull or a hook is not awaited. */
  readonly signal: AbortSignal;
}

const longestHookMs = 600_000;
/** A slower start waits for the container's process: ending its sandbox ends the wait. */
const usualStartMs = 2_000;

/** Throws StartError, or the reason of `signal` once that aborts. */
export async function startContainer(inputs: StartInputs, tools: KubeletTools): Promise<void> {
  const { pod, container, signal } = inputs;
  const fieldPath = `spec.${listOf(pod, container.name)}{${container.name}}`;
  const emit = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    tools.events.event(pod, type, reason, message, fieldPath);
  const fail = (reason: string, error: unknown): never => {
    signal.throwIfAborted();
    const message = (error as Error).message;
    emit('Warning', 'Failed', `Error: ${error instanceof ImageError ? error.reason : message}`);
    throw new StartError(reason, message);
  };

  const imageId = await tools.images
    .ensure(pod, container, inputs.pullSecrets, emit, signal)
    .catch((error) => fail(error.reason ?? 'ErrImagePull', error));
  const image = await tools.runtime.imageStatus(imageId).catch((error) => fail('ImageInspectError', error));
  if (!image) return fail('ImageInspectError', new Error(`image ${imageId} disappeared`));
  const podIPs = pod.spec.hostNetwork ? tools.config.nodeIPs : inputs.sandbox.ips;
  const environment = await makeEnvironment(
    pod,
    container,
    environmentSources(pod, podIPs, inputs.volumes, tools),
  ).catch((error) => fail('CreateContainerConfigError', error));
  const targetContainerId = targetOf(pod, container.name, tools);
  if (targetContainerId === null)
    return fail('CreateContainerConfigError', new Error(`unable to find target container for ${container.name}`));
  const devices = await devicesOf(pod, container, tools).catch((error) => fail('CreateContainerConfigError', error));
  const parts = { ...inputs, ...devices, image, environment, podIPs, targetContainerId };
  const config = await containerConfig(parts, tools).catch((error) =>
    fail(error instanceof ConfigError ? 'CreateContainerConfigError' : 'CreateContainerError', error),
  );
  const id = await tools.runtime
    .createContainer(inputs.sandbox.id, config, inputs.sandboxConfig)
    .catch((error) => fail('CreateContainerError', error));
  emit('Normal', 'Created', 'Container created');
  await unlessAborted(tools.runtime.startContainer(id), later(signal, usualStartMs, tools.clock)).catch((error) =>
    fail(error instanceof RuntimeError || error ? 'RunContainerError' : '', error),
  );
  emit('Normal', 'Started', 'Container started');
  const hook = container.lifecycle?.postStart;
  if (!hook) return;
  const target = {
    containerId: id,
    sandboxId: inputs.sandbox.id,
    podIP: podIPs[0] ?? '',
    startedAt: tools.clock.now(),
  };
  const { runtime, clock } = tools;
  const warn = (reason: string, message: string) => emit('Warning', reason, message);
  try {
    const hooked = runHook({ runtime, clock, warn }, hook, pod, container, target, longestHookMs);
    await unlessAborted(hooked, signal);
  } catch (error) {
    signal.throwIfAborted();
    // The hook's output may be secret: the event omits it.
    emit('Warning', 'FailedPostStartHook', 'PostStartHook failed');
    emit('Normal', 'Killing', 'FailedPostStartHook');
    await tools.runtime.stopContainer(id, graceOf(pod));
    throw new StartError('PostStartHookError', (error as Error).message);
  }
}

/** Devices of plugins and of the pod's resource claims; CPUs and memory. */
async function devicesOf(pod: Pod, container: Container, tools: KubeletTools) {
  const claimDevices = tools.dynamicResources?.cdiDevices(pod, container) ?? [];
  const allocations = (await tools.devices?.prepareStart(pod, container)) ?? [];
  return { claimDevices, allocations, placement: await tools.resources?.placement(pod, container) };
}

/** The target container of an ephemeral one; undefined without a target, null if the target does not run. */
function targetOf({ metadata, spec }: Pod, name: string, { cache }: KubeletTools): string | undefined | null {
  const target = spec.ephemeralContainers?.find((c) => c.name === name)?.targetContainerName;
  if (!target) return undefined;
  const found = newest(cache.get(metadata.uid).containers, target);
  return found?.state === 'running' ? found.id : null;
}

/** The list of the pod's spec that has the container. */
function listOf({ spec }: Pod, name: string): 'containers' | 'initContainers' | 'ephemeralContainers' {
  if (spec.containers.some((c) => c.name === name)) return 'containers';
  return spec.initContainers?.some((c) => c.name === name) ? 'initContainers' : 'ephemeralContainers';
}

function environmentSources(
  pod: Pod,
  podIPs: readonly string[],
  volumes: ReadonlyMap<string, MountedVolume>,
  tools: KubeletTools,
): EnvironmentSources {
  const { config, machine } = tools;
  const { readText } = machine.files;
  const namespace = pod.metadata.namespace ?? '';
  return {
    services: tools.services.list(),
    podIPs,
    hostIPs: config.nodeIPs,
    nodeName: config.nodeName,
    allocatable: limitsOfUnlimited(pod, tools),
    configMap: (name) => tools.configMap(namespace, name),
    secret: (name) => tools.secret(namespace, name),
    ...(readText && { file: (volume, file) => envFile(readText, volumes.get(volume), volume, file) }),
  };
}

/** More than a process may have as its environment. */
const longestEnvFile = 1 << 20;

async function envFile(
  readText: NonNullable<PodFiles['readText']>,
  mounted: MountedVolume | undefined,
  volume: string,
  file: string,
): Promise<string> {
  if (!mounted || mounted.isDevice)
    throw new ConfigError(`cannot find the volume ${JSON.stringify(volume)} referenced by FileKeyRef`);
  return readText(mounted, file, longestEnvFile).catch(() => {
    throw new ConfigError("couldn't parse env file");
  });
}

/** The limits that a container without own ones has: of its pod, else of the node. */
export function limitsOfUnlimited(pod: Pod, tools: Pick<KubeletTools, 'config'>): ReturnType<typeof allocatableOf> {
  const { cpu, memory } = pod.spec.resources?.limits ?? {};
  return {
    ...allocatableOf(tools),
    ...(cpu && milli(cpu) > 0 && { cpuMillis: milli(cpu) }),
    ...(memory && bytes(memory) > 0 && { memoryBytes: bytes(memory) }),
  };
}

/** Other pods cannot use this memory. */
const hugePagesBytes = ({ hugePages = {} }: KubeletConfig['capacity']): number =>
  Object.values(hugePages).reduce((sum, amount) => sum + amount, 0);

export const allocatableOf = ({ config }: Pick<KubeletTools, 'config'>) => ({
  cpuMillis: config.capacity.cpuMillis - config.reserved.cpuMillis,
  memoryBytes: config.capacity.memoryBytes - config.reserved.memoryBytes - hugePagesBytes(config.capacity),
  ephemeralStorageBytes: config.capacity.ephemeralStorageBytes,
});

/** The pod's existing pull secrets. */
export async function pullSecretsOf(
  { metadata, spec }: Pod,
  { secret }: Pick<KubeletTools, 'secret'>,
): Promise<Secret[]> {
  const names = new Set((spec.imagePullSecrets ?? []).flatMap(({ name }) => name ?? []));
  const found: Secret[] = [];
  // One request at a time: a pod may name a hundred thousand.
  for (const name of names) {
    const each = await secret(metadata.namespace ?? '', name);
    if (each) found.push(each);
  }
  return found;
}
