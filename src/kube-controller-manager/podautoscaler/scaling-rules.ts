// Limits on a proposed number of replicas: bounds, rates and stabilization. Pure: the history goes in and comes out.
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior

import type { HorizontalPodAutoscalerSpec, HPAScalingRules } from '../../api/api.ts';

interface Recommendation {
  readonly replicas: number;
  readonly atMs: number;
}

interface ScaleEvent {
  /** Added or removed replicas, not negative. */
  readonly change: number;
  readonly atMs: number;
}

/** The autoscaler's past that its limits depend on. A new leader begins with none. */
export interface History {
  /** Before stabilization. */
  readonly recommendations: readonly Recommendation[];
  readonly ups: readonly ScaleEvent[];
  readonly downs: readonly ScaleEvent[];
}

export interface Reasoned {
  readonly reason: string;
  readonly message: string;
}

interface Limited {
  readonly replicas: number;
  readonly history: History;
  /** Of the condition AbleToScale, which is true. */
  readonly able: Reasoned;
  /** Of the condition ScalingLimited. */
  readonly limited: Reasoned & { readonly isTrue: boolean };
}

interface Request {
  readonly current: number;
  readonly desired: number;
  readonly min: number;
  readonly max: number;
  readonly nowMs: number;
  /** The window of stabilization when scaling down, if the object sets none. */
  readonly downscaleStabilizationMs: number;
}

const ready = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' };
const downStabilized = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
};
const upStabilized = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
};
const inRange = { reason: 'DesiredWithinRange', message: 'the desired count is within the acceptable range' };
const tooMany = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
};
const tooFew = {
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
};
const upLimit = {
  reason: 'ScaleUpLimit',
  message: 'the desired replica count is increasing faster than the maximum scale rate',
};
const downLimit = {
  reason: 'ScaleDownLimit',
  message: 'the desired replica count is decreasing faster than the maximum scale rate',
};

/** The history of an autoscaler that is first seen with `replicas`. */
export const newHistory = (replicas: number, atMs: number): History => ({
  recommendations: [{ replicas, atMs }],
  ups: [],
  downs: [],
});

export function limitReplicas(
  request: Request,
  behavior: HorizontalPodAutoscalerSpec['behavior'],
  history: History,
): Limited {
  const { up, down } = behavior ? rulesOf(behavior, request.downscaleStabilizationMs) : {};
  const stable = up && down ? stabilizeByRules(request, up, down, history) : stabilize(request, history);
  const wanted = { ...request, desired: stable.replicas };
  const [replicas, limit] = up && down ? withinRates(wanted, up, down, history) : withinBounds(wanted);
  return {
    replicas,
    history: { ...history, recommendations: stable.recommendations },
    able: stable.replicas === request.desired ? ready : stable.why,
    limited: { ...limit, isTrue: replicas !== stable.replicas },
  };
}

/** The API's defaults fill everything but the window of scaling down. */
function rulesOf({ scaleUp, scaleDown }: NonNullable<HorizontalPodAutoscalerSpec['behavior']>, defaultMs: number) {
  return {
    up: { ...scaleUp, windowMs: (scaleUp?.stabilizationWindowSeconds ?? 0) * 1000 },
    down: { ...scaleDown, windowMs: (scaleDown?.stabilizationWindowSeconds ?? Math.trunc(defaultMs / 1000)) * 1000 },
  };
}

type Rules = HPAScalingRules & { readonly windowMs: number };

interface Stable {
  readonly replicas: number;
  readonly recommendations: readonly Recommendation[];
  readonly why: Reasoned;
}

/** Replaces the last old entry, or appends: the list does not grow beyond the entries that count. */
function withEntry<T>(list: readonly T[], entry: T, isOld: (each: T) => boolean): readonly T[] {
  const index = list.findLastIndex(isOld);
  return index < 0 ? [...list, entry] : list.with(index, entry);
}

function stabilize({ desired, nowMs, downscaleStabilizationMs }: Request, { recommendations }: History): Stable {
  const isOld = ({ atMs }: Recommendation) => atMs < nowMs - downscaleStabilizationMs;
  const recent = recommendations.filter((each) => !isOld(each)).map(({ replicas }) => replicas);
  return {
    replicas: Math.max(desired, ...recent),
    recommendations: withEntry(recommendations, { replicas: desired, atMs: nowMs }, isOld),
    why: downStabilized,
  };
}

