// /proxy of pods, services and nodes: forwards the request unchanged.
// https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls

import { lookup } from 'node:dns/promises';
import type { Readable } from 'node:stream';
import {
  type ApiObject,
  badRequest,
  type Endpoint,
  type EndpointSlice,
  internalError,
  type Kind,
  notFound,
  type Pod,
  type Service,
  serviceUnavailable,
  specOf,
} from '../../api/api.ts';
import { type Ip, isLinkLocal, isLoopback, isUnspecified, parseIp } from '../../machinery/ip.ts';
import { admitWhole } from '../admission.ts';
import { connectionAttributes } from '../registry/attributes.ts';
import type { Target } from '../registry/operation.ts';
import { cacheOf, keyOf } from '../registry/target.ts';
import type { RawReply, Reply } from '../request/reply.ts';
import { methodRefused } from '../status.ts';
import { connectOptions } from './connect-options.ts';
import { joinHostPort } from './dial-fault.ts';
import { forwardHttp, inRequestLine, queryOf } from './forward.ts';
import { forwardUpgrade } from './forward-upgrade.ts';
import { kubeletOf, type Upstream } from './kubelet-address.ts';
import { forwardedUri, type ProxiedPage, rewriteLink } from './proxy-links.ts';
import type { Connect } from './subresource.ts';

/** `[https:]name[:port]`, the name in the path. */
function parse(text: string, label: string): { scheme: 'http' | 'https'; name: string; port: string } {
  const parts = text.split(':');
  const scheme = parts.length === 3 ? parts.shift() : '';
  const [name, port = ''] = parts;
  if (!name || parts.length > 2 || !['', 'http', 'https'].includes(scheme as string))
    throw badRequest(`invalid ${label} request ${JSON.stringify(text)}`);
  return { scheme: scheme === 'https' ? 'https' : 'http', name, port };
}

/** Kubernetes routes these methods, and no others, to a proxy. */
const methods = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);

const proxying = (find: (target: Target) => Promise<Upstream>): Connect => ({
  anyVerb: true,
  async connect(target, request): Promise<Reply> {
    if (!methods.has(request.method)) throw methodRefused();
    if (request.query.has('dryRun')) throw badRequest('dryRun is not supported');
    await admitWhole(target.server.admission, connectionAttributes(target, connectOptions(target, request)));
    const upstream = await find(target);
    const { rest } = request.info;
    const query = queryOf(request);
    const path = rest || '/';
    if (request.connection?.upgrade) return forwardUpgrade(request, upstream, `${path}${query}`);
    // Relative links of a proxied page work only below a slash.
    if (!rest && ['GET', 'HEAD'].includes(request.method))
      return {
        type: 'raw',
        code: 301,
        contentType: '',
        headers: { Location: inRequestLine(`${request.path}/${query}`) },
        body: '',
      };
    const prefix = prefixOf(request.path.slice(0, request.path.length - rest.length));
    const added = { 'X-Forwarded-Uri': forwardedUri(prefix, inRequestLine(path)) };
    const reply = await forwardHttp(request, upstream, `${path}${query}`, { purpose: 'proxy', added, streams: true });
    return withLinks(reply, {
      prefix: request.proxyPrefix ?? prefix,
      backend: upstream.authority ?? joinHostPort(upstream.host, upstream.port),
      asked: request.headers['host'] ?? request.headers[':authority'] ?? '',
    });
  },
});

/** The decoded path of the proxy. */
function prefixOf(path: string): string {
  try {
    return inRequestLine(decodeURIComponent(path));
  } catch {
    return inRequestLine(path);
  }
}

/** Redirects are the client's to follow, and lead through the proxy, as links in pages do. */
async function withLinks(reply: RawReply, page: ProxiedPage): Promise<RawReply> {
  const location = reply.headers?.['Location'];
  if (typeof location !== 'string') {
    if (!reply.contentType.startsWith('text/html')) return reply;
    // The HTML parser is loaded when it is needed: loading takes longer than most of a start.
    const { withHtmlLinks } = await import('./html-links.ts');
    return withHtmlLinks(reply, (link) => rewriteLink(link, page));
  }
  const rewritten = rewriteLink(location, page);
  if (rewritten !== undefined) return { ...reply, headers: { ...reply.headers, Location: rewritten } };
  (reply.body as Readable).destroy();
  throw internalError(`error trying to parse Location header: parse ${JSON.stringify(location)}: invalid URL`);
}

