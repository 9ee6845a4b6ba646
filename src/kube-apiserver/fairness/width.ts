// The number of seats of a request: lists by the number of objects, writes by the number of watchers.
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#seats-occupied-by-a-request

import type { Environment } from '../environment.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { ResourceCache } from '../watch-cache/resource-cache.ts';
import type { Width } from './queue-set.ts';

/** Bytes of a list per seat, and the most bytes that count: the rest is streamed. */
const bytesPerSeat = 100_000;
const mostBytes = 1_000_000;
const mostListSeats = 100;
const mostWriteSeats = 10;
const watchesPerSeat = 10;
const eventMs = 5;
/** Objects that are measured to estimate the size of all. */
const sampled = 20;

/** The parts of a request that determine its width. */
export interface Asked {
  readonly server: Pick<Environment, 'kinds' | 'cache'>;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
}

const one: Width = { seats: 1, finalSeats: 0, additionalMs: 0 };
const writes = new Set(['create', 'update', 'patch', 'delete']);

/** `widest`: the most that the priority level lets one request have. */
export function widthOf(request: Asked, widest: number | undefined, watchers = watchersOf(request)): Width {
  const { info } = request;
  if (!info.isResource) return one;
  if (info.verb === 'list' || info.verb === 'watch')
    return listWidth(request, Math.min(widest ?? mostListSeats, mostListSeats));
  return watchers === undefined ? one : writeWidth(watchers, Math.min(widest ?? mostWriteSeats, mostWriteSeats));
}

function listWidth(request: Asked, most: number): Width {
  const { info, query } = request;
  if (info.verb === 'watch' && !sendsInitialEvents(query)) return one;
  const cache = cacheOf(request);
  if (!cache || info.name) return one;
  const limit = Number(query.get('limit') ?? 0);
  const count = limit > 0 ? Math.min(limit, cache.size) : cache.size;
  const bytes = Math.min(count * averageBytes(cache), mostBytes);
  const seats = Math.max(1, Math.min(most, Math.ceil(bytes / bytesPerSeat)));
  return { seats, finalSeats: 0, additionalMs: 0 };
}

function sendsInitialEvents(query: URLSearchParams): boolean {
  const version = query.get('resourceVersion') ?? '';
  return query.get('sendInitialEvents') === 'true' || version === '' || version === '0';
}

/** Of the objects that the request changes; undefined for others. */
export function watchersOf(request: Asked): number | undefined {
  const { isResource, verb, resource, subresource } = request.info;
  if (!isResource || !writes.has(verb)) return undefined;
  if (resource === 'serviceaccounts' && subresource === 'token') return undefined; // it changes no object
  return cacheOf(request)?.watcherCount ?? 0;
}

function writeWidth(watchers: number, most: number): Width {
  if (watchers < watchesPerSeat) return one;
  const wanted = Math.ceil(watchers / watchesPerSeat);
  const finalSeats = Math.min(wanted, most);
  // A narrower request occupies its seats for longer.
  return { seats: 1, finalSeats, additionalMs: (wanted * eventMs) / finalSeats };
}

/** Undefined until the resource is loaded, and for resources of other servers. */
function cacheOf({ server, info }: Asked): ResourceCache | undefined {
  const kind = server.kinds.byResource(info.group, info.version, info.resource);
  return kind && server.cache.loaded(`/registry/${kind.storagePrefix}/`);
}

export function averageBytes(cache: ResourceCache): number {
  let bytes = 0;
  let count = 0;
  cache.tree.forEach('', '\uffff', (item) => {
    bytes += item.keptBytes || bytesPerUnknown;
    return ++count < sampled;
  });
  return count > 0 ? bytes / count : 0;
}

/** Of an object that is kept without its JSON. */
const bytesPerUnknown = 2_000;
