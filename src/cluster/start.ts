// Puts the parts of a cluster together, starts and stops them.

import type { Client, RunningComponent } from '../client/client.ts';
import type { UserInfo } from '../kube-apiserver/kube-apiserver.ts';
import type { Decision } from '../kube-scheduler/kube-scheduler.ts';
import { urlHost } from '../machinery/ip.ts';
import type { Store } from '../store/store.ts';
import { withOwnRanges } from './addresses/network-ranges.ts';
import { saveSettings, settingsToSave } from './backup/saved-settings.ts';
import { settleRestore } from './backup/settle.ts';
import { type ClusterConfig, type ComponentName, defaultRanges, type RunConfig, runConfigOf } from './config.ts';
import type { Environment, PartContext } from './context.ts';
import { type ControlPlane, controlPlane } from './control-plane.ts';
import { claim, type DataDirectory, dataDirectory, openDataDirectory } from './data-directory.ts';
import type { EtcdMember } from './etcd-member/etcd-member.ts';
import { identities } from './identities.ts';
import { enterControlPlane } from './joining/server.ts';
import type { Server, SharedSettings } from './joining/types.ts';
import type { NodeHandle } from './node-part.ts';
import { launchNodes } from './node-process/launch.ts';
import type { NodeProcessConfig } from './node-process/messages.ts';
import { NodeProcess, type NodeProcessStatus } from './node-process/node-process.ts';
import { type OnStep, PartSequence, type PartStatus } from './part-sequence.ts';
import { type ApiServerPart, kubeletCertificate, type Pki } from './parts/api-server.ts';
import type { ConsoleLink } from './parts/console.ts';
import type { StorePart } from './parts/store.ts';
import { version } from './version.ts';

export interface ClusterProcess {
  readonly name: 'main' | 'nodes';
  readonly pid: number;
  /** Resident. */
  readonly memoryBytes: number;
}

export interface Cluster {
  readonly config: RunConfig;
  readonly directory: DataDirectory;
  /** URL of the API server. */
  readonly server: string;
  readonly store: Store;
  /** Pauses the writes of all clients of this process. */
  readonly writes: StorePart['writes'];
  /** PEM of the cluster's CA; undefined: it does not listen. */
  readonly ca: string | undefined;
  /** Of a server: its etcd member, and the settings that all servers share. */
  readonly etcd?: EtcdMember;
  /** Its member leaves etcd when the cluster stops. Rejects if it cannot. */
  readonly leaveAtStop?: () => Promise<void>;
  readonly settings?: SharedSettings;
  /** An in-process client with all rights. */
  readonly client: Client;
  /** A client of this process under another identity. */
  clientFor(user: UserInfo): Client;
  /** The nodes that run in this process, by their names. */
  readonly nodes: ReadonlyMap<string, NodeHandle>;
  status(): Promise<{ readonly parts: readonly PartStatus[]; readonly processes: readonly ClusterProcess[] }>;
  /** Makes certificates that are due or missing. Rejects with the reason when that fails. */
  checkCertificates(): Promise<void>;
  /** The scheduler's decision about a pod (namespace/name); undefined if unknown. */
  explainPod(pod: string): Decision | undefined;
  /** A link that signs the administrator in to the console, once; undefined without a console. */
  consoleLink(): Promise<ConsoleLink | undefined>;
  /** Stops the parts from the bottom of the list to its top. Containers keep running. */
  stop(): Promise<void>;
}

export interface StartHooks {
  /** Called for each part that has started. */
  onStep?: OnStep;
  onFatal?(error: Error): void;
}

/** The nodes of a cluster, wherever they run. */
interface Nodes {
  readonly handles: ReadonlyMap<string, NodeHandle>;
  status(): Promise<NodeProcessStatus>;
  stop(): Promise<void>;
}

const nodeComponents: readonly ComponentName[] = ['kubelet', 'kube-proxy'];

