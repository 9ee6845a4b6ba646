// The room's front door.

export type { Decision } from '../kube-scheduler/kube-scheduler.ts';
export * from './config.ts';
export type { Environment } from './context.ts';
export { askControl } from './control.ts';
export * from './data-directory.ts';
export { mergeKubeconfig } from './kubeconfig.ts';
export { releaseRanges } from './network-ranges.ts';
export type { NodeHandle } from './node-part.ts';
export { endFormerNodes } from './node-process/launch.ts';
export type { ToNodeProcess } from './node-process/messages.ts';
export { serveNodes } from './node-process/node-server.ts';
export { type ClusterStatus, type RunningCluster, runCluster } from './run.ts';
export { clearRuntime, clearServices, imageDirectory, type RuntimeRecord, readRuntimeRecord } from './runtime.ts';
export { type Cluster, startParts } from './start.ts';
