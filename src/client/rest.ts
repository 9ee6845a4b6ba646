// The client over any transport: names become paths, options become queries, refusals become ApiError.

import { ApiError, type Draft, type KubeObject, resources, type Status } from '../api/api.ts';
import { fieldsIn } from '../machinery/parsed.ts';
import type {
  Client,
  DeleteOptions,
  List,
  Name,
  ObjectOf,
  Patch,
  ResourceName,
  ResourceRef,
  Selection,
  Transport,
  TransportRequest,
  TransportResponse,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './interface.ts';

type AnyResource = ResourceName | ResourceRef;

const patchTypes: Record<Patch['type'], string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

export const refOf = (resource: AnyResource): ResourceRef & { kind?: string } =>
  typeof resource === 'string' ? resources[resource] : resource;

/** Path of a collection, of an object in it, or of its subresource. */
function pathOf(resource: AnyResource, namespace?: string, name?: string, subresource?: string): string {
  const { group, version, resource: plural, namespaced } = refOf(resource);
  const parts = group ? ['/apis', group, version] : ['/api', version];
  if (namespaced && namespace !== undefined) parts.push('namespaces', encodeURIComponent(namespace));
  parts.push(plural);
  if (name !== undefined) parts.push(encodeURIComponent(name));
  if (subresource !== undefined) parts.push(subresource);
  return parts.join('/');
}

/** Query parameters of those options that are set. */
function queryOf(options: object | undefined, ...names: string[]): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(options ?? {}))
    if (value !== undefined && names.includes(name)) query[name] = String(value);
  return query;
}

const selectionNames = ['labelSelector', 'fieldSelector'];

function writeQuery(options?: WriteOptions): Record<string, string> {
  return { ...queryOf(options, 'fieldManager'), ...(options?.dryRun && { dryRun: 'All' }) };
}

const deleteBody = (options?: DeleteOptions) => ({
  apiVersion: 'v1',
  kind: 'DeleteOptions',
  ...(options?.gracePeriodSeconds !== undefined && { gracePeriodSeconds: options.gracePeriodSeconds }),
  ...(options?.propagationPolicy && { propagationPolicy: options.propagationPolicy }),
  ...(options?.preconditions && { preconditions: options.preconditions }),
  ...(options?.dryRun && { dryRun: ['All'] }),
});

interface ListBody<T> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items?: readonly T[] | null;
}

/** List items have no kind on the wire; readers of caches expect one. */
function itemsOf<T>(body: ListBody<T>): readonly T[] {
  const items = body.items ?? [];
  if (items.length === 0 || fieldsIn(items[0])['kind']) return items;
  const kind = body.kind.replace(/List$/, '');
  return items.map((item) => ({ apiVersion: body.apiVersion, kind, ...item }));
}

export function createClient(transport: Transport): Client {
  return new RestClient(transport);
}

class RestClient implements Client {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get<R extends AnyResource>(resource: R, name: Name, options?: { subresource?: string }): Promise<ObjectOf<R>> {
    return this.#send('GET', pathOf(resource, name.namespace, name.name, options?.subresource));
  }

