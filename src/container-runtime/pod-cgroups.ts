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
    for (const name of childrenOf(directory)) removeTree(join(directory, name));
    if (!readFileSync(join(directory, 'cgroup.procs'), 'utf8')) removeCgroup(directory);
  } catch {} // not there in this hierarchy
}

/**
 * Removes one cgroup, by rmdir although it has files; false when it stays. Processes that were killed may take a moment
 * to leave it, and are not listed any more while they do.
 */
export function removeCgroup(directory: string): boolean {
  for (let tries = 0; tries < 50; tries++)
    try {
      rmdirSync(directory);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return true;
      if (code !== 'EBUSY' || childrenOf(directory).length > 0) return false;
      Atomics.wait(pause, 0, 0, 2);
    }
  return false;
}
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Names of the cgroups in it; none where it is not there. */
function childrenOf(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}
