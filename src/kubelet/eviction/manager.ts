// Prevents shortage of memory, disk and processes on a node: reports pressure, removes garbage, evicts pods.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/

import type { KubeletTools } from '../tools.ts';
import { isCritical } from './critical.ts';
import type { Evictable } from './local-storage.ts';
import type { NodePressure } from './node-pressure.ts';
import { withUsage } from './pod-usage.ts';
import { crossed, decide, noPressure, type Observations, type PressureState, resourceOf } from './pressure.ts';
import { evictionMessage, ranked } from './ranking.ts';
import { type StarvedResource, type Threshold, thresholdsOf } from './thresholds.ts';

const monitoringIntervalMs = 10_000;
export const transitionPeriodMs = 5 * 60_000;
const hardGraceSeconds = 1;
const cleanupMs = 30_000;
const cleanupPollMs = 1_000;

interface PressureTools {
  readonly tools: KubeletTools;
  readonly pressure: NodePressure;
  readonly pods: () => readonly Evictable[];
  /** An event of the node. */
  readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
  /** Removes unused containers and images. */
  readonly reclaimDisk: () => Promise<void>;
  /** The conditions have changed. */
  readonly changed: () => void;
}

export class EvictionManager {
  readonly #parts: PressureTools;
  readonly #thresholds: readonly Threshold[];
  #state: PressureState = noPressure;

  /** Throws an Error for invalid thresholds. */
  constructor(parts: PressureTools) {
    this.#parts = parts;
    this.#thresholds = thresholdsOf(parts.tools.config.eviction);
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#parts.tools;
    if (this.#thresholds.length === 0) return;
    while (!signal.aborted) {
      const evicted = await this.synchronize(signal).catch((error) => {
        logger.error('node pressure check failed', { error: String(error) });
        return undefined;
      });
      if (evicted) await this.#cleanedUp(evicted, signal);
      else await clock.sleep(monitoringIntervalMs, signal).catch(() => {});
    }
  }

  /** One check of the node. Resolves with the evicted pod. */
  async synchronize(signal: AbortSignal): Promise<Evictable | undefined> {
    const { tools, event, reclaimDisk } = this.#parts;
    const { meter } = tools.machine;
    const observations = await meter.observe();
    const due = this.#note(observations);
    const [threshold] = due;
    if (!threshold) return undefined;
    const resource = resourceOf(threshold);
    event('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`);
    if (await this.#reclaims(threshold)) {
      await reclaimDisk();
      const after = await meter.observe();
      if (crossed(this.#thresholds, after, true).length === 0) return undefined;
    }
    return this.#evictOne(threshold, resource, due, observations, signal);
  }

  #note(observations: Observations): readonly Threshold[] {
    const { tools, pressure, changed } = this.#parts;
    const { evictionPressureTransitionPeriodMs = transitionPeriodMs } = tools.config.eviction ?? {};
    const now = tools.clock.monotonic();
    const decision = decide(this.#state, this.#thresholds, observations, now, evictionPressureTransitionPeriodMs);
    this.#state = decision.state;
    const before = pressure.conditions;
    pressure.conditions = decision.conditions;
    if (before.size !== decision.conditions.size || [...before].some((each) => !decision.conditions.has(each)))
      changed();
    return decision.due;
  }

  /** Whether images and ended containers are on the file system that is short. */
  async #reclaims({ signal }: Threshold): Promise<boolean> {
    if (signal.startsWith('imagefs.')) return true;
    return signal.startsWith('nodefs.') && !(await this.#parts.tools.machine.meter.hasImageFileSystem());
  }

  async #evictOne(
    threshold: Threshold,
    resource: StarvedResource,
    due: readonly Threshold[],
    observations: Observations,
    signal: AbortSignal,
  ): Promise<Evictable | undefined> {
    const { tools, pods } = this.#parts;
    const active = pods().filter((each) => each.isActive);
    const candidates = await withUsage(
      active.map((evictable) => ({ evictable, pod: evictable.pod })),
      resource,
      tools,
      signal,
    );
    const victim = ranked(candidates, resource).find(({ pod, evictable }) => !isCritical(pod) && evictable.isActive);
    if (!victim) {
      tools.logger.warn('no pod of the node can be evicted', { resource });
      return undefined;
    }
    const message = evictionMessage(victim, resource, due, observations);
    victim.evictable.evict(message, { graceSeconds: this.#grace(threshold, victim.pod), isDisruption: true });
    return victim.evictable;
  }

  #grace({ graceMs }: Threshold, { spec }: Evictable['pod']): number {
    if (graceMs === 0) return hardGraceSeconds;
    const most = this.#parts.tools.config.eviction?.evictionMaxPodGracePeriod ?? 0;
    return Math.min(most, Number(spec.terminationGracePeriodSeconds ?? most));
  }

  /** The pod's resources are free only after its containers are gone. */
  async #cleanedUp({ pod }: Evictable, signal: AbortSignal): Promise<void> {
    const { tools } = this.#parts;
    const { uid } = pod.metadata;
    for (let waitedMs = 0; waitedMs < cleanupMs && !signal.aborted; waitedMs += cleanupPollMs) {
      await tools.clock.sleep(cleanupPollMs, signal).catch(() => {});
      const { containers, sandboxes } = tools.cache.get(uid);
      if (containers.every((c) => c.state !== 'running') && sandboxes.every((s) => s.state !== 'ready')) return;
    }
  }
}
