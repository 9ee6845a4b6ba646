// A part of the nodes on this machine, and the inputs of its start.

import type { Client, HttpsOptions, RunningComponent } from '../client/client.ts';
import type { RunConfig } from './config.ts';
import type { PartContext } from './context.ts';
import type { Identity } from './identities.ts';

type NodePartName = 'kubelet' | 'kube-proxy' | 'network-policy' | 'pod-routes';

export interface NodePartContext extends PartContext {
  clientFor(identity: Identity): Client;
  /** A client with the token of a service account, until it is closed. */
  connect(options: Required<Pick<HttpsOptions, 'token' | 'userAgent'>>): { readonly client: Client; close(): void };
  /** Certificates of a kubelet's HTTPS server; undefined: it has none. */
  kubeletTls(node: string): { readonly cert: string; readonly key: string; readonly clientCA: string } | undefined;
}

/** PEM of the cluster's CA; undefined: nothing listens. */
export const clusterAuthority = (context: NodePartContext): string | undefined =>
  context.kubeletTls(context.config.nodeNames[0])?.clientCA;

interface RunningNodePart extends RunningComponent {
  /** Of the kubelets: each node by its name. */
  readonly nodes?: ReadonlyMap<string, NodeHandle>;
}

export interface NodePart {
  readonly name: NodePartName;
  isWanted(config: RunConfig): boolean;
  start(context: NodePartContext): Promise<RunningNodePart>;
}

/** One node of this machine, which can be stopped and restarted separately. */
export interface NodeHandle {
  readonly name: string;
  /** Why it is not healthy; undefined while it is healthy, and while it is stopped. */
  health(): string | undefined;
  start(): Promise<void>;
  /** Ends the kubelet as in a crash, without a report. Containers of a real runtime keep running. */
  stop(): Promise<void>;
}
