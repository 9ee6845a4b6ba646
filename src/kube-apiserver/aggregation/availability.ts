// Whether an extension API server can be used: its Service, its endpoints, and an answer to discovery.

import type { Environment } from '../environment.ts';
import type { AggregatedApi } from './aggregation.ts';
import { readyEndpoints, serviceNamed, slicesOf } from './endpoint.ts';
import { readRemote } from './remote-request.ts';

/** The condition Available of an APIService, in Kubernetes' words. */
interface Availability {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** Attempts of one check: one success is enough. */
const attempts = 5;

export async function checkAvailability(server: Environment, api: AggregatedApi): Promise<Availability> {
  const { namespace, name, port } = api.service;
  const where = `service/${name} in "${namespace}"`;
  const service = await serviceNamed(server, api.service);
  if (!service) return no('ServiceNotFound', `${where} is not present`);
  if ((service.spec.type ?? 'ClusterIP') === 'ClusterIP') {
    const found = service.spec.ports?.find((one) => one.port === port);
    if (!found) return no('ServicePortError', `${where} is not listening on port ${port}`);
    const slices = await slicesOf(server, api.service);
    if (slices.length === 0) return no('EndpointsNotFound', `cannot find endpointslices for ${where}`);
    const portName = found.name ?? '';
    if (readyEndpoints(slices, portName).length === 0)
      return no('MissingEndpoints', `endpointslices for ${where} have no addresses with port name "${portName}"`);
  }
  const fault = await discoveryFault(server, api);
  return fault ? no('FailedDiscoveryCheck', fault) : { status: 'True', reason: 'Passed', message: 'all checks passed' };
}

const no = (reason: string, message: string): Availability => ({ status: 'False', reason, message });

async function discoveryFault(server: Environment, api: AggregatedApi): Promise<string | undefined> {
  const path = api.group ? `/apis/${api.group}/${api.version}` : `/api/${api.version}`;
  const url = `https://${api.service.name}.${api.service.namespace}.svc:${api.service.port}${path}`;
  const tries = Array.from({ length: attempts }, async () => {
    const { code } = await readRemote(server, api, path, { codeAlone: true });
    if (code < 200 || code >= 300) throw new Error(`bad status from ${url}: ${code}`);
  });
  try {
    await Promise.any(tries);
    return undefined;
  } catch (error) {
    const last = (error as AggregateError).errors.at(-1) as Error;
    return `failing or missing response from ${url}: ${last.message}`;
  }
}
