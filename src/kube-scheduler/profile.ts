// A profile: the plugins that schedule the pods of one schedulerName. All profiles share the queue and the cache.
// https://kubernetes.io/docs/reference/scheduling/config/#multiple-profiles

import type { ComponentContext } from '../client/client.ts';
import { createEventReporter, type EventReporter, type Report } from '../client/client.ts';
import { SchedulingCycle } from './cycle.ts';
import type { Plugin } from './framework.ts';
import { PodStatusWriter } from './pod-status-writer.ts';

export interface ProfileConfig {
  readonly schedulerName: string;
  readonly plugins: readonly Plugin[];
  readonly percentageOfNodesToScore?: number;
}

export interface Profile {
  readonly name: string;
  readonly plugins: readonly Plugin[];
  readonly pluginByName: ReadonlyMap<string, Plugin>;
  readonly cycle: SchedulingCycle;
  readonly events: EventReporter;
  readonly status: PodStatusWriter;
}

export function createProfile(context: ComponentContext, config: ProfileConfig): Profile {
  const { schedulerName, plugins, percentageOfNodesToScore } = config;
  const events = createEventReporter(context, schedulerName);
  return {
    name: schedulerName,
    plugins,
    pluginByName: new Map(plugins.map((plugin) => [plugin.name, plugin])),
    cycle: new SchedulingCycle(plugins, context.random, percentageOfNodesToScore),
    events,
    status: new PodStatusWriter(context, schedulerName, events),
  };
}

export const failedScheduling = (note: string): Report => ({
  type: 'Warning',
  reason: 'FailedScheduling',
  action: 'Scheduling',
  note,
});
