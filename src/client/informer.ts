// A cache of one resource, kept current by list and watch, shared by all readers. Its objects are immutable.

import { isApiError, isNotFound, type KubeObject } from '../api/api.ts';
import type { ComponentContext } from './component.ts';
import type { ObjectOf, ResourceName, ResourceRef, Selection } from './interface.ts';
import { refOf } from './rest.ts';

// client-go's reflector: back-off after a failed list or watch, and the requested duration of a watch.
const firstBackoffMs = 800;
const longestBackoffMs = 30_000;
const backoffResetMs = 120_000;
const shortestWatchSeconds = 300;

/** "namespace/name", or "name" for cluster-scoped objects. */
export const keyOf = (object: KubeObject): string =>
  object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : object.metadata.name;

/** The namespace and name of a key. */
export function nameOf(key: string): { name: string; namespace?: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export interface Lister<T> {
  get(key: string): T | undefined;
  /** All, or those of one namespace. In no particular order. */
  list(namespace?: string): readonly T[];
  /** Those with an owner reference to the object's uid, controller or not. */
  ownedBy(owner: { readonly metadata: { readonly uid: string } }): readonly T[];
  /** By a custom index. Throws when there is no such index. */
  by(index: string, value: string): readonly T[];
}

/** Added: no `old`. Deleted: no `next`, and `old` is the last state that was seen. */
type ChangeHandler<T> = (next: T | undefined, old: T | undefined) => void;

export interface Informer<T> extends Lister<T> {
  readonly hasSynced: boolean;
  /** Resolves when the first list is in the cache. */
  synced(): Promise<void>;
  /** Calls back for all that is in the cache, then for each change. Returns how to stop that. */
  handle(handler: ChangeHandler<T>): () => void;
  /** Adds a custom index, also over cached objects. Adding one name twice does nothing. */
  addIndex(name: string, valuesOf: (object: T) => readonly string[]): void;
  /** The resourceVersion of the last change in the cache. */
  readonly resourceVersion: string;
  /** Resolves when the cache has all changes up to a resourceVersion, such as that of a write. */
  seen(resourceVersion: string, signal?: AbortSignal): Promise<void>;
  /** Resolves when the object with this uid is deleted or terminating. */
  gone(key: string, uid: string, signal?: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

type Context = Pick<ComponentContext, 'client' | 'clock' | 'random' | 'logger'>;

/** `reduce` removes fields that the caller does not need, for collections with many objects. */
export function createInformer<R extends ResourceName | ResourceRef>(
  context: Context,
  resource: R,
  selection: Selection = {},
  reduce: (object: ObjectOf<R>) => ObjectOf<R> = (object) => object,
): Informer<ObjectOf<R>> {
  const informer = new SharedInformer(context, resource, selection, (object) => reduce(object as ObjectOf<R>));
  informer.start();
  return informer as Informer<KubeObject> as Informer<ObjectOf<R>>;
}

const ownerIndex = 'owner uid';
const namespaceIndex = 'namespace';
const none: readonly never[] = [];
const namespaceOf = ({ metadata }: KubeObject) => [metadata.namespace ?? ''];
const ownersOf = ({ metadata }: KubeObject) => metadata.ownerReferences?.map(({ uid }) => uid) ?? none;

const few = 8;

class Index {
  readonly #valuesOf: (object: KubeObject) => readonly string[];
  readonly #objects = new Map<string, Map<string, KubeObject>>();

  constructor(valuesOf: (object: KubeObject) => readonly string[]) {
    this.#valuesOf = valuesOf;
  }

  replace(key: string, next: KubeObject | undefined, old: KubeObject | undefined): void {
    const values = next ? this.#valuesOf(next) : none;
    const before = old ? this.#valuesOf(old) : none;
    // Users decide how many values there are, such as owners.
    const kept = before.length > few ? new Set(values) : undefined;
    for (const value of before)
      if (!(kept ? kept.has(value) : values.includes(value))) {
        const found = this.#objects.get(value);
        found?.delete(key);
        if (found?.size === 0) this.#objects.delete(value);
      }
    for (const value of values) {
      const found = this.#objects.get(value);
      if (found) found.set(key, next as KubeObject);
      else this.#objects.set(value, new Map([[key, next as KubeObject]]));
    }
  }

  get(value: string): readonly KubeObject[] {
    const found = this.#objects.get(value);
    return found ? [...found.values()] : none;
  }
}

interface Waiter {
  ready(): boolean;
  resolve(): void;
}

class SharedInformer implements Informer<KubeObject> {
  readonly #context: Context;
  readonly #resource: ResourceName | ResourceRef;
  readonly #selection: Selection;
  readonly #reduce: (object: KubeObject) => KubeObject;
  readonly #objects = new Map<string, KubeObject>();
  readonly #indexes = new Map<string, Index>();
  readonly #handlers = new Set<ChangeHandler<KubeObject>>();
  readonly #stop = new AbortController();
  readonly #waiters = new Set<Waiter>();
  #running: Promise<void> = Promise.resolve();
  #version = '';
  /** False until the first list, and again after the server expired the watch's version. */
  #listed = false;
  hasSynced = false;

  constructor(
    context: Context,
    resource: ResourceName | ResourceRef,
    selection: Selection,
    reduce: (object: KubeObject) => KubeObject,
  ) {
    this.#context = context;
    this.#resource = resource;
    this.#selection = selection;
    this.#reduce = reduce;
  }

  get resourceVersion(): string {
    return this.#version;
  }

  get(key: string): KubeObject | undefined {
    return this.#objects.get(key);
  }

  list(namespace?: string): readonly KubeObject[] {
    if (namespace === undefined) return [...this.#objects.values()];
    this.addIndex(namespaceIndex, namespaceOf);
    return this.by(namespaceIndex, namespace);
  }

  ownedBy(owner: { readonly metadata: { readonly uid: string } }): readonly KubeObject[] {
    // Made on first use: most informers never use it.
    this.addIndex(ownerIndex, ownersOf);
    return this.by(ownerIndex, owner.metadata.uid);
  }

  by(index: string, value: string): readonly KubeObject[] {
    const found = this.#indexes.get(index);
    if (!found) throw new Error(`${refOf(this.#resource).resource} have no index "${index}": call addIndex first`);
    return found.get(value);
  }

  addIndex(name: string, valuesOf: (object: KubeObject) => readonly string[]): void {
    if (this.#indexes.has(name)) return;
    const index = new Index(valuesOf);
    for (const [key, object] of this.#objects) index.replace(key, object, undefined);
    this.#indexes.set(name, index);
  }

  handle(handler: ChangeHandler<KubeObject>): () => void {
    this.#handlers.add(handler);
    for (const object of this.#objects.values()) handler(object, undefined);
    return () => this.#handlers.delete(handler);
  }

  synced(): Promise<void> {
    return this.#when(() => this.hasSynced);
  }

  seen(resourceVersion: string, signal?: AbortSignal): Promise<void> {
    const wanted = Number(resourceVersion);
    return this.#when(() => !(Number(this.#version) < wanted), signal);
  }

  gone(key: string, uid: string, signal?: AbortSignal): Promise<void> {
    return this.#when(() => {
      const object = this.#objects.get(key);
      return object === undefined || object.metadata.uid !== uid || object.metadata.deletionTimestamp !== undefined;
    }, signal);
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const waiter of this.#waiters) waiter.resolve();
    this.#waiters.clear();
    await this.#running;
  }

  #when(ready: () => boolean, signal?: AbortSignal): Promise<void> {
    if (ready() || this.#stop.signal.aborted || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter = { ready, resolve };
      this.#waiters.add(waiter);
      signal?.addEventListener(
        'abort',
        () => {
          this.#waiters.delete(waiter);
          resolve();
        },
        { once: true },
      );
    });
  }

  async #run(): Promise<void> {
    const { clock, random, logger } = this.#context;
    const { signal } = this.#stop;
    let backoffMs = firstBackoffMs;
    let failure = '';
    const report = (error: unknown) => {
      const text = String(error);
      // A removed resource fails until discovery drops its informer.
      const level = text === failure || (this.hasSynced && isNotFound(error)) ? 'debug' : 'warn';
      failure = text;
      logger[level]('list or watch failed', { resource: refOf(this.#resource).resource, error: text });
    };
    while (!signal.aborted) {
      const startedMs = clock.monotonic();
      try {
        if (!this.#listed) await this.#list();
        await this.#watch(signal);
        failure = '';
        // A watch that ends at once, again and again, must not become a busy loop.
        if (clock.monotonic() - startedMs >= 1000) continue;
      } catch (error) {
        if (signal.aborted) return;
        if (isApiError(error) && error.code === 410) this.#listed = false;
        report(error);
      }
      if (clock.monotonic() - startedMs > backoffResetMs) backoffMs = firstBackoffMs;
      await clock.sleep(backoffMs * (1 + random.next()), signal).catch(() => {});
      backoffMs = Math.min(backoffMs * 2, longestBackoffMs);
    }
  }

  async #list(): Promise<void> {
    const list = await this.#context.client.list(this.#resource as ResourceRef, this.#selection);
    const unseen = new Set(this.#objects.keys());
    for (const object of list.items) {
      const key = keyOf(object);
      unseen.delete(key);
      const cached = this.#objects.get(key);
      if (cached?.metadata.resourceVersion === object.metadata.resourceVersion) continue;
      // Deleted and created again between two lists: handlers that keep state by uid must see both.
      if (cached && cached.metadata.uid !== object.metadata.uid) this.#replace(key, undefined);
      this.#replace(key, this.#reduce(object));
    }
    for (const key of unseen) this.#replace(key, undefined);
    this.#listed = true;
    this.hasSynced = true;
    this.#advance(list.resourceVersion);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, random } = this.#context;
    const options = {
      ...this.#selection,
      resourceVersion: this.#version,
      allowWatchBookmarks: true,
      timeoutSeconds: shortestWatchSeconds + random.int(shortestWatchSeconds),
    };
    for await (const event of client.watch(this.#resource as ResourceRef, options, signal)) {
      if (signal.aborted) return;
      if (event.type === 'ERROR') {
        if (event.object.code === 410) this.#listed = false;
        if (this.#listed) throw new Error(event.object.message ?? 'the watch failed');
        return;
      }
      if (event.type === 'DELETED') this.#replace(keyOf(event.object), undefined, this.#reduce(event.object));
      else if (event.type !== 'BOOKMARK') this.#replace(keyOf(event.object), this.#reduce(event.object));
      this.#advance(event.object.metadata.resourceVersion);
    }
  }

  #replace(key: string, next: KubeObject | undefined, last?: KubeObject): void {
    const cached = this.#objects.get(key);
    if (next) this.#objects.set(key, next);
    else this.#objects.delete(key);
    for (const index of this.#indexes.values()) index.replace(key, next, cached);
    const old = next ? cached : (last ?? cached);
    if (!next && !cached) return;
    for (const handler of this.#handlers)
      try {
        handler(next, old);
      } catch (error) {
        this.#context.logger.error('change handler failed', { key, error: String((error as Error).stack) });
      }
  }

  #advance(version: string): void {
    this.#version = version;
    for (const waiter of this.#waiters)
      if (waiter.ready()) {
        this.#waiters.delete(waiter);
        waiter.resolve();
      }
  }
}
