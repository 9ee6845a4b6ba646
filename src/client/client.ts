// The front door: the client, informers, the controllers' loop, leader election and events.

export { type ComponentContext, errorText, type RunningComponent } from './component.ts';
export { type Call, Connection } from './connection/connection.ts';
export { type HttpsOptions, type HttpsTransport, httpsTransport } from './connection/https.ts';
export { inClusterConfig, type Kubeconfig, type KubeconfigOptions, loadKubeconfig } from './connection/kubeconfig.ts';
export { callRemote, type RemoteCall, type RemoteServer } from './connection/remote-call.ts';
export {
  type Controller,
  type ControllerContext,
  controllerReference,
  own,
  ownedBy,
  runController,
  slowStart,
  TerminalError,
  type Tools,
  type Watch,
} from './controller.ts';
export { cutClient, Link } from './cut-client.ts';
export {
  createEventRecorder,
  type EventRecorder,
  microTimestamp,
  timestamp,
} from './events/events.ts';
export { createEventReporter, type EventReporter, type Report } from './events/reported-events.ts';
export { fencedClient, mayStillWrite } from './fenced.ts';
export {
  createInformer,
  type Informer,
  keyOf,
  type Lister,
  nameOf,
} from './informer.ts';
export { InformerFactory } from './informer-factory.ts';
export type * from './interface.ts';
export { type LeaderElection, runLeaderElection } from './leader-election.ts';
export { settleEach } from './queue/settle-each.ts';
export { WorkQueue } from './queue/work-queue.ts';
export { createClient } from './rest.ts';
