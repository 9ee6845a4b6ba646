import type { Plugin } from '../framework.ts';

/** A pod with schedulingGates waits until they are removed. https://kubernetes.io/docs/concepts/scheduling-eviction/pod-scheduling-readiness/ */
export const schedulingGates: Plugin = {
  name: 'SchedulingGates',
  preEnqueue(pod) {
    const gates = pod.spec.schedulingGates ?? [];
    return gates.length === 0
      ? undefined
      : `waiting for scheduling gates: [${gates.map((gate) => gate.name).join(' ')}]`;
  },
  wakes: (event) => event.type === 'pod-updated',
};
