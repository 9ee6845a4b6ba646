// One run of a cluster: its parts, its control socket and its backups.

import { conditionOf, kubernetesVersion, type Node } from '../api/api.ts';
import { createInformer, type Informer } from '../client/client.ts';
import { fieldsIn, textIn } from '../machinery/parsed.ts';
import { addOnsReady } from './add-ons/ready.ts';
import { startBackups } from './backup/running.ts';
import type { ClusterConfig } from './config.ts';
import type { Environment, PartContext } from './context.ts';
import { type ControlHandlers, serveControl } from './control.ts';
import type { EtcdMember } from './etcd-member/etcd-member.ts';
import { allowJoining, publishServer } from './joining/allow-joining.ts';
import { type ControlPlaneStatus, controlPlaneStatus } from './joining/control-plane-status.ts';
import type { PartStatus } from './part-sequence.ts';
import { collectWhenIdle } from './process/spare-memory.ts';
import { type Cluster, type ClusterProcess, startCluster } from './start.ts';
import { version } from './version.ts';

export interface ClusterStatus {
  readonly name: string;
  readonly pid: number;
  readonly version: string;
  readonly kubernetesVersion: string;
  readonly address: string;
  /** Undefined on a machine that has nodes alone. */
  readonly kubeconfig?: string;
  readonly uptimeSeconds: number;
  /** Resident memory of all processes. */
  readonly memoryBytes: number;
  readonly processes: readonly ClusterProcess[];
  readonly components: readonly PartStatus[];
  readonly nodes: readonly {
    readonly name: string;
    readonly ready: boolean;
    readonly address?: string;
    readonly runtime?: string;
    readonly problem?: string;
  }[];
  /** Of several servers: the holders of the leases, and the members of etcd. */
  readonly controlPlane?: ControlPlaneStatus;
  /** All problems, one sentence each; empty if healthy. */
  readonly problems: readonly string[];
}

export interface RunningCluster {
  readonly cluster: Cluster;
  status(): Promise<ClusterStatus>;
  stop(): Promise<void>;
}

const readyTimeoutMs = 120_000;

export interface RunHooks {
  onStep(name: string, ms: number): void;
  onStopRequest(): void;
  onFatal(error: Error): void;
}

/** Resolves when the cluster is usable. `handlers` are more commands of the control socket. */
export async function runOnce(
  config: ClusterConfig,
  environment: Environment & Pick<PartContext, 'lab' | 'sandbox'>,
  nodeCommand: readonly string[],
  hooks: RunHooks,
  handlers: ControlHandlers,
): Promise<RunningCluster> {
  const { clock, logger } = environment;
  const startedAt = clock.now();
  const cluster = await startCluster(config, environment, nodeCommand, hooks);
  const nodes = createInformer({ ...environment, client: cluster.client }, 'nodes');
  const backups = await startBackups(cluster, environment, process.env).catch(async (error) => {
    await cluster.stop();
    throw error;
  });
  const control = await serveControl(cluster.directory.controlSocket, {
    status: () => status(),
    backup: (body) => backups.answer(body),
    explain: async (body) => cluster.explainPod(textIn(fieldsIn(body)['pod'])),
    'console-link': () => cluster.consoleLink(),
    metrics: async () => environment.metrics.text(),
    // From now on machines can join; the answer has the command.
    join: () => allowJoining(cluster),
    async 'renew-certificates'() {
      await cluster.etcd?.renewCertificates();
      await cluster.checkCertificates();
    },
    ...(cluster.etcd && etcdHandlers(cluster.etcd)),
    ...(cluster.leaveAtStop && { leave: cluster.leaveAtStop }),
    ...handlers,
    stop: async () => hooks.onStopRequest(),
  });
  const status = () => statusOf(cluster, nodes, { uptimeMs: clock.now() - startedAt, backup: backups.problem() });
  const stopCollecting = collectWhenIdle(clock);
  const stop = async () => {
    stopCollecting();
    await control.stop();
    await backups.stop();
    await nodes.stop();
    await cluster.stop();
  };
  try {
    await nodes.synced();
    if (config.components.includes('kubelet')) {
      const beginMs = clock.monotonic();
      await allReady(config, nodes, environment);
      hooks.onStep(
        config.nodeNames.length === 1 ? 'node Ready' : `${config.nodeNames.length} nodes Ready`,
        clock.monotonic() - beginMs,
      );
      const readyMs = clock.monotonic();
      if (await addOnsReady({ client: cluster.client, clock, nodeNames: config.nodeNames, sinceMs: startedAt }))
        hooks.onStep('services and DNS', clock.monotonic() - readyMs);
    }
    if (cluster.etcd) await publishServer(cluster, cluster.etcd);
  } catch (error) {
    await stop();
    throw error;
  }
  logger.info('cluster ready', { address: cluster.server, ms: Math.round(clock.now() - startedAt) });
  return { cluster, status, stop };
}

