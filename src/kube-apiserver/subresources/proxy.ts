// /proxy of pods, services and nodes: the request goes on to them as it came.
// https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls

import { lookup } from 'node:dns/promises';
import { type ApiObject, badRequest, type Kind, notFound, serviceUnavailable } from '../../api/api.ts';
import { type Ip, isLinkLocal, isLoopback, isUnspecified, parseIp } from '../../machinery/ip.ts';
import { admit, admitFinally } from '../admission.ts';
import { cacheOf, keyOf, type Target } from '../registry/target.ts';
import { attributesOf } from '../registry/write.ts';
import type { Reply } from '../request.ts';
import { forwardHttp, forwardUpgrade } from './forward.ts';
import { kubeletOf, type Upstream } from './kubelet-address.ts';
import type { Subresource } from './subresources.ts';

/** `[https:]name[:port]`, as the name stands in the path. */
function parse(text: string, what: string): { scheme: 'http' | 'https'; name: string; port: string } {
  const parts = text.split(':');
  const scheme = parts.length === 3 ? parts.shift() : '';
  const [name, port = ''] = parts;
  if (!name || parts.length > 2 || !['', 'http', 'https'].includes(scheme as string))
    throw badRequest(`invalid ${what} request ${JSON.stringify(text)}`);
  return { scheme: scheme === 'https' ? 'https' : 'http', name, port };
}

const proxying = (find: (target: Target) => Promise<Upstream>): Subresource => ({
  anyVerb: true,
  async answer(target): Promise<Reply> {
    const { request } = target;
    const { rest } = request.info;
    // Relative links of what is proxied work only below a slash.
    if (!rest && ['GET', 'HEAD'].includes(request.method) && !request.connection?.upgrade)
      return { type: 'raw', code: 301, contentType: '', headers: { Location: `${request.path}/` }, body: '' };
    const attributes = attributesOf(target, 'CONNECT', undefined, undefined, false);
    await admit(attributes);
    await admitFinally(attributes);
    const upstream = await find(target);
    const query = request.query.size ? `?${request.query}` : '';
    const path = `${rest || '/'}${query}`;
    return request.connection?.upgrade
      ? forwardUpgrade(request, upstream, path)
      : forwardHttp(request, upstream, path, 'proxy');
  },
});

const insecure = { rejectUnauthorized: false, checkServerIdentity: () => undefined };

/** `port` as it was asked for, which may be anything. */
function upstreamOf(protocol: 'http' | 'https', host: string, port: string | number): Upstream {
  if (!/^\d+$/.test(String(port))) throw unreachable(`dial tcp: lookup tcp/${port}: unknown port`);
  if (Number(port) < 1 || Number(port) > 65_535) throw unreachable(`dial tcp: address ${port}: invalid port`);
  return { protocol, host, port: Number(port), ...(protocol === 'https' && { tls: insecure }) };
}

const unreachable = (why: string) => serviceUnavailable(`error trying to reach service: ${why}`);

/** The server's own network is no destination: loopback, link-local (cloud metadata), multicast, unspecified. */
function isProxyable(address: string): boolean {
  const parsed = parseIp(address);
  if (!parsed) return false;
  const { family, value } = parsed;
  const ip: Ip = family === 6 && value >> 32n === 0xffffn ? { family: 4, value: value & 0xffff_ffffn } : parsed;
  return !isLoopback(ip) && !isUnspecified(ip) && !isLinkLocal(ip) && !isMulticast(ip);
}

function isMulticast({ family, value }: Ip): boolean {
  return family === 4 ? value >> 28n === 0xen || value === 0xffff_ffffn : value >> 120n === 0xffn;
}

async function object({ server, namespace }: Target, resource: string, name: string): Promise<ApiObject> {
  const kind = server.kinds.byResource('', 'v1', resource) as Kind;
  const item = (await cacheOf(server, kind)).get(keyOf(kind, namespace, name));
  if (!item) throw notFound(kind, name);
  return item.object;
}

export const podProxy = proxying(async (target) => {
  const { scheme, name, port } = parse(target.name, 'pod');
  const pod = await object(target, 'pods', name);
  const first = pod.spec.containers.flatMap((c: any) => c.ports ?? [])[0]?.containerPort;
  const [host] = addressesOf(pod);
  if (!host || !isProxyable(host)) throw badRequest('address not allowed');
  return upstreamOf(scheme, host, port || (first ?? (scheme === 'https' ? 443 : 80)));
});

const addressesOf = ({ status }: ApiObject): string[] =>
  status?.podIPs?.map(({ ip }: { ip: string }) => ip) ?? (status?.podIP ? [status.podIP] : []);

export const nodeProxy = proxying(async (target) => {
  const { scheme, name, port } = parse(target.name, 'node');
  await object(target, 'nodes', name);
  const kubelet = await kubeletOf(target.server, name);
  // The address that was judged is the one that is used: a name may mean another one the next moment.
  const resolved = await lookup(kubelet.host, { all: true }).catch((error: Error) => {
    throw badRequest(`lookup ${kubelet.host}: ${error.message}`);
  });
  if (!resolved.length) throw badRequest('no addresses for hostname');
  if (!resolved.every(({ address }) => isProxyable(address))) throw badRequest('address not allowed');
  const host = resolved[0].address;
  return port && port !== String(kubelet.port) ? upstreamOf(scheme, host, port) : { ...kubelet, host };
});

export const serviceProxy = proxying(async (target) => {
  const { scheme, name, port: asked } = parse(target.name, 'service');
  const service = await object(target, 'services', name);
  const ports: { name?: string; port: number }[] = service.spec.ports ?? [];
  const byNumber = /^\d+$/.test(asked) ? ports.find(({ port }) => port === Number(asked)) : undefined;
  if (/^\d+$/.test(asked) && !byNumber)
    throw serviceUnavailable(`no service port ${Number(asked)} found for service ${JSON.stringify(name)}`);
  const ready = await endpointsOf(target, name, byNumber ? (byNumber.name ?? '') : asked);
  if (!ready.length) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(target.name)}`);
  const { host, port: number } = ready[target.server.random.int(ready.length)];
  return upstreamOf(scheme, host, number);
});

/** Only pods of the namespace: an endpoint that somebody wrote could lead anywhere. */
async function endpointsOf(target: Target, service: string, portName: string) {
  const { server, namespace } = target;
  const kind = server.kinds.byResource('discovery.k8s.io', 'v1', 'endpointslices') as Kind;
  const pods = server.kinds.byResource('', 'v1', 'pods') as Kind;
  const podCache = await cacheOf(server, pods);
  const isPod = ({ addresses, targetRef }: any): boolean => {
    if (targetRef?.namespace !== namespace || targetRef.kind !== 'Pod') return false;
    const pod = podCache.get(keyOf(pods, namespace, targetRef.name))?.object;
    return !!pod && addressesOf(pod).includes(addresses[0]) && isProxyable(addresses[0]);
  };
  const found: { host: string; port: number }[] = [];
  const prefix = `/registry/${kind.storagePrefix}/${namespace}/`;
  (await cacheOf(server, kind)).tree.forEach(prefix, `${prefix.slice(0, -1)}0`, ({ object: slice }) => {
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== service) return;
    const port = slice.ports?.find((p: any) => (p.name ?? '') === portName)?.port;
    for (const endpoint of slice.endpoints ?? [])
      if (port && endpoint.conditions?.ready !== false && isPod(endpoint))
        found.push({ host: endpoint.addresses[0], port });
  });
  return found;
}
