// The scheduler's writes to pod status: why a pod is pending, its nominated node, and the disruption of a victim.

import { conditionOf, formatTime, isConflict, isNotFound, type Pod } from '../api/api.ts';
import type { ComponentContext, EventReporter } from '../client/client.ts';

export class PodStatusWriter {
  readonly #context: ComponentContext;
  readonly #schedulerName: string;
  readonly #events: EventReporter;

  constructor(context: ComponentContext, schedulerName: string, events: EventReporter) {
    this.#context = context;
    this.#schedulerName = schedulerName;
    this.#events = events;
  }

  /** Writes why the pod waits. `nominated`: a node, null to clear it, undefined to leave it as it is. */
  async report(
    pod: Pod,
    message: string,
    nominated: string | null | undefined,
    reason: 'Unschedulable' | 'SchedulerError' = 'Unschedulable',
    nominatedBefore = pod.status?.nominatedNodeName,
  ): Promise<void> {
    const previous = conditionOf(pod, 'PodScheduled');
    const wasRefused = previous?.status === 'False';
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason,
      message,
      observedGeneration: pod.metadata.generation,
      lastTransitionTime: wasRefused ? previous.lastTransitionTime : this.#now(),
      lastProbeTime: null,
    };
    const isNew = !wasRefused || previous.message !== message || previous.reason !== reason;
    const moves = nominated !== undefined && (nominated ?? undefined) !== nominatedBefore;
    if (!isNew && !moves) return;
    await this.#patch(pod, { conditions: [condition], ...(moves && { nominatedNodeName: nominated }) });
  }

  /** Shows others, such as an autoscaler, that the pod will soon be bound to the node: https://kep.k8s.io/5278. */
  async expect(pod: Pod, node: string): Promise<void> {
    if (pod.status?.nominatedNodeName !== node) await this.#patch(pod, { nominatedNodeName: node });
  }

  clearNomination(pod: Pod): Promise<void> {
    return this.#patch(pod, { nominatedNodeName: null });
  }

  /** Deletes a victim, saying why. False when it stays. */
  async preempt(victim: Pod, preemptor: Pod): Promise<boolean> {
    if (victim.metadata.deletionTimestamp) return true;
    const { name, namespace, uid, generation } = victim.metadata;
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      observedGeneration: generation,
      reason: 'PreemptionByScheduler',
      message: `${this.#schedulerName}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: this.#now(),
      lastProbeTime: null,
    };
    await this.#patch(victim, { conditions: [condition] });
    try {
      await this.#context.client.delete('pods', { name, namespace }, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) this.#warn('preemption failed', victim, error);
      return false;
    }
    this.#events.report(victim, {
      ...{ type: 'Normal', reason: 'Preempted', action: 'Preempting', related: preemptor },
      note: `Preempted by pod ${preemptor.metadata.uid} on node ${victim.spec.nodeName}`,
    });
    return true;
  }

  async #patch(pod: Pod, status: object): Promise<void> {
    const { name, namespace, uid } = pod.metadata;
    const patch = { type: 'strategic', body: { metadata: { uid }, status } } as const;
    try {
      await this.#context.client.patch('pods', { name, namespace }, patch, { subresource: 'status' });
    } catch (error) {
      if (!isNotFound(error)) this.#warn('cannot write the status of a pod', pod, error);
    }
  }

  #warn(message: string, { metadata: { name, namespace } }: Pod, error: unknown): void {
    this.#context.logger.warn(message, { pod: `${namespace}/${name}`, error: String(error) });
  }

  #now(): string {
    return formatTime(this.#context.clock.now());
  }
}
