// The conditions of the kubelet's node. Pure.
// https://kubernetes.io/docs/reference/node/node-status/#condition

import { conditionOf, formatTime, type Node, type NodeCondition } from '../../api/api.ts';

export interface ConditionInputs {
  /** The node as the API has it. */
  readonly current: Node | undefined;
  /** Why the runtime does not answer. */
  readonly down?: string;
  /** Why the runtime or its network is not ready. */
  readonly runtime?: string;
  readonly network?: string;
  /** Why the pod lifecycle event generator is not healthy. */
  readonly pleg?: string;
  /** Why volumes of drivers cannot be used. */
  readonly storage?: string;
  /** Types of the pressures. */
  readonly pressure: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Ready is the last one. */
export function nodeConditions(inputs: ConditionInputs): NodeCondition[] {
  const problem = problemOf(inputs);
  return [
    ...pressures.map(({ type, short, enough }) => {
      const isShort = inputs.pressure.has(type);
      const { reason, message } = isShort ? short : enough;
      return condition(inputs, { type, status: isShort ? 'True' : 'False', reason, message });
    }),
    condition(inputs, {
      type: 'Ready',
      status: problem ? 'False' : 'True',
      reason: problem ? 'KubeletNotReady' : 'KubeletReady',
      message: problem ?? 'kubelet is posting ready status',
    }),
  ];
}

/** Several errors are a list in brackets, as in Kubernetes. */
function problemOf({ down, pleg, runtime, network, storage }: ConditionInputs): string | undefined {
  const problems = [
    down && `container runtime is down: ${down}`,
    pleg && `PLEG is not healthy: ${pleg}`,
    runtime && `container runtime not ready: RuntimeReady=false reason:RuntimeNotReady message:${runtime}`,
    network &&
      `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${network}`,
    storage,
  ].filter(Boolean);
  return problems.length > 1 ? `[${problems.join(', ')}]` : problems[0];
}

type Written = Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'>;

/** lastTransitionTime changes only with the status. */
function condition({ current, now }: ConditionInputs, { type, status, reason, message }: Written): NodeCondition {
  const lastHeartbeatTime = formatTime(now);
  const previous = conditionOf(current, type);
  const isSame = previous?.status === status && previous.lastTransitionTime;
  return {
    type,
    status,
    lastHeartbeatTime,
    lastTransitionTime: isSame ? previous.lastTransitionTime : lastHeartbeatTime,
    reason,
    message,
  };
}

/** Reasons of the events about the conditions that differ from those that the API has. */
export function conditionEvents(current: Node, conditions: readonly NodeCondition[]): string[] {
  const reasons: string[] = [];
  for (const { type, status } of conditions) {
    const previous = conditionOf(current, type)?.status;
    const pressure = pressures.find((each) => each.type === type);
    if (previous === status) continue;
    // A pressure that was not reported yet is not a change.
    if (pressure && previous !== undefined) reasons.push(pressure.events[status === 'True' ? 0 : 1]);
    if (type === 'Ready') reasons.push(status === 'True' ? 'NodeReady' : 'NodeNotReady');
  }
  return reasons;
}

const pressures = [
  {
    type: 'MemoryPressure',
    short: { reason: 'KubeletHasInsufficientMemory', message: 'kubelet has insufficient memory available' },
    enough: { reason: 'KubeletHasSufficientMemory', message: 'kubelet has sufficient memory available' },
    events: ['NodeHasInsufficientMemory', 'NodeHasSufficientMemory'],
  },
  {
    type: 'DiskPressure',
    short: { reason: 'KubeletHasDiskPressure', message: 'kubelet has disk pressure' },
    enough: { reason: 'KubeletHasNoDiskPressure', message: 'kubelet has no disk pressure' },
    events: ['NodeHasDiskPressure', 'NodeHasNoDiskPressure'],
  },
  {
    type: 'PIDPressure',
    short: { reason: 'KubeletHasInsufficientPID', message: 'kubelet has insufficient PID available' },
    enough: { reason: 'KubeletHasSufficientPID', message: 'kubelet has sufficient PID available' },
    events: ['NodeHasInsufficientPID', 'NodeHasSufficientPID'],
  },
] as const;
