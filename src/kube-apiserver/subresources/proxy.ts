// /proxy of pods, services and nodes: the request goes on to them as it came.
// https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls

import { type ApiObject, badRequest, type Kind, notFound, serviceUnavailable } from '../../api/api.ts';
import { cacheOf, keyOf, type Target } from '../registry/target.ts';
import type { Reply } from '../request.ts';
import { forwardHttp, forwardUpgrade } from './forward.ts';
import { kubeletOf, type Upstream } from './kubelet-address.ts';
import type { Subresource } from './subresources.ts';

/** `[https:]name[:port]`, as the name stands in the path. */
function parse(text: string): { scheme: 'http' | 'https'; name: string; port: string } {
  const parts = text.split(':');
  const scheme = parts.length === 3 ? parts.shift() : '';
  const [name, port = ''] = parts;
  if (scheme && scheme !== 'http' && scheme !== 'https')
    throw badRequest(`invalid ${JSON.stringify(text)}: the scheme must be http or https`);
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
    const upstream = await find(target);
    const query = request.query.size ? `?${request.query}` : '';
    const path = `${rest || '/'}${query}`;
    return request.connection?.upgrade
      ? forwardUpgrade(request, upstream, path)
      : forwardHttp(request, upstream, path, 'proxy');
  },
});

const insecure = { rejectUnauthorized: false, checkServerIdentity: () => undefined };

const upstreamOf = (protocol: 'http' | 'https', host: string, port: number): Upstream => ({
  protocol,
  host,
  port,
  ...(protocol === 'https' && { tls: insecure }),
});

async function object({ server, namespace }: Target, resource: string, name: string): Promise<ApiObject> {
  const kind = server.kinds.byResource('', 'v1', resource) as Kind;
  const item = (await cacheOf(server, kind)).get(keyOf(kind, namespace, name));
  if (!item) throw notFound(kind, name);
  return item.object;
}

export const podProxy = proxying(async (target) => {
  const { scheme, name, port } = parse(target.name);
  const pod = await object(target, 'pods', name);
  const first = pod.spec.containers.flatMap((c: any) => c.ports ?? [])[0]?.containerPort;
  const host = pod.status?.podIP;
  if (!host) throw badRequest('address not allowed');
  return upstreamOf(scheme, host, port ? Number(port) : (first ?? (scheme === 'https' ? 443 : 80)));
});

export const nodeProxy = proxying(async (target) => {
  const { name, port } = parse(target.name);
  await object(target, 'nodes', name);
  const kubelet = await kubeletOf(target.server, name);
  return port && Number(port) !== kubelet.port ? upstreamOf('http', kubelet.host, Number(port)) : kubelet;
});

export const serviceProxy = proxying(async (target) => {
  const { scheme, name, port: asked } = parse(target.name);
  const service = await object(target, 'services', name);
  const ports: any[] = service.spec.ports ?? [];
  const port = asked ? ports.find((p) => p.name === asked || String(p.port) === asked) : ports[0];
  if (!port)
    throw serviceUnavailable(`no service port ${JSON.stringify(asked)} found for service ${JSON.stringify(name)}`);
  const ready = await endpointsOf(target, name, port.name ?? '');
  if (!ready.length) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  const { host, port: number } = ready[target.server.random.int(ready.length)];
  return upstreamOf(scheme, host, number);
});

async function endpointsOf({ server, namespace }: Target, service: string, portName: string) {
  const kind = server.kinds.byResource('discovery.k8s.io', 'v1', 'endpointslices') as Kind;
  const found: { host: string; port: number }[] = [];
  const prefix = `/registry/${kind.storagePrefix}/${namespace}/`;
  (await cacheOf(server, kind)).tree.forEach(prefix, `${prefix.slice(0, -1)}0`, ({ object: slice }) => {
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== service) return;
    const port = slice.ports?.find((p: any) => (p.name ?? '') === portName)?.port;
    for (const { addresses, conditions } of slice.endpoints ?? [])
      if (port && conditions?.ready !== false) found.push({ host: addresses[0], port });
  });
  return found;
}
