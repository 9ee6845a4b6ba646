// What the parts of a cluster share while they are put together.

import type { Client, ComponentContext } from '../client/client.ts';
import type { SimulatedBehaviour } from '../container-runtime/container-runtime.ts';
import type { ApiServer, UserInfo } from '../kube-apiserver/kube-apiserver.ts';
import type { Decision } from '../kube-scheduler/kube-scheduler.ts';
import type { Logger } from '../machinery/logger.ts';
import type { Metrics } from '../machinery/metrics.ts';
import type { Random } from '../machinery/random.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { Store } from '../store/store.ts';
import type { KeyPair } from './certificates.ts';
import type { ClusterConfig } from './config.ts';
import type { DataDirectory } from './data-directory.ts';

export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** One node of this machine, which can be stopped and started again on its own. */
export interface NodeHandle {
  readonly name: string;
  /** Why it is not healthy, undefined while it is, or while it is stopped. */
  health(): string | undefined;
  start(): Promise<void>;
  /** The kubelet ends, as by a crash: it says nothing to anybody. Containers of a real runtime keep running. */
  stop(): Promise<void>;
}

/** Filled from the top of the list of parts to its bottom. */
export interface Assembly extends Environment {
  readonly config: ClusterConfig;
  readonly directory: DataDirectory;
  readonly fatal: (error: Error) => void;
  store?: Store;
  apiServer?: ApiServer;
  /** Port that the API server listens on. */
  port?: number;
  ca?: KeyPair;
  certificates?: ReadonlyMap<string, KeyPair>;
  /** A client of this process under an identity. */
  clientFor?(user: UserInfo): Client;
  nodes?: ReadonlyMap<string, NodeHandle>;
  /** What simulated containers do, for tests. */
  readonly behaviour?: SimulatedBehaviour;
  /** Why the scheduler put a pod (namespace/name) where it is. */
  explainPod?(pod: string): Decision | undefined;
}

/** The context of a component that runs in this process under an identity of its own. */
export function contextFor(assembly: Assembly, name: string, user: UserInfo): ComponentContext {
  return {
    client: assembly.clientFor!(user),
    clock: assembly.clock,
    random: assembly.random,
    logger: assembly.logger.child({ component: name }),
    metrics: assembly.metrics,
    fatal: assembly.fatal,
  };
}

export const authenticated = (name: string, ...groups: string[]): UserInfo => ({
  name,
  groups: [...groups, 'system:authenticated'],
});

/** https://kubernetes.io/docs/reference/access-authn-authz/rbac/#core-component-roles */
export const identities = {
  admin: { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
  apiServer: { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] },
  controllerManager: authenticated('system:kube-controller-manager'),
  scheduler: authenticated('system:kube-scheduler'),
  proxy: authenticated('system:kube-proxy'),
  kubelet: (node: string) => authenticated(`system:node:${node}`, 'system:nodes'),
  serviceAccount: (namespace: string, name: string) =>
    authenticated(
      `system:serviceaccount:${namespace}:${name}`,
      'system:serviceaccounts',
      `system:serviceaccounts:${namespace}`,
    ),
} as const;
