// The parts of /proc and /sys that the kubelet has hidden from a container, or made read-only, as in Kubernetes 1.36.

import { existsSync, readdirSync } from 'node:fs';
import type { ContainerSecurity } from './interface.ts';

const masked = [
  ...'asound acpi interrupts kcore keys latency_stats timer_list timer_stats sched_debug scsi'
    .split(' ')
    .map((name) => `/proc/${name}`),
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readOnly = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`);

interface ProtectedPaths {
  readonly masked: readonly string[];
  readonly readOnly: readonly string[];
}

/** `throttling` are this machine's, from `throttlingPaths`. */
export function protectedPaths(
  { privileged, procMount }: Pick<ContainerSecurity, 'privileged' | 'procMount'>,
  throttling: readonly string[],
): ProtectedPaths {
  if (privileged || procMount === 'Unmasked') return { masked: [], readOnly: [] };
  return { masked: [...masked, ...throttling], readOnly };
}

/** The temperature counters of each processor, where the machine has them. */
export function throttlingPaths(): readonly string[] {
  const root = '/sys/devices/system/cpu';
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => `${root}/${name}/thermal_throttle`)
    .filter((path) => existsSync(path));
}
