// Reads by the API server itself, one or more for each write (the namespace, its limits, the priority classes), are
// answered from the caches at once. As in Kubernetes, where admission reads through informers, another API server's
// last write may still be missing; this server's own never is.

import type { TransportRequest, TransportResponse } from '../../client/client.ts';
import { apiVersionOf } from '../registry/codec.ts';
import { cacheOf, keyOf } from '../registry/target.ts';
import { requestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import type { Server } from '../server.ts';

const self = 'system:apiserver';
const noQuery = new URLSearchParams();

/** Undefined: use the pipeline, also for missing objects, which another server may have just created. */
export function ownRead(
  server: Server,
  user: UserInfo,
  { method, path, query, signal }: TransportRequest,
): TransportResponse | undefined {
  if (user.name !== self || method !== 'GET' || signal) return undefined;
  for (const _ in query) return undefined;
  const { isResource, group, version, resource, namespace, name, subresource } = requestInfo(method, path, noQuery);
  if (!isResource || subresource) return undefined;
  const kind = server.kinds.byResource(group, version, resource);
  if (!kind || kind.virtual || kind.fromStorage) return undefined;
  const cache = cacheOf(server, kind);
  if (cache instanceof Promise) return undefined;
  if (name) {
    const item = cache.get(keyOf(kind, namespace, name));
    return item && { code: 200, body: item.object };
  }
  const items: object[] = [];
  const prefix = namespace && kind.namespaced ? `${cache.prefix}${namespace}/` : cache.prefix;
  if (cache.size) cache.tree.forEach(prefix, `${prefix.slice(0, -1)}0`, (item) => void items.push(item.object));
  const metadata = { resourceVersion: String(server.cache.revision) };
  return { code: 200, body: { kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata, items } };
}
