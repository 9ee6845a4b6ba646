// Forwards requests for an aggregated API to its server, on behalf of the user.

import { Readable } from 'node:stream';
import { ApiError } from '../../api/api.ts';
import { type RawReply, type Reply, textReply } from '../request/reply.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import { joinHostPort } from '../subresources/dial-fault.ts';
import { forwardHttp, queryOf } from '../subresources/forward.ts';
import { forwardUpgrade } from '../subresources/forward-upgrade.ts';
import type { Upstream } from '../subresources/kubelet-address.ts';
import type { AggregatedApi } from './aggregation.ts';
import { resolveEndpoint } from './endpoint.ts';
import { tlsOf, userHeaders } from './remote-request.ts';

/** Discovery must not wait for a slow server. */
const discoveryMs = 5_000;

export const aggregate: Stage = async (request, next) => {
  if (request.server.aggregation.size === 0) return next();
  const api = apiOf(request);
  return api ? forward(request, api) : next();
};

/** A document that the API's server has at the same path. */
export const forwardDocument = (request: ApiRequest, api: AggregatedApi): Promise<Reply> => forward(request, api);

function apiOf({ info, path, server }: ApiRequest): AggregatedApi | undefined {
  if (info.isResource) return server.aggregation.find(info.group, info.version);
  const [, root, group, version, ...more] = (path.endsWith('/') ? path.slice(0, -1) : path).split('/');
  return root === 'apis' && version && more.length === 0 ? server.aggregation.find(group, version) : undefined;
}

async function forward(request: ApiRequest, api: AggregatedApi): Promise<Reply> {
  const { server } = request;
  if (!api.isAvailable) return unavailable('service unavailable');
  let endpoint: { host: string; port: number };
  try {
    endpoint = await resolveEndpoint(server, api.service);
  } catch {
    return unavailable('service unavailable');
  }
  const upstream: Upstream = { protocol: 'https', ...endpoint, tls: tlsOf(server, api) };
  const path = `${request.path}${queryOf(request)}`;
  const host = joinHostPort(endpoint.host, endpoint.port);
  const headers = { ...userHeaders(request.user), ...server.tracing?.headers(), Host: host };
  try {
    if (request.connection?.upgrade) return await forwardUpgrade(request, upstream, path, headers);
    const signal = request.info.isResource
      ? request.signal
      : AbortSignal.any([request.signal, AbortSignal.timeout(discoveryMs)]);
    const answer = await forwardHttp(request, upstream, path, { purpose: 'proxy', added: headers, signal });
    return server.config.refusesRedirects && isRedirect(answer) ? refuseRedirect(answer) : answer;
  } catch (error) {
    if (error instanceof ApiError) return unavailable(error.message);
    throw error;
  }
}

const isRedirect = ({ code, headers }: RawReply): boolean =>
  code >= 300 && code <= 399 && headers?.['Location'] !== undefined;

/** A client would follow it with its credentials. */
function refuseRedirect({ body }: RawReply): Reply {
  if (body instanceof Readable) body.destroy();
  return textReply(502, 'the backend attempted to redirect this request, which is not permitted');
}

const unavailable = (message: string): Reply => textReply(503, `${message}\n`);