/**
 * Starts the cluster of a data directory, locked by this process. Nodes with a real runtime run in a separate process,
 * which `nodeCommand` starts. Resolves when every part runs.
 */
export async function startCluster(
  config: ClusterConfig,
  environment: Environment & Pick<PartContext, 'lab' | 'sandbox'>,
  nodeCommand: readonly string[],
  hooks: StartHooks = {},
): Promise<Cluster> {
  const directory = dataDirectory(config.dataDirectory);
  await openDataDirectory(directory);
  const info = (address: string) => ({ name: config.name, address, startedAt: environment.clock.now(), version });
  await claim(directory, info(''));
  await settleRestore(directory, environment.clock);
  const hasRealNodes =
    config.runtime !== 'simulated' && nodeComponents.some((name) => config.components.includes(name));
  const nodeProcess = hasRealNodes
    ? new NodeProcess(environment, () => launchNodes(nodeCommand, directory, environment.clock), hooks.onStep)
    : undefined;
  let server: Server | undefined;
  try {
    server = await enterControlPlane(config, directory, environment.clock);
    const shared = server && sharedRanges(server.settings);
    const ranges = await withOwnRanges({ ...config, ...shared }, directory);
    const runConfig = runConfigOf({ ...config, ...shared, dataDirectory: directory.root }, ranges);
    const cluster = await start(runConfig, { ...environment, ...(server && { server }) }, hooks, (context, api) =>
      nodeProcess ? startApart(nodeProcess, context, api) : startHere(context, api, hooks.onStep),
    );
    await server?.confirm();
    await saveSettings(directory, settingsToSave(runConfig, cluster.server, server !== undefined));
    await claim(directory, info(cluster.server));
    return cluster;
  } catch (error) {
    await nodeProcess?.stop();
    await server?.undo();
    throw error;
  }
}

const sharedRanges = ({ serviceCidr, clusterCidr, clusterDomain }: SharedSettings) => ({
  ...{ serviceCidr, clusterCidr, clusterDomain },
});

/** Starts all parts in this process; stops the started ones if one fails. */
export const startParts = (
  config: ClusterConfig,
  environment: Environment & Pick<PartContext, 'behaviour'>,
  hooks: StartHooks = {},
): Promise<Cluster> =>
  start(runConfigOf(config, defaultRanges(config)), environment, hooks, (context, api) =>
    startHere(context, api, hooks.onStep),
  );

async function start(
  config: RunConfig,
  environment: Environment & Pick<PartContext, 'behaviour' | 'server' | 'lab' | 'sandbox'>,
  hooks: StartHooks,
  startNodes: (context: PartContext, api: ApiServerPart) => Promise<Nodes>,
): Promise<Cluster> {
  const { logger } = environment;
  const context: PartContext = {
    ...environment,
    config,
    directory: dataDirectory(config.dataDirectory),
    localUsage: new Map(),
    fatal: (error) => {
      logger.error('component failed', { error: String(error.stack) });
      hooks.onFatal?.(error);
    },
  };
  const sequence = new PartSequence(context, hooks.onStep);
  try {
    const made = await startControlPlane(context, sequence);
    const { store, 'kube-apiserver': api, 'kube-scheduler': scheduler } = made;
    const nodes = await startNodes(context, api);
    context.lab?.useNodes(nodes.handles);
    return {
      config,
      directory: context.directory,
      server: `https://${urlHost(config.nodeIP)}:${api.port}`,
      ...{ store: store.store, writes: store.writes },
      ca: api.pki?.ca.cert,
      ...(made.etcd && { etcd: made.etcd.member, leaveAtStop: made.etcd.leaveAtStop }),
      ...(context.server && { settings: context.server.settings }),
      client: api.clientFor(identities.admin),
      clientFor: api.clientFor,
      nodes: nodes.handles,
      async status() {
        const { parts, process: nodeProcess } = await nodes.status();
        const main = { name: 'main', pid: process.pid, memoryBytes: process.memoryUsage.rss() } as const;
        return {
          parts: [...sequence.status(), ...parts],
          processes: [main, ...(nodeProcess ? [{ name: 'nodes', ...nodeProcess } as const] : [])],
        };
      },
      checkCertificates: () => api.checkCertificates(),
      explainPod: (pod) => scheduler?.current?.explain(pod),
      consoleLink: async () => made.console?.createLink(),
      async stop() {
        context.lab?.setPace(1);
        await nodes.stop();
        await sequence.stop();
      },
    };
  } catch (error) {
    await sequence.stop();
    throw error;
  }
}

