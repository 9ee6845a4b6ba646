// Resolves a Service to one of its ready endpoints, because the API server may be outside of the service network.

import { type EndpointSlice, type Service, serviceUnavailable } from '../../api/api.ts';
import type { Environment } from '../environment.ts';
import { cacheOfResource } from '../registry/target.ts';

interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

export async function serviceNamed(
  server: Environment,
  { namespace, name }: ServiceReference,
): Promise<Service | undefined> {
  const cache = await cacheOfResource(server, '', 'services');
  return cache.get(`${cache.prefix}${namespace}/${name}`)?.object as Service | undefined;
}

export async function slicesOf(server: Environment, { namespace, name }: ServiceReference): Promise<EndpointSlice[]> {
  const cache = await cacheOfResource(server, 'discovery.k8s.io', 'endpointslices');
  const prefix = `${cache.prefix}${namespace}/`;
  const found: EndpointSlice[] = [];
  cache.tree.forEach(prefix, `${prefix.slice(0, -1)}0`, ({ object }) => {
    if (object.metadata.labels?.['kubernetes.io/service-name'] === name) found.push(object as EndpointSlice);
  });
  return found;
}

/** Ready addresses behind the named port of a Service. */
export const readyEndpoints = (slices: readonly EndpointSlice[], portName: string): { host: string; port: number }[] =>
  slices.flatMap(({ ports, endpoints }) => {
    const port = ports?.find(({ name = '' }) => name === portName)?.port;
    if (!port) return [];
    const ready = (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false);
    return ready.map(({ addresses }) => ({ host: addresses[0], port }));
  });

/** Throws a 503 without a ready endpoint. */
export async function resolveEndpoint(
  server: Environment,
  reference: ServiceReference,
): Promise<{ host: string; port: number }> {
  const service = await serviceNamed(server, reference);
  if (!service) throw serviceUnavailable(`service ${JSON.stringify(reference.name)} not found`);
  if (service.spec.type === 'ExternalName' && service.spec.externalName)
    return { host: service.spec.externalName, port: reference.port };
  const port = service.spec.ports?.find((one) => one.port === reference.port);
  if (!port)
    throw serviceUnavailable(`no service port ${reference.port} found for service ${JSON.stringify(reference.name)}`);
  const ready = readyEndpoints(await slicesOf(server, reference), port.name ?? '');
  if (ready.length === 0)
    throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(reference.name)}`);
  return ready[server.random.int(ready.length)];
}
