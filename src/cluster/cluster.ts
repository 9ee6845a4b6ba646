// The room's front door.

export type { Decision } from '../kube-scheduler/kube-scheduler.ts';
export type { Environment, NodeHandle } from './assembly.ts';
export * from './config.ts';
export { askControl } from './control.ts';
export * from './data-directory.ts';
export { mergeKubeconfig } from './kubeconfig.ts';
export { releaseRanges } from './network-ranges.ts';
export { type ClusterStatus, type RunningCluster, runCluster } from './run.ts';
export { clearRuntime, clearServices, imageDirectory, type RuntimeRecord, readRuntimeRecord } from './runtime.ts';
export { type Cluster, type PartStatus, type StartHooks, startCluster, startParts } from './start.ts';
export { version } from './version.ts';
