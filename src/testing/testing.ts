// The published test kit: a whole cluster inside a test, with its time and its nodes under the test's control.

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Client } from '../client/client.ts';
import {
  type Cluster,
  type ComponentName,
  completeConfig,
  componentNames,
  type NodeHandle,
  openDataDirectory,
  startParts,
} from '../cluster/cluster.ts';
import type { SimulatedBehaviour } from '../container-runtime/container-runtime.ts';
import type { UserInfo } from '../kube-apiserver/kube-apiserver.ts';
import { type Logger, silentLogger } from '../machinery/logger.ts';
import { Metrics } from '../machinery/metrics.ts';
import { seededRandom } from '../machinery/random.ts';
import { type Clock, systemClock, VirtualClock } from '../machinery/time/clock.ts';

export interface TestClusterOptions {
  /** Number of simulated nodes, node-1 to node-N. Default 1. */
  readonly nodes?: number;
  /** `virtual`: the test moves the time. Default. */
  readonly time?: 'virtual' | 'real';
  /** The same seed plays the same way. Default: 1. */
  readonly seed?: number;
  /** Also serves HTTPS on a free port, for kubectl and other clients; `kubeconfig` has the address. */
  readonly https?: boolean;
  /** Default: all. */
  readonly components?: readonly ComponentName[];
  /** A file: KubeSchedulerConfiguration. */
  readonly schedulerConfig?: string;
  /** A file: KubeletConfiguration of all nodes. */
  readonly kubeletConfig?: string;
  /** Behaviour of the containers; by default they start at once and run until stopped. */
  readonly behaviour?: SimulatedBehaviour;
  readonly logger?: Logger;
}

export interface TestCluster {
  /** As an administrator. */
  readonly client: Client;
  readonly clock: Clock;
  readonly seed: number;
  /** Path of a kubeconfig, with `https`. */
  readonly kubeconfig?: string;
  clientFor(user: UserInfo): Client;
  /** Throws when there is no such node. */
  node(name: string): NodeHandle;
  /** Moves virtual time forward; in real time, waits. */
  advance(ms: number): Promise<void>;
  /**
   * Moves time (or waits) until `condition` holds, at most `limitMs` (default 10 minutes virtual, 10 s real), and
   * returns how long that took in milliseconds. Rejects, naming the seed, when the condition never holds.
   */
  until(condition: () => boolean | Promise<boolean>, limitMs?: number): Promise<number>;
  stop(): Promise<void>;
}

/** No start in virtual time sleeps; if one does, time moves after this. */
const patienceMs = 10_000;
const stepMs = 100;

/** Resolves when the nodes are Ready, and pods can be placed on them. */
export async function startCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const { nodes = 1, seed = 1, https = false, time = 'virtual' } = options;
  const clock = time === 'virtual' ? new VirtualClock() : systemClock;
  const dataDirectory = https ? await mkdtemp(path.join(os.tmpdir(), 'coracle-test-')) : '/nonexistent';
  const config = completeConfig({
    name: 'test',
    dataDirectory,
    port: https ? 0 : undefined,
    runtime: 'simulated',
    store: 'memory',
    nodeNames: Array.from({ length: nodes }, (_, i) => `node-${i + 1}`),
    nodeIP: '127.0.0.1',
    schedulerConfig: options.schedulerConfig,
    kubeletConfig: options.kubeletConfig,
    components: options.components ?? componentNames.filter((name) => name !== 'kube-proxy' && name !== 'cluster-dns'),
  });
  const environment = {
    clock,
    random: seededRandom(seed),
    logger: options.logger ?? silentLogger,
    metrics: new Metrics(),
    ...(options.behaviour && { behaviour: options.behaviour }),
  };
  const starting = startParts(config, environment);
  const cluster = await (clock instanceof VirtualClock ? moving(clock, starting, patienceMs) : starting);
  if (https) await openDataDirectory(cluster.directory);
  const test = testCluster(cluster, clock, seed, https ? dataDirectory : undefined);
  const hasControllers = config.components.includes('kube-controller-manager');
  if (config.components.includes('kubelet'))
    await test.until(async () => (await usableNodes(cluster.client, hasControllers)) === nodes);
  // Without it no pod can be made.
  if (hasControllers) await test.until(() => hasDefaultAccount(cluster.client));
  return test;
}

/**
 * Runs work in virtual time to its end, and moves time when it sleeps. A start waits for keys and files in real time,
 * which must not move virtual time, because the amount would be random: only after `realMs` the work counts as asleep.
 */
async function moving<T>(clock: VirtualClock, work: Promise<T>, realMs = 0): Promise<T> {
  let done = false;
  const finished = work.finally(() => {
    done = true;
  });
  finished.catch(() => {}); // handed on below
  const startMs = systemClock.monotonic();
  while (!done)
    if (systemClock.monotonic() - startMs < realMs) await clock.settle();
    else await clock.advance(1);
  return finished;
}

async function hasDefaultAccount(client: Client): Promise<boolean> {
  const { items } = await client.list('serviceaccounts', { namespace: 'default' });
  return items.length > 0;
}

/** A controller takes the taint from a node that has become Ready. */
async function usableNodes(client: Client, hasControllers: boolean): Promise<number> {
  const { items } = await client.list('nodes');
  return items.filter(
    ({ spec, status }) =>
      status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') &&
      !(hasControllers && spec?.taints?.length),
  ).length;
}

function testCluster(cluster: Cluster, clock: Clock, seed: number, directory: string | undefined): TestCluster {
  const advance = (ms: number) => (clock instanceof VirtualClock ? clock.advance(ms) : clock.sleep(ms));
  return {
    client: cluster.client,
    clock,
    seed,
    ...(directory && { kubeconfig: cluster.directory.kubeconfig }),
    clientFor: (user) => cluster.clientFor(user),
    node(name) {
      const node = cluster.nodes.get(name);
      if (!node) throw new Error(`no such node: "${name}": there are ${[...cluster.nodes.keys()].join(', ')}`);
      return node;
    },
    advance,
    async until(condition, limitMs = clock instanceof VirtualClock ? 600_000 : 10_000) {
      const startMs = clock.monotonic();
      while (!(await condition())) {
        if (clock.monotonic() - startMs >= limitMs)
          throw new Error(`the condition did not hold within ${limitMs} ms (seed ${seed})`);
        await advance(clock instanceof VirtualClock ? stepMs : 10);
      }
      return clock.monotonic() - startMs;
    },
    async stop() {
      const stopping = cluster.stop();
      await (clock instanceof VirtualClock ? moving(clock, stopping) : stopping);
      if (directory) await rm(directory, { recursive: true, force: true });
    },
  };
}