const insecure = { rejectUnauthorized: false, checkServerIdentity: () => undefined };

/** `port` is unvalidated input. */
function upstreamOf(protocol: 'http' | 'https', host: string, port: string | number, authority?: string): Upstream {
  if (!/^\d+$/.test(String(port))) throw unreachable(`dial tcp: lookup tcp/${port}: unknown port`);
  if (Number(port) < 1 || Number(port) > 65_535) throw unreachable(`dial tcp: address ${port}: invalid port`);
  return {
    protocol,
    host,
    port: Number(port),
    ...(authority && { authority }),
    ...(protocol === 'https' && { tls: insecure }),
  };
}

const unreachable = (why: string) => serviceUnavailable(`error trying to reach service: ${why}`);

/** The server's networks are forbidden: loopback, link-local (cloud metadata), multicast, unspecified. */
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
  const pod = (await object(target, 'pods', name)) as Pod;
  const first = specOf(pod).containers.flatMap((c) => c.ports ?? [])[0]?.containerPort;
  const [host] = addressesOf(pod);
  if (!host || !isProxyable(host)) throw badRequest('address not allowed');
  const chosen = port || first;
  if (chosen) return upstreamOf(scheme, host, chosen);
  return upstreamOf(scheme, host, scheme === 'https' ? 443 : 80, host.includes(':') ? `[${host}]` : host);
});

const addressesOf = ({ status }: Pod): string[] =>
  status?.podIPs?.map(({ ip }) => ip) ?? (status?.podIP ? [status.podIP] : []);

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
  const service = (await object(target, 'services', name)) as Service;
  const ports = specOf(service).ports ?? [];
  const byNumber = /^\d+$/.test(asked) ? ports.find(({ port }) => port === Number(asked)) : undefined;
  if (/^\d+$/.test(asked) && !byNumber)
    throw serviceUnavailable(`no service port ${Number(asked)} found for service ${JSON.stringify(name)}`);
  const ready = await endpointsOf(target, name, byNumber ? (byNumber.name ?? '') : asked);
  if (!ready.length) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(target.name)}`);
  const { host, port: number } = ready[target.server.random.int(ready.length)];
  return upstreamOf(scheme, host, number);
});

/** Only pods of the namespace: users can write endpoints with any address. */
async function endpointsOf(target: Target, service: string, portName: string) {
  const { server, namespace } = target;
  const kind = server.kinds.byResource('discovery.k8s.io', 'v1', 'endpointslices') as Kind;
  const pods = server.kinds.byResource('', 'v1', 'pods') as Kind;
  const podCache = await cacheOf(server, pods);
  const isPod = ({ addresses, targetRef }: Endpoint): boolean => {
    if (targetRef?.namespace !== namespace || targetRef.kind !== 'Pod') return false;
    const pod = podCache.get(keyOf(pods, namespace, targetRef.name ?? ''))?.object as Pod | undefined;
    return !!pod && addressesOf(pod).includes(addresses[0]) && isProxyable(addresses[0]);
  };
  const found: { host: string; port: number }[] = [];
  const prefix = `/registry/${kind.storagePrefix}/${namespace}/`;
  (await cacheOf(server, kind)).tree.forEach(prefix, `${prefix.slice(0, -1)}0`, ({ object }) => {
    const slice = object as EndpointSlice;
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== service) return;
    const port = slice.ports?.find((p) => (p.name ?? '') === portName)?.port;
    for (const endpoint of slice.endpoints ?? [])
      if (port && endpoint.conditions?.ready !== false && isPod(endpoint))
        found.push({ host: endpoint.addresses[0], port });
  });
  return found;
}
