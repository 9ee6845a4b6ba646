// Makes the parts of a kubelet that its pods use, and the node's.

import { ignoreNotFound, type Pod, type Service } from '../api/api.ts';
import {
  type ComponentContext,
  createEventRecorder,
  createInformer,
  type EventRecorder,
  type Informer,
} from '../client/client.ts';
import { type ContainerRuntime, openCgroups } from '../container-runtime/container-runtime.ts';
import type { KubeletConfig } from './config.ts';
import { type Csi, makeCsi } from './csi/csi.ts';
import { DevicePlugins } from './device-plugins/device-plugins.ts';
import { DynamicResources } from './dynamic-resources/dynamic-resources.ts';
import { refuseUnderPressure } from './eviction/admission.ts';
import { NodePressure } from './eviction/node-pressure.ts';
import { CredentialProviders } from './images/credential-providers.ts';
import { ImageManager } from './images/images.ts';
import type { Machine } from './machine/machine.ts';
import { realMachine } from './machine/real-machine.ts';
import { simulatedMachine } from './machine/simulated-machine.ts';
import { NodeKeeper } from './node/node.ts';
import { refuse } from './pods/admission.ts';
import { PodCache } from './pods/pod-cache.ts';
import type { PodWorkers } from './pods/pod-workers.ts';
import { preemption } from './pods/preemption.ts';
import { ProbeManager } from './probes/probes.ts';
import { machineLayout } from './resource-managers/machine-layout.ts';
import { ResourceManagers } from './resource-managers/resource-managers.ts';
import { resourceManagersConfig } from './resource-managers/settings.ts';
import { PodCgroups } from './resources/pod-cgroups.ts';
import { MirrorPods } from './static-pods/mirror-pods.ts';
import { measured } from './stats/measured-runtime.ts';
import { StatusManager } from './status/status-manager.ts';
import { terminationCounter } from './status/terminations.ts';
import type { KubeletTools } from './tools.ts';
import { TokenCache } from './volumes/tokens.ts';

interface Made {
  readonly tools: KubeletTools;
  readonly keeper: NodeKeeper;
  readonly pressure: NodePressure;
  readonly services: Informer<Service>;
  readonly mirrors: MirrorPods;
  /** Absent on simulated nodes. */
  readonly real?: RealParts;
}

/** The parts that only a node with files and a kernel has. */
export interface RealParts {
  readonly machine: Machine;
  readonly csi: Csi;
  readonly devices: DevicePlugins;
  readonly resources: ResourceManagers;
  readonly dynamicResources: DynamicResources;
  /** Absent where the machine has no cgroups. */
  readonly cgroups?: PodCgroups;
}

/** Kubernetes' bounds, in seconds. */
const podStartBuckets = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];

export function makeTools(
  context: ComponentContext,
  config: KubeletConfig,
  bare: ContainerRuntime,
  workers: PodWorkers,
): Made {
  const { client, clock, logger, metrics } = context;
  const runtime = measured(bare, metrics, clock);
  const events = createEventRecorder(context, { component: 'kubelet', host: config.nodeName });
  const services = createInformer(context, 'services');
  const cache = new PodCache(runtime, (uid) => workers.wake(uid));
  const pressure = new NodePressure();
  const keeper = new NodeKeeper(config, {
    ...{ client, clock, logger, runtime, events },
    pressure: () => pressure.conditions,
    plegError: () => cache.error,
    storageError: () => real?.csi.problem(),
    volumesInUse: () => real?.csi.volumes.volumesInUse() ?? [],
    devices: () => real?.devices.amounts(),
  });
  const references = referencesOf(context);
  const real = config.usesFilesystem
    ? realParts({ context, config, runtime, workers, keeper, cache, events, references })
    : undefined;
  const machine = real?.machine ?? simulatedMachine(config, runtime);
  const mirrors = new MirrorPods({
    ...{ client, clock, logger, node: () => keeper.node },
    replaced: (pod) => tools.statuses.replaced(pod),
    changed: ({ metadata: { uid } }) => workers.wake(uid),
  });
  const tools: KubeletTools = {
    ...{ config, client, clock, logger, runtime, machine, events, cache, services },
    ...(real && toolsOf(real)),
    images: new ImageManager(runtime, clock, providersOf(context, config)),
    probes: new ProbeManager(runtime, clock, events, (uid) => workers.wake(uid)),
    statuses: new StatusManager(client, clock, logger, {
      changed: terminationCounter(metrics),
      stored: (pod) => mirrors.stored(pod),
    }),
    ...references,
    podStarted: podStarts(context),
    refuse: (pod) => {
      const node = { ...runtime.features, appArmor: machine.hasAppArmor, object: keeper.node };
      const occupants = { counted: workers.counted(), running: workers.running() };
      return (
        refuseUnderPressure(pod, pressure.conditions) ??
        preemption(pod, occupants, (others) => refuse(pod, others, config, node))
      );
    },
    preempt: (uids) => workers.preempt(uids),
    node: () => keeper.node,
    readNode: () => keeper.read(),
  };
  return { tools, keeper, pressure, services, mirrors, ...(real && { real }) };
}

