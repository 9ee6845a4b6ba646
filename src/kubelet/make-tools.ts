// Makes the parts of a kubelet that its pods use, and the node's.

import { ignoreNotFound, type Pod, type Service } from '../api/api.ts';
import { type ComponentContext, createEventRecorder, createInformer, type Informer } from '../client/client.ts';
import type { Cgroups, ContainerRuntime } from '../container-runtime/container-runtime.ts';
import type { KubeletConfig } from './config.ts';
import { type Csi, makeCsi } from './csi/csi.ts';
import { DevicePlugins } from './device-plugins/device-plugins.ts';
import { DynamicResources } from './dynamic-resources/dynamic-resources.ts';
import { refuseUnderPressure } from './eviction/admission.ts';
import { NodePressure } from './eviction/node-pressure.ts';
import { CredentialProviders } from './images/credential-providers.ts';
import { ImageManager } from './images/images.ts';
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
  readonly csi?: Csi;
}

/** Kubernetes' bounds, in seconds. */
const podStartBuckets = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];

export function makeTools(
  context: ComponentContext,
  config: KubeletConfig,
  bare: ContainerRuntime,
  cgroups: Cgroups | undefined,
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
    storageError: () => csi?.problem(),
    volumesInUse: () => csi?.volumes.volumesInUse() ?? [],
    devices: () => devices?.amounts(),
  });
  const references = referencesOf(context);
  const csi = config.usesFilesystem
    ? makeCsi({
        ...{ context, config, events, ...references },
        node: () => keeper.node,
        reportNode: () => keeper.refresh(),
      })
    : undefined;
  const ofMachine = config.usesFilesystem
    ? machineResources({ context, config, runtime, workers, keeper: () => keeper, cache })
    : undefined;
  const { devices, resources } = ofMachine ?? {};
  const pods = () => workers.counted();
  const hasOwnCpus = ({ metadata }: Pod) => resources?.hasOwnCpus(metadata.uid) ?? false;
  const podCgroups = cgroups && new PodCgroups(cgroups, { config, clock, logger, pods, hasOwnCpus });
  const machine = config.usesFilesystem
    ? realMachine({ config, clock, logger, runtime, ...(podCgroups && { cgroups: podCgroups }) })
    : simulatedMachine(config, runtime);
  const mirrors = new MirrorPods({
    ...{ client, clock, logger, node: () => keeper.node },
    replaced: (pod) => tools.statuses.replaced(pod),
    changed: ({ metadata: { uid } }) => workers.wake(uid),
  });
  const tools: KubeletTools = {
    ...{ config, client, clock, logger, runtime, machine, events, cache, services },
    ...(podCgroups && { cgroups: podCgroups }),
    ...(csi && { csi: csi.volumes }),
    ...ofMachine,
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
  return { tools, keeper, pressure, services, mirrors, ...(csi && { csi }) };
}

interface MachineParts {
  readonly context: ComponentContext;
  readonly config: KubeletConfig;
  readonly runtime: ContainerRuntime;
  readonly workers: PodWorkers;
  readonly keeper: () => NodeKeeper;
  readonly cache: PodCache;
}

/** Devices, claims, CPUs and memory, which simulated nodes do not have. */
function machineResources({ context, config, runtime, workers, keeper, cache }: MachineParts) {
  const { client, clock, logger, metrics } = context;
  const { nodeName, rootDirectory, reserved } = config;
  const activePods = () => workers.active();
  const wake = (uid: string) => workers.wake(uid);
  const devices = new DevicePlugins({
    ...{ clock, logger, metrics, rootDirectory, activePods, healthChanged: wake },
    reportNode: () => keeper().refresh(),
  });
  const dynamicResources = new DynamicResources({
    ...{ client, clock, logger, metrics, nodeName, rootDirectory, activePods, wake },
  });
  const resources = new ResourceManagers(resourceManagersConfig(config.resourceManagers ?? {}), {
    ...{ layout: machineLayout(), reserved, rootDirectory, clock, logger, metrics, runtime, activePods, devices },
    containersOf: (uid) => cache.get(uid).containers,
  });
  return { devices, dynamicResources, resources };
}

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
