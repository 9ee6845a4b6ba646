// The cgroups above those of pods: one of all pods, and one for each lower quality of service.
// https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/

import { readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { childrenOf, processesIn, removeCgroup } from './files.ts';

export const podsCgroup = '/kubepods';
export const qosCgroups = {
  Guaranteed: podsCgroup,
  Burstable: `${podsCgroup}/burstable`,
  BestEffort: `${podsCgroup}/besteffort`,
} as const;

const parents = Object.values(qosCgroups);

/** Removes a pod's cgroups, in every hierarchy and depth first. Those that still have processes stay. */
export function removePodCgroups(uid: string): void {
  for (const root of hierarchies()) for (const parent of parents) removeTree(join(root, parent, `pod${uid}`));
}

/** Removes the cgroups that all pods of a machine share, where no pod is left, of this cluster or another. */
export function removeEmptyParents(): void {
  for (const root of hierarchies())
    for (const parent of [...parents].reverse())
      try {
        rmdirSync(join(root, parent));
      } catch {} // not there in this hierarchy, or pods are in it
}

/** Whether every controller is in one hierarchy. */
export const isCgroup2 = (): boolean => cgroupMounts().every(([, , type]) => type === 'cgroup2');

const cgroupMounts = () =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2');

const hierarchies = (): string[] => cgroupMounts().map(([, path]) => path);

function removeTree(directory: string): void {
  for (const name of childrenOf(directory)) removeTree(join(directory, name));
  if (processesIn(directory).length === 0) removeCgroup(directory);
}