  async list<R extends AnyResource>(resource: R, options: object & Selection = {}): Promise<List<ObjectOf<R>>> {
    const names = [...selectionNames, 'limit', 'continue', 'resourceVersion', 'resourceVersionMatch'];
    const body = await this.#send<ListBody<ObjectOf<R>>>('GET', pathOf(resource, options.namespace), {
      query: queryOf(options, ...names),
    });
    const { resourceVersion, continue: next, remainingItemCount } = body.metadata;
    return {
      items: itemsOf(body),
      resourceVersion,
      ...(next && { continue: next }),
      ...(remainingItemCount !== undefined && { remainingItemCount }),
    };
  }

  async *watch<R extends AnyResource>(resource: R, options: WatchOptions, signal: AbortSignal) {
    const names = [...selectionNames, 'resourceVersion', 'allowWatchBookmarks', 'sendInitialEvents', 'timeoutSeconds'];
    const query: Record<string, string> = { ...queryOf(options, ...names), watch: 'true' };
    if (options.sendInitialEvents) query.resourceVersionMatch = 'NotOlderThan';
    const response = await this.#transport.send({
      method: 'GET',
      path: pathOf(resource, options.namespace),
      query,
      signal,
    });
    if (response.code >= 400) throw failureOf(response);
    // The path names the resource, so the server's objects have its type.
    if (response.events) yield* response.events as AsyncIterable<WatchEvent<ObjectOf<R>>>;
  }

  create<R extends AnyResource>(resource: R, object: Draft<ObjectOf<R>>, options?: WriteOptions): Promise<ObjectOf<R>> {
    const { group, version, kind } = refOf(resource);
    const typed = kind ? { apiVersion: group ? `${group}/${version}` : version, kind, ...object } : object;
    const path = pathOf(resource, object.metadata.namespace);
    return this.#send('POST', path, { query: writeQuery(options), body: typed });
  }

  createSubresource<T>(resource: AnyResource, name: Name, subresource: string, body: object, options?: WriteOptions) {
    const path = pathOf(resource, name.namespace, name.name, subresource);
    return this.#send('POST', path, { query: writeQuery(options), body }) as Promise<T>;
  }

  update<R extends AnyResource>(resource: R, object: ObjectOf<R>, options?: WriteOptions): Promise<ObjectOf<R>> {
    const { metadata } = object as KubeObject;
    const { group, version, kind } = refOf(resource);
    const typed = kind ? { apiVersion: group ? `${group}/${version}` : version, kind, ...(object as object) } : object;
    const path = pathOf(resource, metadata.namespace, metadata.name, options?.subresource);
    return this.#send('PUT', path, { query: writeQuery(options), body: typed as object });
  }

  patch<R extends AnyResource>(resource: R, name: Name, patch: Patch, options?: WriteOptions): Promise<ObjectOf<R>> {
    const query = writeQuery(options);
    if (patch.type === 'apply' && patch.force) query.force = 'true';
    return this.#send('PATCH', pathOf(resource, name.namespace, name.name, options?.subresource), {
      query,
      body: patch.body,
      contentType: patchTypes[patch.type],
    });
  }

  delete(resource: AnyResource, name: Name, options?: DeleteOptions): Promise<KubeObject | Status> {
    return this.#send('DELETE', pathOf(resource, name.namespace, name.name), { body: deleteBody(options) });
  }

  async deleteCollection(resource: AnyResource, selection: Selection, options?: DeleteOptions): Promise<void> {
    const query = queryOf(selection, ...selectionNames);
    await this.#send('DELETE', pathOf(resource, selection.namespace), { query, body: deleteBody(options) });
  }

  raw<T = unknown>(method: string, path: string, body?: object, options: { signal?: AbortSignal } = {}): Promise<T> {
    const [plain, search] = path.split('?', 2);
    const query = search ? Object.fromEntries(new URLSearchParams(search)) : undefined;
    return this.#send(method as TransportRequest['method'], plain, { query, body, ...options });
  }

  /** The method and path decide the response's type; it is the caller's to name. */
  async #send<T>(
    method: TransportRequest['method'],
    path: string,
    rest: Pick<TransportRequest, 'query' | 'body' | 'contentType' | 'signal'> = {},
  ): Promise<T> {
    const response = await this.#transport.send({ method, path, ...rest });
    if (response.code < 400) return response.body as T;
    throw failureOf(response);
  }
}

const isStatus = (body: unknown): body is Status => fieldsIn(body)['kind'] === 'Status';

/** Responses other than a Status get client-go's message. */
function failureOf({ code, body }: TransportResponse): ApiError {
  if (isStatus(body)) return new ApiError(body);
  const status = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', code };
  if (code === 404)
    return new ApiError({ ...status, message: 'the server could not find the requested resource', reason: 'NotFound' });
  const message = typeof body === 'string' ? body.trim() : '';
  return new ApiError({ ...status, message: message || `the server answered ${code}` });
}
