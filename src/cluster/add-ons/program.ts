// The images that are parts of a node.

import type { BuiltInProgram } from '../../container-runtime/container-runtime.ts';

/** They have no version: each node runs its own, also while an upgrade goes from machine to machine. */
export const addOnImages = {
  'kube-proxy': 'coracle.local/kube-proxy:built-in',
  'cluster-dns': 'coracle.local/cluster-dns:built-in',
} as const;

export type AddOnName = keyof typeof addOnImages;

export interface ReportingProgram extends BuiltInProgram {
  /** Why it is not healthy; undefined while it is, and while it does not run. */
  problem(): string | undefined;
}
