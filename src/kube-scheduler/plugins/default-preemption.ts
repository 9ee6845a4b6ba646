// Preempts pods of lower priority for a pod that fits nowhere.
// https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/

import { defaultArguments, type PluginArguments } from '../configuration/arguments.ts';
import type { Plugin } from '../framework.ts';
import { findPreemption } from '../preemption.ts';

export const defaultPreemptionWith = (args: PluginArguments['DefaultPreemption']): Plugin => ({
  name: 'DefaultPreemption',
  postFilter(input) {
    const found = findPreemption(input, args);
    return 'victims' in found ? { preemption: found } : { reason: found.why, clearsNomination: !found.waits };
  },
  // Victims that go wake the pod through the plugin that refused it.
  wakes: () => false,
});

export const defaultPreemption = defaultPreemptionWith(defaultArguments.DefaultPreemption);