async function startControlPlane(
  context: PartContext,
  sequence: PartSequence,
): Promise<Partial<ControlPlane> & Pick<ControlPlane, 'store' | 'kube-apiserver'>> {
  const made: Partial<Record<keyof ControlPlane, RunningComponent>> = {};
  for (const part of controlPlane) {
    if (!part.isWanted(context)) continue;
    const missing = part.after.find((name) => !made[name]);
    if (missing) throw new Error(`${part.name} needs ${missing}: add it to --components`);
    made[part.name] = await sequence.start(part.name, () => part.start(context, made as Partial<ControlPlane>));
  }
  const { store, 'kube-apiserver': api, ...others } = made as Partial<ControlPlane>;
  if (!store || !api) throw new Error('a cluster needs kube-apiserver: add it to --components');
  return { ...others, store, 'kube-apiserver': api };
}

async function startHere(context: PartContext, api: ApiServerPart, onStep?: OnStep): Promise<Nodes> {
  const { nodeParts } = await import('./node-parts.ts');
  const { pki } = api;
  const nodeContext = {
    ...context,
    clientFor: api.clientFor,
    connect() {
      throw new Error('service accounts need an API server that listens');
    },
    kubeletTls(node: string) {
      const pair = pki?.certificates.get(kubeletCertificate(node));
      return pki && pair && { ...pair, clientCA: pki.ca.cert };
    },
  };
  const sequence = new PartSequence(context, onStep);
  let handles: ReadonlyMap<string, NodeHandle> = new Map();
  try {
    for (const part of nodeParts)
      if (part.isWanted(context.config)) {
        const { nodes } = await sequence.start(part.name, () => part.start(nodeContext));
        if (nodes) handles = nodes;
      }
  } catch (error) {
    await sequence.stop();
    throw error;
  }
  return { handles, status: async () => ({ parts: sequence.status() }), stop: () => sequence.stop() };
}

async function startApart(nodes: NodeProcess, { config }: PartContext, api: ApiServerPart): Promise<Nodes> {
  const { port, pki } = api;
  if (!pki) throw new Error('a separate process for nodes needs an API server that listens');
  await nodes.start(() => ({
    config,
    // The API server's certificate contains this address too, and no firewall is between.
    server: `https://127.0.0.1:${port}`,
    ca: pki.ca.cert,
    certificates: nodeCertificates(config, pki),
  }));
  const own = nodeFiles(config).map(([, file]) => file);
  api.onRenewal((names) => {
    if (own.some((file) => names.has(file))) void nodes.replace();
  });
  return { handles: new Map(), status: () => nodes.status(), stop: () => nodes.stop() };
}

/** The identities of the nodes' process, and the names of their certificates. */
const nodeFiles = ({ nodeNames }: RunConfig) => [
  [identities.proxy, 'kube-proxy'] as const,
  [identities.networkPolicy, 'network-policy'] as const,
  ...nodeNames.map((node) => [identities.kubelet(node), kubeletCertificate(node)] as const),
];

/** By user name. */
function nodeCertificates(config: RunConfig, { certificates }: Pki): NodeProcessConfig['certificates'] {
  return Object.fromEntries(
    nodeFiles(config).flatMap(([{ name }, file]) => {
      const pair = certificates.get(file);
      return pair ? [[name, pair]] : [];
    }),
  );
}
