// A cloud without a file here: a server of the user's own answers by a webhook. docs/cloud.md has each call.

import { announcedLoadBalancer, type Node, type Service } from '../../../api/api.ts';
import { type ComponentContext, keyOf, type Tools } from '../../../client/client.ts';
import type { CloudProvider, Instances, LoadBalancers, Routes } from '../../provider.ts';
import type { ProviderConfig } from '../provider-config.ts';
import { existsIn, instanceIn, routesIn, statusIn } from './answers.ts';
import { Caller } from './caller.ts';
import { readExternalConfig } from './external-config.ts';

type Call = Caller['call'];

export async function externalProvider(
  context: ComponentContext,
  { cloudConfig, clusterName, holdsLead }: ProviderConfig,
): Promise<CloudProvider> {
  const config = await readExternalConfig(cloudConfig, clusterName);
  const caller = new Caller(config, { ...context, holdsLead });
  const call: Call = (name, parameters) => caller.call(name, parameters);
  return {
    name: 'external',
    ...(config.offers.has('instances') && { instances: instances(call) }),
    ...(config.offers.has('loadBalancers') && { loadBalancers: loadBalancers(call) }),
    ...(config.offers.has('routes') && { routes: routes(call) }),
    problem: () => (caller.problem === undefined ? undefined : `${config.url} does not answer: ${caller.problem}`),
    stop: () => caller.stop(),
  };
}

const instances = (call: Call): Instances => ({
  async find(node) {
    return instanceIn(await call('find-instance', { node: nodeOf(node) }), node.spec?.providerID ?? '');
  },
});

const loadBalancers = (call: Call): LoadBalancers => ({
  ownAnnotations: [announcedLoadBalancer],
  async exists(service) {
    return existsIn(await call('get-load-balancer', { service: serviceOf(service) }));
  },
  async ensure(service, nodes, tools) {
    const answer = await call('ensure-load-balancer', { service: serviceOf(service), nodes: nodes.map(nodeOf) });
    // The nodes do not announce its addresses, also if they did so before.
    return { status: statusIn(answer, clusterAddresses(tools)), annotations: { [announcedLoadBalancer]: null } };
  },
  async update(service, nodes) {
    await call('update-load-balancer', { service: serviceOf(service), nodes: nodes.map(nodeOf) });
    return undefined;
  },
  async remove(service) {
    await call('delete-load-balancer', { service: serviceOf(service) });
  },
});

const routes = (call: Call): Routes => ({
  list: async () => routesIn(await call('list-routes', {})),
  async create(nameHint, { targetNode, targetAddresses, destinationCIDR }) {
    await call('create-route', { nameHint, route: { targetNode, targetAddresses, destinationCIDR } });
  },
  async remove({ name, targetNode, destinationCIDR }) {
    await call('delete-route', { route: { name, targetNode, destinationCIDR } });
  },
});

/** Nodes would send the traffic of these to the load balancer's service. */
function clusterAddresses({ lister }: Tools): ReadonlyMap<string, string> {
  return new Map(
    lister('services')
      .list()
      .flatMap((service) => (service.spec?.clusterIPs ?? []).map((ip) => [ip, `service ${keyOf(service)}`] as const)),
  );
}

/** The fields that a cloud needs: a node with its images has a hundred times as many bytes. */
const nodeOf = ({ metadata, spec, status }: Node) => ({
  name: metadata.name,
  uid: metadata.uid,
  providerID: spec?.providerID ?? '',
  labels: metadata.labels ?? {},
  annotations: metadata.annotations ?? {},
  addresses: status?.addresses ?? [],
});

const serviceOf = ({ metadata, spec, status }: Service) => ({
  name: metadata.name,
  namespace: metadata.namespace,
  uid: metadata.uid,
  labels: metadata.labels ?? {},
  annotations: metadata.annotations ?? {},
  spec,
  ingress: status?.loadBalancer?.ingress ?? [],
});
