// The cgroups above those of containers: a pod's own, and those of all pods by quality of service.
// A CRI runtime leaves a pod's cgroup, which is the parent of its sandbox's, to the kubelet.

import { readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** By quality of service: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ */
const parents = ['kubepods', 'kubepods/burstable', 'kubepods/besteffort'];

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
export const isCgroup2 = (): boolean => cgroupTypes().every((type) => type === 'cgroup2');

const cgroupTypes = () =>
  mounts()
    .map(([, , type]) => type)
    .filter((type) => type === 'cgroup' || type === 'cgroup2');

function hierarchies(): string[] {
  return mounts()
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, path]) => path);
}

const mounts = () =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));

function removeTree(directory: string): void {
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isDirectory()) removeTree(join(directory, entry.name));
    rmdirSync(directory);
  } catch {} // not there in this hierarchy, or in use
}