/** Another member is removed, with its machine. */
const etcdHandlers = (etcd: EtcdMember) => ({
  'remove-member': async (body: unknown) => ({ removed: await etcd.remove(textIn(fieldsIn(body)['name'])) }),
});

const readyCondition = (node: Node) => conditionOf(node, 'Ready');

async function allReady(config: ClusterConfig, nodes: Informer<Node>, { clock }: Environment): Promise<void> {
  const wanted = config.nodeNames;
  const missing = () => wanted.filter((name) => readyCondition(nodes.get(name) ?? ({} as Node))?.status !== 'True');
  const tooLate = new AbortController();
  await new Promise<void>((resolve, reject) => {
    const stop = nodes.handle(() => {
      if (missing().length === 0) resolve();
    });
    const done = () => {
      stop();
      const why = missing().map(
        (name) => `${name}: ${readyCondition(nodes.get(name) ?? ({} as Node))?.message ?? 'not registered'}`,
      );
      if (why.length === 0) resolve();
      else reject(new Error(`not Ready after ${readyTimeoutMs / 1000} s: ${firstFew(why)}`));
    };
    clock.sleep(readyTimeoutMs, tooLate.signal).then(done, () => stop());
  }).finally(() => tooLate.abort());
}

const firstFew = (texts: readonly string[]): string =>
  texts.length > 5 ? `${texts.slice(0, 5).join('; ')}; and ${texts.length - 5} more` : texts.join('; ');

interface Facts {
  readonly uptimeMs: number;
  /** The problem of scheduled backups. */
  readonly backup: string | undefined;
}

async function statusOf(
  cluster: Cluster,
  informer: Informer<Node>,
  { uptimeMs, backup }: Facts,
): Promise<ClusterStatus> {
  const { parts: components, processes } = await cluster.status();
  const controlPlane = cluster.etcd && (await controlPlaneStatus(cluster.client, cluster.etcd));
  const nodes = [...informer.list()]
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map((node) => {
      const ready = readyCondition(node);
      return {
        name: node.metadata.name,
        ready: ready?.status === 'True',
        address: addressOf(node),
        runtime: node.status?.nodeInfo?.containerRuntimeVersion,
        ...(ready?.status !== 'True' && { problem: ready?.message ?? 'has not reported yet' }),
      };
    });
  return {
    name: cluster.config.name,
    pid: process.pid,
    version,
    kubernetesVersion: kubernetesVersion.gitVersion,
    address: cluster.server,
    kubeconfig: cluster.directory.kubeconfig,
    uptimeSeconds: Math.round(uptimeMs / 1000),
    memoryBytes: processes.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    processes,
    components,
    nodes,
    ...(controlPlane && { controlPlane }),
    problems: [
      ...(controlPlane?.problems ?? []),
      ...(backup === undefined ? [] : [backup]),
      ...components.filter((c) => c.problem).map((c) => `${c.name}: ${c.problem}`),
      ...nodes.filter((n) => n.problem).map((n) => `node ${n.name} is not Ready: ${n.problem}`),
    ],
  };
}

const addressOf = ({ status }: Node): string | undefined =>
  ['InternalIP', 'ExternalIP']
    .map((wanted) => status?.addresses?.find(({ type }) => type === wanted))
    .find((found) => found)?.address;
