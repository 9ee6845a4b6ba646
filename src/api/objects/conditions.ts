// Reading and editing of status.conditions, the same for every kind.
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties

interface Typed {
  readonly type?: string;
}

interface Stated extends Typed {
  readonly status: string;
  readonly lastTransitionTime?: string;
}

interface WithConditions<C extends Typed> {
  readonly status?: { readonly conditions?: readonly C[] };
}

export const conditionOf = <C extends Typed>(object: WithConditions<C> | undefined, type: string): C | undefined =>
  object?.status?.conditions?.find((condition) => condition.type === type);

/** False as well when the condition is absent. */
export const isConditionTrue = (object: WithConditions<Stated> | undefined, type: string): boolean =>
  conditionOf(object, type)?.status === 'True';

/** `lastTransitionTime` of a condition that gets `status` at `now` (RFC 3339): changes only with the status. */
export const transitionTime = (previous: Stated | undefined, status: string, now: string): string =>
  (previous?.status === status && previous.lastTransitionTime) || now;

/** The list with `next` in the place of the condition of its type, or behind the others. */
export function withCondition<C extends Typed>(conditions: readonly C[] | undefined, next: C): C[] {
  const list = conditions ?? [];
  const index = list.findIndex(({ type }) => type === next.type);
  return index < 0 ? [...list, next] : list.with(index, next);
}

export const withoutCondition = <C extends Typed>(conditions: readonly C[] | undefined, type: string): C[] =>
  (conditions ?? []).filter((condition) => condition.type !== type);
