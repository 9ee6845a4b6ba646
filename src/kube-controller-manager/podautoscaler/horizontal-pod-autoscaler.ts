// Sets the replicas of a target so that its metrics stay near their target values.
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/

import {
  type HorizontalPodAutoscaler,
  type HorizontalPodAutoscalerSpec,
  isConflict,
  type MetricStatus,
  type Pod,
} from '../../api/api.ts';
import { type Controller, keyOf, type Tools } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { parseQuantity } from '../../machinery/quantity.ts';
import type { LabelSelector } from '../../machinery/selectors/label-selector.ts';
import { parseExact } from '../../machinery/text/exact-json.ts';
import { actionOf, computeReplicas } from './compute-replicas.ts';
import { type AutoscalerConfig, autoscalerDefaults } from './config.ts';
import { type Action, Observations } from './observations.ts';
import type { Tolerances } from './replica-count.ts';
import { type FoundScale, findScale, InvalidApiVersion, readScale, ServedKinds } from './scale-target.ts';
import { type History, limitReplicas, newHistory, withScaleEvent } from './scaling-rules.ts';
import { StatusDraft } from './status.ts';

/** Attempts to write a scale that other writers change at the same time. */
const scaleAttempts = 5;

/** An autoscaler's memory. A new leader begins with none. */
interface Memory {
  history?: History;
  selector?: LabelSelector;
}

/** One reconciliation of one autoscaler. */
interface Run {
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly memory: Memory;
  readonly draft: StatusDraft;
  readonly config: Required<AutoscalerConfig>;
  readonly tools: Tools;
  readonly kinds: ServedKinds;
  /** Autoscalers whose selector matches one of the pods, as messages show them. */
  selecting(pods: readonly Pod[]): string[];
}

/** Ends a reconciliation whose status and events are written: the next one is after the period. */
class Stopped extends Error {
  readonly isOfSpec: boolean;

  constructor(message: string | undefined, isOfSpec = false) {
    super(message);
    this.isOfSpec = isOfSpec;
  }
}

export function horizontalPodAutoscaler(given: AutoscalerConfig = {}): Controller {
  const config = { ...autoscalerDefaults, ...given };
  const memories = new Map<string, Memory>();
  let kinds: ServedKinds | undefined;
  return {
    name: 'horizontalpodautoscaler',
    component: 'horizontal-pod-autoscaler',
    watches: [
      {
        resource: 'horizontalpodautoscalers',
        keys: (object) => [keyOf(object)],
        // The next period is soon enough: a recommendation for each change would distort the stabilization.
        matters: () => false,
      },
    ],
    reads: ['pods'],
    workers: config.workers,
    async reconcile(key, tools) {
      const observations = new Observations(tools.metrics);
      const autoscaler = tools.lister('horizontalpodautoscalers').get(key);
      if (!autoscaler || autoscaler.metadata.deletionTimestamp) {
        memories.delete(key);
        return observations.autoscalers(memories.size);
      }
      const memory = memories.get(key);
      if (!memory) {
        memories.set(key, {});
        observations.autoscalers(memories.size);
        // A new target has no metrics yet.
        return { after: config.syncPeriodMs };
      }
      kinds ??= new ServedKinds(tools.clock);
      const draft = new StatusDraft(autoscaler, tools.clock.now());
      const selecting = selectingIn(memories, autoscaler.metadata.namespace);
      await observed({ autoscaler, memory, draft, config, tools, kinds, selecting }, observations);
      return { after: config.syncPeriodMs };
    },
  };
}

const selectingIn =
  (memories: ReadonlyMap<string, Memory>, namespace: string | undefined): Run['selecting'] =>
  (pods) =>
    [...memories].flatMap(([key, { selector }]) => {
      const [space, name] = key.split('/');
      const matches = pods.some(({ metadata }) => selector?.matches(metadata.labels ?? {}));
      return space === namespace && matches ? [`{${name} ${space}}`] : [];
    });

async function observed(run: Run, observations: Observations): Promise<void> {
  const { clock, logger } = run.tools;
  const startedMs = clock.monotonic();
  const progress: Progress = { action: 'none' };
  const { name, namespace = '' } = run.autoscaler.metadata;
  const done = (error: 'none' | 'spec' | 'internal') =>
    observations.reconciliation(progress.action, error, clock.monotonic() - startedMs);
  try {
    observations.desired(namespace, name, await autoscale(run, progress));
    done('none');
  } catch (error) {
    const isStopped = error instanceof Stopped;
    done(isStopped && error.isOfSpec ? 'spec' : 'internal');
    // Repeats come with the period alone: a metric that is missing now will still be missing in 5 ms.
    logger.warn('autoscaling failed', { key: keyOf(run.autoscaler), error: (error as Error).message });
  }
}

/** A failure after a change of the target does not undo it. */
interface Progress {
  action: Action;
}

