// The interface of a cloud: one file for each under providers/. Only this room uses it.
// https://kubernetes.io/docs/concepts/architecture/cloud-controller/

import type { LoadBalancerStatus, Node, NodeAddress, Service } from '../api/api.ts';
import type { ResourceName, Tools, Watch } from '../client/client.ts';

export interface CloudProvider {
  readonly name: string;
  /** Left out: nodes have no cloud, and the kubelets describe them. */
  readonly instances?: Instances;
  /** Left out: services of type LoadBalancer get no address. */
  readonly loadBalancers?: LoadBalancers;
  /** Left out: the cloud's network does not route addresses of pods. */
  readonly routes?: Routes;
  /** Why the cloud does not answer; undefined while it does. */
  problem?(): string | undefined;
  /** Ends its calls and connections. */
  stop?(): void;
}

/** A machine of the cloud. Its zone and region belong to it, as in Kubernetes' InstancesV2. */
export interface Instance {
  /** For node.spec.providerID, such as cloud://1; '' if the cloud gives none. */
  readonly providerID: string;
  /** It exists, and does not run. */
  readonly isShutDown: boolean;
  /** Empty: the node keeps its addresses. */
  readonly addresses: readonly NodeAddress[];
  readonly type?: string;
  readonly zone?: string;
  readonly region?: string;
  /** More labels for its node, outside of Kubernetes' own domains. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Instances {
  /**
   * The machine of a node: by spec.providerID, or by the name while that is empty. Undefined only if the cloud knows
   * that it has no such machine: the node is deleted then. Any doubt rejects.
   */
  find(node: Node): Promise<Instance | undefined>;
}

export interface LoadBalancer {
  readonly status: LoadBalancerStatus;
  /** Annotations of the service for other parts of the provider; null removes one. */
  readonly annotations?: Readonly<Record<string, string | null>>;
}

/** Load balancers of services. Each method may be called again after a crash at any line. */
export interface LoadBalancers {
  /** Whether the service has a load balancer. */
  exists(service: Service, tools: Tools): Promise<boolean>;
  /** Creates or changes it. Rejects with a message for the user. */
  ensure(service: Service, nodes: readonly Node[], tools: Tools): Promise<LoadBalancer>;
  /** The nodes, or the objects of `triggers`, have changed. Undefined: its status stays as it is. */
  update(service: Service, nodes: readonly Node[], tools: Tools): Promise<LoadBalancer | undefined>;
  /** Succeeds also if there is none, or only parts of one. */
  remove(service: Service, tools: Tools): Promise<void>;
  /** Resources that the methods read with a lister. */
  readonly reads?: readonly ResourceName[];
  /** Changes after which `update` is called, beside those of the set of nodes: yields keys of services. */
  readonly triggers?: readonly Watch[];
  /** Annotations that the provider itself writes. */
  readonly ownAnnotations?: readonly string[];
}

/** Leads the addresses of pods to a node. */
export interface Route {
  readonly name: string;
  /** '' for a target that is no node. */
  readonly targetNode: string;
  readonly destinationCIDR: string;
  /** Its target is gone. */
  readonly isBlackhole?: boolean;
  /** Left out: the cloud routes to the machine itself, also when its addresses change. */
  readonly targetAddresses?: readonly NodeAddress[];
}

export interface Routes {
  /** `nodes`: those of the cluster, for the names of the targets. */
  list(nodes: readonly Node[]): Promise<readonly Route[]>;
  /** `nameHint` is unique to the node. */
  create(nameHint: string, route: Omit<Route, 'name'>): Promise<void>;
  /** A route as `list` returned it. */
  remove(route: Route): Promise<void>;
}

/** The cloud asks to try again after this time, in place of the exponential back-off. */
export class RetryAfterError extends Error {
  override readonly name = 'RetryAfterError';
  readonly afterMs: number;

  constructor(message: string, afterMs: number) {
    super(message);
    this.afterMs = afterMs;
  }
}

/** A failure of the cloud and not of this program: logs have its text alone. */
export class CloudError extends Error {
  override readonly name = 'CloudError';
  override stack = undefined;
}

/** For users: without the stack. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
