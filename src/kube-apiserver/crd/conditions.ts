// Conditions of custom resource definitions.

import { type CustomResourceDefinition, formatTime } from '../../api/api.ts';

export type Status = NonNullable<CustomResourceDefinition['status']>;
export type Condition = NonNullable<Status['conditions']>[number];

export const isTrue = ({ status }: CustomResourceDefinition, type: string): boolean =>
  status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;

/** The time of a condition changes with its status only. */
export function withCondition(status: Status, next: Condition, now: number): Status {
  const conditions = status.conditions ?? [];
  const index = conditions.findIndex(({ type }) => type === next.type);
  const before = conditions[index];
  const lastTransitionTime = before?.status === next.status ? before.lastTransitionTime : formatTime(now);
  const { type, status: value, reason, message } = next;
  const condition = { ...before, type, status: value, lastTransitionTime, reason, message } as Condition;
  return { ...status, conditions: index < 0 ? [...conditions, condition] : conditions.with(index, condition) };
}
