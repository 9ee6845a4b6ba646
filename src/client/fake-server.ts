// For tests: a transport that stores objects in a map, with enough rules of an API server (versions, conflicts,
// finalizers, watches) to test clients and controllers.

import type { ApiObject } from '../api/api.ts';
import { alreadyExists, conflict, isApiError, notFound } from '../api/api.ts';
import type { Transport, TransportRequest, TransportResponse, WatchEvent } from './interface.ts';

interface Target {
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

export class FakeServer implements Transport {
  readonly #objects = new Map<string, ApiObject>();
  readonly #log: { version: number; collection: string; event: WatchEvent<any> }[] = [];
  #version = 1;
  #wake: (() => void)[] = [];
  /** Every request but reads, such as "POST /api/v1/namespaces/default/pods". */
  readonly writes: string[] = [];
  /** Called before each request; a throw is the answer. */
  before: (request: TransportRequest) => void | Promise<void> = () => {};
  /** Watches from versions below this are refused with 410. */
  oldest = 0;

  async send(request: TransportRequest): Promise<TransportResponse> {
    if (request.method !== 'GET') this.writes.push(`${request.method} ${request.path}`);
    try {
      await this.before(request);
      const target = parse(request.path);
      if (request.query?.watch) return { code: 200, events: this.#watch(target, request) };
      return { code: request.method === 'POST' ? 201 : 200, body: this.#answer(request, target) };
    } catch (error) {
      if (!isApiError(error)) throw error;
      return { code: error.code, body: error.status };
    }
  }

  /** Ends all watches, as a restart of the server would. */
  dropWatches(): void {
    this.#epoch++;
    this.#notify();
  }
  #epoch = 0;

  #answer(request: TransportRequest, target: Target): any {
    const { method } = request;
    if (method === 'POST') return this.#create(target, request.body as ApiObject);
    if (!target.name) return this.#list(target);
    const key = keyOf(target, target.name);
    const object = this.#objects.get(key);
    if (!object) throw notFound(target, target.name);
    if (method === 'GET') return object;
    if (method === 'PUT') {
      const next = structuredClone(request.body) as ApiObject;
      const { resourceVersion } = next.metadata;
      if (resourceVersion && resourceVersion !== object.metadata.resourceVersion)
        throw conflict(target, target.name, 'the object has been modified; please apply your changes to the latest');
      return this.#store(target, target.subresource === 'status' ? { ...next, spec: object.spec } : next, object);
    }
    if (method === 'PATCH') return this.#store(target, merge(object, request.body), object);
    return this.#delete(target, object);
  }

  #create(target: Target, body: ApiObject): ApiObject {
    const metadata = { ...body.metadata };
    if (target.namespace) metadata.namespace = target.namespace;
    metadata.uid ??= `uid-${this.#version}`;
    if (!metadata.name) metadata.name = `${metadata.generateName}${this.#version}`;
    metadata.creationTimestamp ??= '2026-01-01T00:00:00Z';
    metadata.generation ??= 1;
    if (this.#objects.has(keyOf(target, metadata.name))) throw alreadyExists(target, metadata.name);
    return this.#store(target, { ...structuredClone(body), metadata });
  }

  #store(target: Target, object: ApiObject, old?: ApiObject): ApiObject {
    const stored: ApiObject = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    if (old && JSON.stringify(old.spec) !== JSON.stringify(stored.spec))
      stored.metadata.generation = (old.metadata.generation ?? 1) + 1;
    if (stored.metadata.deletionTimestamp && !stored.metadata.finalizers?.length) return this.#remove(target, stored);
    this.#objects.set(keyOf(target, stored.metadata.name), stored);
    this.#emit(target, { type: old ? 'MODIFIED' : 'ADDED', object: stored });
    return stored;
  }

  #delete(target: Target, object: ApiObject): ApiObject {
    const metadata = { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
    return this.#store(target, { ...object, metadata }, object);
  }

  #remove(target: Target, object: ApiObject): ApiObject {
    this.#objects.delete(keyOf(target, object.metadata.name));
    this.#emit(target, { type: 'DELETED', object });
    return object;
  }

  #list(target: Target): object {
    const prefix = keyOf(target, '');
    const items = [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => object);
    return { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: String(this.#version) }, items };
  }

  async *#watch(target: Target, request: TransportRequest): AsyncIterable<WatchEvent<any>> {
    const { signal } = request;
    const prefix = keyOf(target, '');
    const epoch = this.#epoch;
    let after = Number(request.query?.resourceVersion ?? this.#version);
    if (after < this.oldest) {
      yield { type: 'ERROR', object: { code: 410, reason: 'Expired', metadata: {} } };
      return;
    }
    signal?.addEventListener('abort', () => this.#notify());
    while (!signal?.aborted && epoch === this.#epoch) {
      const fresh = this.#log.filter((entry) => entry.version > after);
      for (const { version, collection, event } of fresh) {
        after = version;
        if (collection.startsWith(prefix)) yield event;
      }
      if (fresh.length === 0) await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  #emit(target: Target, event: WatchEvent<any>): void {
    this.#log.push({ version: this.#version, collection: keyOf(target, ''), event });
    this.#notify();
  }

  #notify(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}

const keyOf = (target: Target, name: string) =>
  [target.resource, ...(target.namespace ? [target.namespace] : []), name].join('/');

function parse(path: string): Target {
  const parts = path.split('/').slice(1);
  const group = parts[0] === 'apis' ? parts[1] : '';
  const rest = parts.slice(parts[0] === 'apis' ? 3 : 2);
  if (rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status' && rest[2] !== 'finalize')
    return { group, namespace: rest[1], resource: rest[2], name: rest[3], subresource: rest[4] };
  return { group, resource: rest[0], name: rest[1], subresource: rest[2] };
}

/** JSON merge patch (RFC 7386): it replaces lists, as a strategic one with the directive for it does. */
function merge(target: any, patch: any): any {
  if (Array.isArray(patch)) return patch.filter((item) => item?.$patch !== 'replace');
  if (patch === null || typeof patch !== 'object') return patch;
  const next = { ...(typeof target === 'object' && !Array.isArray(target) ? target : {}) };
  for (const [name, value] of Object.entries(patch))
    if (value === null) delete next[name];
    else next[name] = merge(next[name], value);
  return next;
}