/** Resolves with the desired replicas. */
async function autoscale(run: Run, progress: Progress): Promise<number> {
  const { autoscaler, draft, memory, tools } = run;
  const { spec } = autoscaler;
  const found = await scaleOf(run);
  const current = found.scale.spec?.replicas ?? 0;
  const nowMs = tools.clock.now();
  memory.history ??= newHistory(current, nowMs);
  const min = spec.minReplicas ?? 1;
  let decision: Decision;
  if (current === 0) {
    const message = 'scaling is disabled since the replica count of the target is zero';
    draft.condition('ScalingActive', false, { reason: 'ScalingDisabled', message });
    draft.forgetScaledToZero();
    decision = { replicas: current, why: '' };
  } else if (current > spec.maxReplicas)
    decision = { replicas: spec.maxReplicas, why: 'Current number of replicas above Spec.MaxReplicas' };
  else if (current < min) decision = { replicas: min, why: 'Current number of replicas below Spec.MinReplicas' };
  else decision = await decide(run, found, current, min);

  const { replicas, why, metrics } = decision;
  const isScaled = replicas !== current;
  if (isScaled) {
    await rescale(run, found, decision, current);
    progress.action = actionOf(current, replicas);
    draft.forgetScaledToZero();
    const message = `the HPA controller was able to update the target scale to ${replicas}`;
    draft.condition('AbleToScale', true, { reason: 'SucceededRescale', message });
    tools.events.event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${replicas}; reason: ${why}`);
    memory.history = withScaleEvent(memory.history, spec.behavior, { from: current, to: replicas, nowMs });
  }
  draft.replicas(current, replicas, metrics, isScaled);
  await writeStatus(run);
  if (decision.failure) throw new Stopped(decision.failure);
  return replicas;
}

interface Decision {
  readonly replicas: number;
  /** The reason of a change. */
  readonly why: string;
  readonly metrics?: readonly MetricStatus[];
  /** Metrics that gave no proposal while others did. */
  readonly failure?: string;
}

async function scaleOf(run: Run): Promise<FoundScale> {
  const { autoscaler, draft, tools, kinds } = run;
  const { scaleTargetRef } = autoscaler.spec;
  const { namespace = '' } = autoscaler.metadata;
  try {
    const found = await findScale(tools.client, kinds, namespace, scaleTargetRef);
    const message = "the HPA controller was able to get the target's current scale";
    draft.condition('AbleToScale', true, { reason: 'SucceededGetScale', message });
    return found;
  } catch (error) {
    const { message } = error as Error;
    tools.events.event(autoscaler, 'Warning', 'FailedGetScale', message);
    const shown = `the HPA controller was unable to get the target's current scale: ${message}`;
    draft.condition('AbleToScale', false, { reason: 'FailedGetScale', message: shown });
    await writeStatus(run);
    throw new Stopped(message, error instanceof InvalidApiVersion);
  }
}

async function decide(run: Run, { scale }: FoundScale, current: number, min: number): Promise<Decision> {
  const { autoscaler, config, draft, memory, tools } = run;
  const { spec, status } = autoscaler;
  const { best, metrics, failure } = await computeReplicas({
    ...run,
    scale,
    tolerances: tolerancesOf(spec, config.tolerance),
    remember: (selector) => {
      memory.selector = selector;
    },
  });
  if (!best) {
    draft.replicas(current, status?.desiredReplicas ?? 0, metrics, false);
    await writeStatus(run);
    tools.events.event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', failure ?? '');
    throw new Stopped(failure);
  }
  const nowMs = tools.clock.now();
  const desired = best.replicas;
  const { downscaleStabilizationMs } = config;
  const limits = { current, desired, min, max: spec.maxReplicas, nowMs, downscaleStabilizationMs };
  const limited = limitReplicas(limits, spec.behavior, memory.history ?? newHistory(current, nowMs));
  memory.history = limited.history;
  draft.condition('AbleToScale', true, limited.able);
  draft.condition('ScalingLimited', limited.limited.isTrue, limited.limited);
  const why = desired > current ? `${best.name} above target` : desired < current ? 'All metrics below target' : '';
  return { replicas: limited.replicas, why, metrics, ...(failure && { failure }) };
}

function tolerancesOf({ behavior }: HorizontalPodAutoscalerSpec, usual: number): Tolerances {
  const of = (tolerance: string | undefined) =>
    tolerance === undefined ? usual : Number(parseQuantity(tolerance).nanos) / 1e9;
  return { up: of(behavior?.scaleUp?.tolerance), down: of(behavior?.scaleDown?.tolerance) };
}

/** Writes the scale, also over changes of other writers. */
async function rescale(
  run: Run,
  { scale, resource }: FoundScale,
  { replicas, why, metrics }: Decision,
  current: number,
): Promise<void> {
  const { autoscaler, draft, tools } = run;
  const { namespace = '' } = autoscaler.metadata;
  const { name } = autoscaler.spec.scaleTargetRef;
  let latest = scale;
  for (let attempt = 1; ; attempt++)
    try {
      const next = { ...latest, spec: { ...latest.spec, replicas } };
      await tools.client.update(resource, next, { subresource: 'scale' });
      return;
    } catch (error) {
      if (isConflict(error) && attempt < scaleAttempts) {
        latest = await readScale(tools.client, resource, namespace, name).catch(() => latest);
        continue;
      }
      const { message } = error as Error;
      const shown = `New size: ${replicas}; reason: ${why}; error: ${message}`;
      tools.events.event(autoscaler, 'Warning', 'FailedRescale', shown);
      const unable = `the HPA controller was unable to update the target scale: ${message}`;
      draft.condition('AbleToScale', false, { reason: 'FailedUpdateScale', message: unable });
      draft.replicas(current, autoscaler.status?.desiredReplicas ?? 0, metrics, false);
      await writeStatus(run);
      throw new Stopped(message);
    }
}

async function writeStatus({ autoscaler, draft, tools }: Run): Promise<void> {
  const { status } = draft;
  if (deepEqual(parseExact(JSON.stringify(status)), autoscaler.status ?? {})) return;
  const options = { subresource: 'status' } as const;
  await tools.client.update('horizontalpodautoscalers', { ...autoscaler, status }, options).catch((error) => {
    tools.events.event(autoscaler, 'Warning', 'FailedUpdateStatus', (error as Error).message);
    throw error;
  });
}
