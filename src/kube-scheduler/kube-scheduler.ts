// The room's front door. The scheduler assigns nodes to pods without one.
// https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/

import {
  type ComponentContext,
  fencedClient,
  type LeaderElection,
  type RunningComponent,
  runLeaderElection,
} from '../client/client.ts';
import type { SchedulerSettings } from './configuration/configuration.ts';
import type { Decision } from './decisions.ts';
import { openExtenders } from './extenders/open-extenders.ts';
import { configuredPlugins } from './plugins/configured-plugins.ts';
import { defaultPlugins } from './plugins/plugins.ts';
import { Scheduler, type SchedulerConfig } from './scheduler.ts';

export { parseSchedulerConfiguration, type SchedulerSettings } from './configuration/configuration.ts';
export { SchedulerConfigurationError } from './configuration/error.ts';
export type { Decision } from './decisions.ts';

interface KubeSchedulerConfig {
  readonly settings?: SchedulerSettings;
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
  const scheduler = new Scheduler(context, await schedulerConfig(config.settings));
  if (config.settings?.unused.length)
    context.logger.warn('fields of the scheduler configuration have no effect', {
      fields: config.settings.unused.join(', '),
    });
  await scheduler.start();
  return scheduler;
}

async function schedulerConfig(settings: SchedulerSettings | undefined): Promise<SchedulerConfig> {
  if (!settings) return { profiles: [{ schedulerName: 'default-scheduler', plugins: defaultPlugins }] };
  const { profiles, extenders, podInitialBackoffSeconds, podMaxBackoffSeconds } = settings;
  const ignored = extenders.flatMap(({ ignoredResources }) => ignoredResources);
  return {
    profiles: profiles.map((profile) => ({ ...profile, plugins: configuredPlugins(profile, ignored) })),
    extenders: await openExtenders(extenders),
    backOff: { firstMs: podInitialBackoffSeconds * 1_000, longestMs: podMaxBackoffSeconds * 1_000 },
  };
}
