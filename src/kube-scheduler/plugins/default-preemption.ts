// Preempts pods of lower priority for a pod that fits nowhere.
// https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/

import type { Plugin } from '../framework.ts';
import { findPreemption, type PreemptionCandidates } from '../preemption.ts';

const defaultPreemptionWith = (candidates?: PreemptionCandidates): Plugin => ({
  name: 'DefaultPreemption',
  postFilter(input) {
    const found = findPreemption(input, candidates);
    return 'victims' in found ? { preemption: found } : { reason: found.why, clearsNomination: !found.waits };
  },
  // Victims that go wake the pod through the plugin that refused it.
  wakes: () => false,
});

export const defaultPreemption = defaultPreemptionWith();