interface RealInputs {
  readonly context: ComponentContext;
  readonly config: KubeletConfig;
  readonly runtime: ContainerRuntime;
  readonly workers: PodWorkers;
  readonly keeper: NodeKeeper;
  readonly cache: PodCache;
  readonly events: EventRecorder;
  readonly references: ReturnType<typeof referencesOf>;
}

function realParts({ context, config, runtime, workers, keeper, cache, events, references }: RealInputs): RealParts {
  const { client, clock, logger, metrics } = context;
  const { nodeName, rootDirectory, reserved } = config;
  const activePods = () => workers.active();
  const wake = (uid: string) => workers.wake(uid);
  const reportNode = () => keeper.refresh();
  const csi = makeCsi({ ...{ context, config, events, ...references, reportNode }, node: () => keeper.node });
  const devices = new DevicePlugins({
    ...{ clock, logger, metrics, rootDirectory, activePods, healthChanged: wake, reportNode },
  });
  const dynamicResources = new DynamicResources({
    ...{ client, clock, logger, metrics, nodeName, rootDirectory, activePods, wake },
  });
  const resources = new ResourceManagers(resourceManagersConfig(config.resourceManagers ?? {}), {
    ...{ layout: machineLayout(), reserved, rootDirectory, clock, logger, metrics, runtime, activePods, devices },
    containersOf: (uid) => cache.get(uid).containers,
  });
  const opened = openCgroups();
  const pods = () => workers.counted();
  const hasOwnCpus = ({ metadata }: Pod) => resources.hasOwnCpus(metadata.uid);
  const cgroups = opened && { cgroups: new PodCgroups(opened, { config, clock, logger, pods, hasOwnCpus }) };
  const machine = realMachine({ config, clock, logger, runtime, ...cgroups });
  return { machine, csi, devices, resources, dynamicResources, ...cgroups };
}

const toolsOf = ({ csi, machine: _, ...parts }: RealParts) => ({ ...parts, csi: csi.volumes });

function providersOf({ clock, logger }: ComponentContext, { credentialProviders }: KubeletConfig) {
  return credentialProviders && new CredentialProviders({ ...credentialProviders, clock, logger });
}

function podStarts({ metrics }: ComponentContext): (seconds: number) => void {
  const starts = metrics.histogram(
    'kubelet_pod_start_duration_seconds',
    'Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run',
    podStartBuckets,
  );
  return (seconds) => starts.observe(seconds);
}

/** Reads the objects that pods refer to. */
function referencesOf({ client, clock }: ComponentContext): Pick<KubeletTools, 'configMap' | 'secret' | 'token'> {
  const tokens = new TokenCache(client, clock);
  const read = <T>(get: Promise<T>): Promise<T | undefined> => get.catch(ignoreNotFound);
  return {
    configMap: (namespace, name) => read(client.get('configmaps', { namespace, name })),
    secret: (namespace, name) => read(client.get('secrets', { namespace, name })),
    token: (pod, audience, seconds) => tokens.get(pod, audience, seconds),
  };
}
