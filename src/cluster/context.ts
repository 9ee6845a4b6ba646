// The context of every part of a cluster: environment, configuration, directory.

import type { Client, ComponentContext } from '../client/client.ts';
import type { SimulatedBehaviour } from '../container-runtime/container-runtime.ts';
import type { Logger } from '../machinery/logger.ts';
import type { Metrics } from '../machinery/metrics.ts';
import type { Random } from '../machinery/random.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { RunConfig } from './config.ts';
import type { DataDirectory } from './data-directory.ts';
import type { Server } from './joining/types.ts';
import type { Lab } from './lab/lab.ts';
import type { Sandbox } from './lab/sandbox.ts';

export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface PartContext extends Environment {
  readonly config: RunConfig;
  readonly directory: DataDirectory;
  /** Of a machine that is one server of several. */
  readonly server?: Server;
  readonly fatal: (error: Error) => void;
  /** Usage of the nodes in this process, by their names: the text of the kubelet's /metrics/resource. */
  readonly localUsage: Map<string, () => Promise<string>>;
  /** Behaviour of simulated containers, for tests. */
  readonly behaviour?: SimulatedBehaviour;
  /** Of a simulated cluster whose time and nodes the console may change. */
  readonly lab?: Lab;
  /** Of a cluster that can start a simulated one beside it. */
  readonly sandbox?: Sandbox;
}

/** The context of a component, with a client for its identity. */
export const componentContext = (context: PartContext, name: string, client: Client): ComponentContext => ({
  client,
  clock: context.clock,
  random: context.random,
  logger: context.logger.child({ component: name }),
  metrics: context.metrics,
  fatal: context.fatal,
});
