// The room's front door. The scheduler assigns nodes to pods without one.
// https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/

import {
  type ComponentContext,
  fencedClient,
  type LeaderElection,
  type RunningComponent,
  runLeaderElection,
} from '../client/client.ts';
import type { Decision } from './decisions.ts';
import type { Plugin } from './framework.ts';
import { defaultPlugins } from './plugins/plugins.ts';
import { Scheduler } from './scheduler.ts';

export type { RankedNode } from './cycle.ts';
export type { Decision } from './decisions.ts';
export type { FilteredNode } from './framework.ts';

export interface KubeSchedulerConfig {
  /** Schedules pods of this schedulerName. Default: default-scheduler. */
  readonly schedulerName?: string;
  readonly plugins?: readonly Plugin[];
  /** With it, only the holder of the Lease schedules. */
  readonly leaderElection?: { readonly identity: string };
}

export interface RunningScheduler extends RunningComponent {
  /** The last decision about the pod (namespace/name); undefined if evicted. */
  explain(pod: string): Decision | undefined;
}

export async function startKubeScheduler(
  context: ComponentContext,
  config: KubeSchedulerConfig,
): Promise<RunningScheduler> {
  if (!config.leaderElection) return startLeading(context, config);
  let running: Promise<RunningScheduler> | undefined;
  let current: RunningScheduler | undefined;
  const election: LeaderElection = runLeaderElection(context, {
    name: 'kube-scheduler',
    identity: config.leaderElection.identity,
    onStartedLeading() {
      // No pod is bound after the lead is lost.
      running = startLeading({ ...context, client: fencedClient(context.client, () => election.holds) }, config);
      void running.then((scheduler) => {
        current = scheduler;
      });
    },
    onStoppedLeading: () => context.fatal(new Error('kube-scheduler lost its lead')),
  });
  return {
    explain: (pod) => current?.explain(pod),
    async stop() {
      await (await running)?.stop();
      await election.stop();
    },
  };
}

async function startLeading(context: ComponentContext, config: KubeSchedulerConfig): Promise<RunningScheduler> {
  const { schedulerName = 'default-scheduler', plugins = defaultPlugins } = config;
  const scheduler = new Scheduler(context, { profiles: [{ schedulerName, plugins }] });
  await scheduler.start();
  return scheduler;
}
