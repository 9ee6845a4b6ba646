// The conditions that the kubelet writes to a pod's status. Pure.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions

import {
  type ContainerStatus as ApiContainerStatus,
  conditionOf,
  formatTime,
  type Pod,
  type PodCondition,
  type PodStatus,
} from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { asserted } from '../../machinery/parsed.ts';
import { isSidecar } from '../pods/pod-actions.ts';
import type { Phase } from './status-inputs.ts';

/** Why a condition is not True. */
interface Why {
  readonly reason?: string;
  readonly message?: string;
}

interface ConditionInputs {
  readonly phase: Phase;
  /** In the order of the spec. */
  readonly initStatuses: readonly ApiContainerStatus[];
  readonly statuses: readonly ApiContainerStatus[];
  readonly hasSandbox: boolean;
  /** Additional conditions: of a resize, of an eviction. */
  readonly more: readonly Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function conditionsOf(pod: Pod, inputs: ConditionInputs): PodCondition[] {
  const { phase, more, now } = inputs;
  const containersReady = containersUnready(pod, inputs);
  const initialized = uninitialized(pod, inputs);
  const wanted: [string, 'True' | 'False', Why | undefined][] = [
    ...more.map(({ type, status, reason, message }): [string, 'True' | 'False', Why] => [
      type,
      status as 'True' | 'False',
      { reason, message },
    ]),
    ['PodReadyToStartContainers', inputs.hasSandbox ? 'True' : 'False', undefined],
    phase === 'Succeeded'
      ? ['Initialized', 'True', { reason: 'PodCompleted' }]
      : ['Initialized', initialized ? 'False' : 'True', initialized],
    withStatus('Ready', containersReady ?? closedGates(pod)),
    withStatus('ContainersReady', containersReady),
    ['PodScheduled', 'True', undefined],
  ];
  const ours = wanted.map(([type, status, why]) => condition(pod, type, status, why ?? {}, now));
  const theirs = (pod.status?.conditions ?? []).filter(
    (c) => !ownConditions.includes(c.type) && !more.some((own) => own.type === c.type),
  );
  return [...theirs, ...ours];
}

const withStatus = (type: string, why: Why | undefined): [string, 'True' | 'False', Why | undefined] => [
  type,
  why ? 'False' : 'True',
  why,
];

function containersUnready(pod: Pod, { phase, initStatuses, statuses }: ConditionInputs): Why | undefined {
  if (phase === 'Succeeded') return { reason: 'PodCompleted' };
  if (phase === 'Failed') return { reason: 'PodFailed' };
  const sidecars = initStatuses.filter((_, i) => isSidecar(must(pod.spec.initContainers, 'initContainers')[i]));
  const unready = [...sidecars, ...statuses].filter((s) => !s.ready).map((s) => s.name);
  if (unready.length === 0) return undefined;
  return { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
}

function uninitialized(pod: Pod, { initStatuses, statuses }: ConditionInputs): Why | undefined {
  if (statuses.some((s) => s.state?.running || s.state?.terminated || s.lastState?.terminated)) return undefined;
  const incomplete = initStatuses.filter(
    (s, i) => !(isSidecar(must(pod.spec.initContainers, 'initContainers')[i]) ? s.started : s.ready),
  );
  if (incomplete.length === 0) return undefined;
  const names = incomplete.map((s) => s.name).join(' ');
  return { reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${names}]` };
}

function closedGates({ spec, status }: Pod): Why | undefined {
  const messages = (spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const found = conditionOf({ status }, conditionType);
    if (!found) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    return found.status === 'True'
      ? []
      : [`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`];
  });
  return messages.length > 0 ? { reason: 'ReadinessGatesNotReady', message: messages.join(', ') } : undefined;
}

/** lastTransitionTime changes only with the status. */
function condition(pod: Pod, type: string, status: 'True' | 'False', why: Why, now: number): PodCondition {
  const old = conditionOf(pod, type);
  const written = {
    type,
    observedGeneration: pod.metadata.generation,
    status,
    lastProbeTime: null,
    lastTransitionTime: old?.status === status && old.lastTransitionTime ? old.lastTransitionTime : formatTime(now),
    ...(why.reason && { reason: why.reason }),
    ...(why.message && { message: why.message }),
  };
  return asserted<PodCondition>(written, 'the API has null for a time that is not set');
}

/** Written by the kubelet alone. */
export const ownConditions: readonly string[] = [
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'PodResizePending',
  'PodResizeInProgress',
  'AllContainersRestarting',
];

/** The pod with the status that this kubelet computed last, and with the conditions that others wrote to the API since. */
export function withKnownStatus(pod: Pod, reported: PodStatus | undefined): Pod {
  if (!reported) return pod;
  const isOurs = ({ type }: PodCondition) => ownConditions.includes(type);
  const ours = (reported.conditions ?? []).filter(isOurs);
  const theirs = (pod.status?.conditions ?? []).filter((c) => !(isOurs(c) && ours.some((o) => o.type === c.type)));
  return { ...pod, status: { ...reported, conditions: [...ours, ...theirs] } };
}
