// The status of an autoscaler, edited in a copy.

import {
  conditionOf,
  type HorizontalPodAutoscaler,
  type HorizontalPodAutoscalerCondition,
  type HorizontalPodAutoscalerStatus,
  type MetricStatus,
  transitionTime,
  withCondition,
} from '../../api/api.ts';
import { timestamp } from '../../client/client.ts';
import type { Reasoned } from './scaling-rules.ts';

type ConditionType = 'AbleToScale' | 'ScalingActive' | 'ScalingLimited';

export class StatusDraft {
  readonly #previous: HorizontalPodAutoscaler;
  readonly #nowMs: number;
  #status: HorizontalPodAutoscalerStatus;

  constructor(autoscaler: HorizontalPodAutoscaler, nowMs: number) {
    this.#previous = autoscaler;
    this.#nowMs = nowMs;
    this.#status = { ...autoscaler.status };
  }

  get status(): HorizontalPodAutoscalerStatus {
    return this.#status;
  }

  condition(type: ConditionType, isTrue: boolean, { reason, message }: Reasoned): void {
    const status = isTrue ? 'True' : 'False';
    const previous = conditionOf(this.#previous, type) as
      | (HorizontalPodAutoscalerCondition & { status: string })
      | undefined;
    const lastTransitionTime = transitionTime(previous, status, timestamp(this.#nowMs));
    const next = { type, status, lastTransitionTime, reason, message };
    this.#status = { ...this.#status, conditions: withCondition(this.#status.conditions, next) };
  }

  /** Removes ScaledToZero, which a server with the alpha feature HPAScaleToZero may have set. */
  forgetScaledToZero(): void {
    const { conditions } = this.#status;
    if (!conditions?.some(({ type }) => type === 'ScaledToZero')) return;
    this.#status = { ...this.#status, conditions: conditions.filter(({ type }) => type !== 'ScaledToZero') };
  }

  /** Everything but the conditions. Fields that the controller does not set are dropped. */
  replicas(
    current: number,
    desired: number,
    currentMetrics: readonly MetricStatus[] | undefined,
    wasScaled: boolean,
  ): void {
    const { lastScaleTime, conditions } = this.#status;
    this.#status = {
      currentReplicas: current,
      desiredReplicas: desired,
      ...(currentMetrics && { currentMetrics: [...currentMetrics] }),
      ...(conditions && { conditions }),
      ...((wasScaled || lastScaleTime) && { lastScaleTime: wasScaled ? timestamp(this.#nowMs) : lastScaleTime }),
    };
  }
}