function stabilizeByRules(
  { current, desired, nowMs }: Request,
  up: Rules,
  down: Rules,
  { recommendations }: History,
): Stable {
  const since = (windowMs: number) =>
    recommendations.filter(({ atMs }) => atMs > nowMs - windowMs).map(({ replicas }) => replicas);
  const lowest = Math.min(desired, ...since(up.windowMs));
  const highest = Math.max(desired, ...since(down.windowMs));
  const isOld = ({ atMs }: Recommendation) => atMs < nowMs - up.windowMs && atMs < nowMs - down.windowMs;
  return {
    replicas: Math.min(Math.max(current, lowest), highest),
    recommendations: withEntry(recommendations, { replicas: desired, atMs: nowMs }, isOld),
    why: desired >= current ? upStabilized : downStabilized,
  };
}

/** Without rules, a target at most doubles at once, but may always grow to four. */
function withinBounds({ current, desired, min, max }: Request): [number, Reasoned] {
  const most = Math.max(2 * current, 4);
  if (desired < min) return [min, tooFew];
  if (desired > Math.min(max, most)) return max > most ? [most, upLimit] : [max, tooMany];
  return [desired, inRange];
}

function withinRates(request: Request, up: Rules, down: Rules, history: History): [number, Reasoned] {
  const { current, desired, min, max } = request;
  if (desired > current) {
    // Never below the current number: the events of the past are over.
    const most = Math.max(rateLimit(request, up, history, upward), current);
    const [limit, why] = max > most ? [most, upLimit] : [max, tooMany];
    if (desired > limit) return [limit, why];
  } else if (desired < current) {
    const least = Math.min(rateLimit(request, down, history, downward), current);
    const [limit, why] = min < least ? [least, downLimit] : [min, tooFew];
    if (desired < limit) return [limit, why];
  }
  return [desired, inRange];
}

interface Direction {
  readonly sign: 1 | -1;
  /** Of several proposals, the one with the largest change. */
  farthest(...proposals: readonly number[]): number;
  nearest(...proposals: readonly number[]): number;
  /** Rounded so that a small percentage still changes something upwards, and never too much downwards. */
  round(replicas: number): number;
}

const upward: Direction = { sign: 1, farthest: Math.max, nearest: Math.min, round: Math.ceil };
const downward: Direction = { sign: -1, farthest: Math.min, nearest: Math.max, round: Math.trunc };

function rateLimit(
  { current, nowMs }: Request,
  { selectPolicy = 'Max', policies = [] }: Rules,
  { ups, downs }: History,
  { sign, farthest, nearest, round }: Direction,
): number {
  if (selectPolicy === 'Disabled') return current;
  const proposals = policies.map(({ type, value, periodSeconds }) => {
    const changed = (events: readonly ScaleEvent[]) =>
      events.reduce((sum, { change, atMs }) => (atMs > nowMs - periodSeconds * 1000 ? sum + change : sum), 0);
    const atStart = current - changed(ups) + changed(downs);
    return type === 'Pods' ? atStart + sign * value : round(atStart * (1 + (sign * value) / 100));
  });
  return selectPolicy === 'Min' ? nearest(...proposals) : farthest(...proposals);
}

/** The history after a change of the target. Only rules read it. */
export function withScaleEvent(
  history: History,
  behavior: HorizontalPodAutoscalerSpec['behavior'],
  { from, to, nowMs }: { from: number; to: number; nowMs: number },
): History {
  if (!behavior) return history;
  const isUp = to > from;
  const { policies = [] } = (isUp ? behavior.scaleUp : behavior.scaleDown) ?? {};
  const longestMs = Math.max(0, ...policies.map(({ periodSeconds }) => periodSeconds * 1000));
  const list = isUp ? 'ups' : 'downs';
  const isOld = ({ atMs }: ScaleEvent) => atMs < nowMs - longestMs;
  return { ...history, [list]: withEntry(history[list], { change: Math.abs(to - from), atMs: nowMs }, isOld) };
}
