// The room's front door.

export type { Decision } from '../kube-scheduler/kube-scheduler.ts';
export { releaseRanges } from './addresses/network-ranges.ts';
export { discardCertificates, listCertificates } from './certificates/certificate-files.ts';
export * from './config.ts';
export type { Environment } from './context.ts';
export { askControl } from './control.ts';
export * from './data-directory.ts';
export { endFormerMember, readMember } from './etcd-member/etcd-member.ts';
export type { AgentConfig } from './joining/agent.ts';
export type { JoinInformation } from './joining/allow-joining.ts';
export { drainNode, removeNode } from './joining/drain.ts';
export { JoinError } from './joining/join-error.ts';
export { readMembership } from './joining/membership.ts';
export { runAgent } from './joining/run-agent.ts';
export {
  createToken,
  deleteToken,
  listTokens,
  newToken,
  serverGroup,
  type TokenOptions,
  tokenText,
  workerGroup,
} from './joining/tokens.ts';
export type { ServerRequest } from './joining/types.ts';
export { mergeKubeconfig } from './kubeconfig.ts';
export type { NodeHandle } from './node-part.ts';
export { endFormerNodes } from './node-process/launch.ts';
export type { ToNodeProcess } from './node-process/messages.ts';
export { serveNodes } from './node-process/node-server.ts';
export type { ConsoleLink } from './parts/console.ts';
export { clearNetworkPolicies } from './parts/network-policy.ts';
export { clearPodRoutes } from './parts/pod-routes.ts';
export type { ClusterStatus, Programs } from './run.ts';
export { clearRuntime, clearServices, imageDirectory, type RuntimeRecord, readRuntimeRecord } from './runtime.ts';
export { type Cluster, startParts } from './start.ts';
