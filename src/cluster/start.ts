// Puts the parts of a cluster together, starts and stops them.

import { type Client, createClient, type RunningComponent } from '../client/client.ts';
import type { UserInfo } from '../kube-apiserver/kube-apiserver.ts';
import type { Decision } from '../kube-scheduler/kube-scheduler.ts';
import { type Assembly, type Environment, identities, type NodeHandle } from './assembly.ts';
import type { ClusterConfig } from './config.ts';
import { claim, type DataDirectory, dataDirectory, openDataDirectory } from './data-directory.ts';
import { withOwnRanges } from './network-ranges.ts';
import { parts } from './parts.ts';
import { version } from './version.ts';

export interface PartStatus {
  readonly name: string;
  /** Milliseconds that its start took. */
  readonly startMs: number;
  /** Why it is not healthy, undefined while it is. */
  readonly problem?: string;
}

export interface Cluster {
  readonly config: ClusterConfig;
  readonly directory: DataDirectory;
  /** URL of the API server. */
  readonly server: string;
  /** A client of this process that may do everything. */
  readonly client: Client;
  /** A client of this process under another identity. */
  clientFor(user: UserInfo): Client;
  /** The nodes of this machine by their names. */
  readonly nodes: ReadonlyMap<string, NodeHandle>;
  status(): readonly PartStatus[];
  /** Why the scheduler put a pod (namespace/name) where it is; undefined when that is not known (any more). */
  explainPod(pod: string): Decision | undefined;
  /** Stops the parts from the bottom of the list to its top. Containers keep running. */
  stop(): Promise<void>;
}

interface Started {
  readonly name: string;
  readonly startMs: number;
  readonly running: RunningComponent;
}

export interface StartHooks {
  /** Hears of each part that has started. */
  onStep?(name: string, ms: number): void;
  onFatal?(error: Error): void;
}

/** Starts the cluster that lives in a data directory, for this process alone. Resolves when every part runs. */
export async function startCluster(
  config: ClusterConfig,
  environment: Environment,
  hooks: StartHooks = {},
): Promise<Cluster> {
  const directory = dataDirectory(config.dataDirectory);
  await openDataDirectory(directory);
  const startedAt = environment.clock.now();
  const info = (address: string) => ({ pid: process.pid, name: config.name, address, startedAt, version });
  await claim(directory, info(''));
  const cluster = await startParts(
    await withOwnRanges({ ...config, dataDirectory: directory.root }, directory),
    environment,
    hooks,
  );
  await claim(directory, info(cluster.server));
  return cluster;
}

/** Starts the parts in their order; stops what it started when one fails. */
export async function startParts(
  config: ClusterConfig,
  environment: Environment & Pick<Assembly, 'behaviour'>,
  hooks: StartHooks = {},
): Promise<Cluster> {
  const directory = dataDirectory(config.dataDirectory);
  const { clock, logger } = environment;
  const assembly: Assembly = {
    ...environment,
    config,
    directory,
    fatal: (error) => {
      logger.error('a component gave up', { error: String(error.stack) });
      hooks.onFatal?.(error);
    },
  };
  const started: Started[] = [];
  const stop = async () => {
    for (const part of started.splice(0).reverse())
      await part.running
        .stop()
        .catch((error) => logger.error('a part did not stop cleanly', { part: part.name, error: String(error) }));
  };
  try {
    for (const part of parts) {
      if (part.name !== 'store' && !config.components.includes(part.name)) continue;
      const missing = part.after.find((name) => !started.some((s) => s.name === name));
      if (missing) throw new Error(`${part.name} needs ${missing}: add it to --components`);
      const beginMs = clock.monotonic();
      const running = await part.start(assembly);
      const startMs = clock.monotonic() - beginMs;
      started.push({ name: part.name, startMs, running });
      logger.info('part started', { part: part.name, ms: Math.round(startMs) });
      hooks.onStep?.(part.name, startMs);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    config,
    directory,
    server: `https://${config.nodeIP}:${assembly.port}`,
    client: createClient(assembly.apiServer!.transport(identities.admin)),
    clientFor: assembly.clientFor!,
    nodes: assembly.nodes ?? new Map(),
    status: () => started.map(({ name, startMs, running }) => ({ name, startMs, problem: running.health?.() })),
    explainPod: (pod) => assembly.explainPod?.(pod),
    stop,
  };
}
