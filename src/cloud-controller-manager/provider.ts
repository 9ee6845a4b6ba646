// The interface of a cloud: one file for each under providers/. Only this room uses it.
// https://kubernetes.io/docs/concepts/architecture/cloud-controller/

import type { LoadBalancerStatus, Node, Service } from '../api/api.ts';
import type { ResourceName, Tools, Watch } from '../client/client.ts';

export interface CloudProvider {
  readonly name: string;
  /** Left out: services of type LoadBalancer get no address. */
  readonly loadBalancers?: LoadBalancers;
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
  /** The nodes, or the objects of `triggers`, have changed. Undefined: the load balancer stays as it is. */
  update(service: Service, nodes: readonly Node[], tools: Tools): Promise<LoadBalancer | undefined>;
  remove(service: Service, tools: Tools): Promise<void>;
  /** Resources that the methods read with a lister. */
  readonly reads?: readonly ResourceName[];
  /** Changes after which `update` is called, beside those of the set of nodes: yields keys of services. */
  readonly triggers?: readonly Watch[];
  /** Annotations that the provider itself writes. */
  readonly ownAnnotations?: readonly string[];
}
