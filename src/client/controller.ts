// The interface of a controller, and the loop that runs all controllers.

import { controllerOf, isConflict, type KubeObject, type OwnerReference, resources } from '../api/api.ts';
import { pause } from '../machinery/time/turn.ts';
import { type ComponentContext, errorText } from './component.ts';
import { createEventRecorder, type EventRecorder } from './events/events.ts';
import { type Informer, keyOf, type Lister } from './informer.ts';
import type { InformerFactory } from './informer-factory.ts';
import type { Client, ObjectOf, ResourceName, ResourceRef } from './interface.ts';
import { Intake } from './queue/intake.ts';
import { settleEach } from './queue/settle-each.ts';
import { WorkQueue } from './queue/work-queue.ts';
import { workQueueMetrics } from './queue/work-queue-metrics.ts';
import { refOf } from './rest.ts';

const defaultWorkers = 5;
/** A reconcile that takes longer is logged with its key: one object must not hold up all others. */
const slowReconcileMs = 1_000;
/** client-go's ExpectationsTimeout: how long to wait until the cache has the controller's writes. */
const ownWritesTimeoutMs = 300_000;

/** The tools of a reconcile. Listers read the caches of the resources that the controller watches or `reads`. */
export interface Tools extends Pick<ComponentContext, 'clock' | 'random' | 'logger' | 'metrics'> {
  lister<R extends ResourceName>(resource: R): Lister<ObjectOf<R>>;
  /** Uses the controller's identity. A key is not reconciled again until the caches have its writes. */
  readonly client: Client;
  readonly events: EventRecorder;
}

/** One source of work: an event on an object of `resource` yields keys only. */
export interface Watch {
  readonly resource: ResourceName;
  keys(object: KubeObject, tools: Tools): Iterable<string>;
  /** False for updates that cannot matter. Default: all matter. */
  matters?(next: KubeObject, old: KubeObject): boolean;
}

/**
 * A controller moves the actual state toward the desired state, one key at a time. It is level-triggered: reconcile
 * gets the key and no event, may run at any time and any number of times, and must be correct after a crash at any
 * line. It reads the caches, writes through the client, and returns
 * - nothing: done until the next change,
 * - `{ after }`: reconcile again after that many milliseconds.
 * A throw is retried after a back-off (5 ms, doubling, up to 1000 s); a TerminalError is logged and not retried.
 */
export interface Controller {
  readonly name: string;
  /** Source of its events; default: its name and "-controller". */
  readonly component?: string;
  readonly watches: readonly Watch[];
  /** Resources that are read beside those watched. */
  readonly reads?: readonly ResourceName[];
  /** Custom indexes of the listers. */
  readonly indexes?: readonly {
    readonly resource: ResourceName;
    readonly name: string;
    valuesOf(object: KubeObject): readonly string[];
  }[];
  /** Keys worked on at the same time. Default 5. */
  readonly workers?: number;
  /**
   * Called once, when the caches have synced, before the first reconcile. The returned function is called at the end.
   * `informers` gives access to resources that are discovered at run time.
   */
  start?(
    tools: Tools,
    enqueue: (key: string, afterMs?: number) => void,
    informers: InformerFactory,
  ): Ended | Promise<Ended>;
  reconcile(key: string, tools: Tools): Promise<{ readonly after: number } | void>;
}

/** A controller does not end its process. */
export type ControllerContext = Omit<ComponentContext, 'fatal'>;

type Ended = void | (() => void);

/** Trying again cannot help. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

/** Watches the objects themselves. */
export const own = (resource: ResourceName, matters?: Watch['matters']): Watch => ({
  resource,
  keys: (object) => [keyOf(object)],
  ...(matters && { matters }),
});

/** Watches objects that an object of `kind` controls, and yields the key of that owner. */
export const ownedBy = (resource: ResourceName, kind: string): Watch => ({
  resource,
  keys(object: KubeObject) {
    const owner = controllerOf(object);
    if (owner?.kind !== kind) return [];
    return [object.metadata.namespace ? `${object.metadata.namespace}/${owner.name}` : owner.name];
  },
});

interface RunningController {
  readonly name: string;
  stop(): Promise<void>;
}

/** Runs a controller until stopped. The caller owns the informers, and stops them afterwards. */
export function runController(
  context: ControllerContext,
  informers: InformerFactory,
  controller: Controller,
): RunningController {
  const runner = new Runner(context, informers, controller);
  const running = runner.run();
  return {
    name: controller.name,
    async stop() {
      runner.stop();
      await running;
    },
  };
}

interface Event {
  readonly watch: Watch;
  readonly next: KubeObject | undefined;
  readonly old: KubeObject | undefined;
  readonly tools: Tools;
}

class Runner {
  readonly #context: ControllerContext;
  readonly #informers: InformerFactory;
  readonly #controller: Controller;
  readonly #queue: WorkQueue;
  readonly #events: EventRecorder;
  readonly #stop = new AbortController();
  readonly #intake: Intake<Event>;

  constructor(context: ControllerContext, informers: InformerFactory, controller: Controller) {
    this.#context = { ...context, logger: context.logger.child({ controller: controller.name }) };
    this.#informers = informers;
    this.#controller = controller;
    const { clock, metrics } = context;
    const slowAtOnce = Math.ceil((controller.workers ?? defaultWorkers) / 2);
    this.#queue = new WorkQueue({ clock, slowAtOnce, metrics: workQueueMetrics(metrics, clock, controller.name) });
    this.#intake = new Intake(clock, (event) => this.#note(event), this.#stop.signal);
    const component = controller.component ?? `${controller.name}-controller`;
    this.#events = createEventRecorder(this.#context, { component });
  }

  stop(): void {
    this.#stop.abort();
    this.#queue.close();
  }

  async run(): Promise<void> {
    const { watches, indexes = [], reads = [], workers = defaultWorkers } = this.#controller;
    for (const { resource, name, valuesOf } of indexes) this.#informers.for(resource).addIndex(name, valuesOf);
    const sources = [...new Set([...watches.map((watch) => watch.resource), ...reads])];
    const informers = sources.map((resource) => this.#informers.for(resource));
    await Promise.race([Promise.all(informers.map((informer) => informer.synced())), this.#stopped()]);
    if (this.#stop.signal.aborted) return;
    const tools = this.#tools(this.#context.client);
    const unwatch = watches.map((watch) => this.#watch(watch, tools));
    const enqueue = (key: string, afterMs = 0) => this.#queue.addAfter(key, afterMs);
    const end = await this.#controller.start?.(tools, enqueue, this.#informers);
    await Promise.all(Array.from({ length: workers }, () => this.#work()));
    for (const stop of unwatch) stop();
    end?.();
    await this.#events.flush();
  }

  #stopped(): Promise<void> {
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #tools(client: Client): Tools {
    const { clock, random, logger, metrics } = this.#context;
    const lister: Tools['lister'] = (resource) => this.#informers.for(resource);
    return { clock, random, logger, metrics, client, events: this.#events, lister };
  }

  #watch(watch: Watch, tools: Tools): () => void {
    return this.#informers.for(watch.resource).handle((next, old) => this.#intake.add({ watch, next, old, tools }));
  }

  #note({ watch, next, old, tools }: Event): void {
    try {
      if (next && old && watch.matters && !watch.matters(next, old)) return;
      const keys = new Set<string>(next ? watch.keys(next, tools) : []);
      // The previous owner lost an object, so reconcile it too.
      if (old) for (const key of watch.keys(old, tools)) keys.add(key);
      for (const key of keys) this.#queue.add(key);
    } catch (error) {
      this.#context.logger.error('watch failed', { resource: refOf(watch.resource).resource, error: errorText(error) });
    }
  }

  async #work(): Promise<void> {
    for (let key = await this.#queue.next(); key !== undefined; key = await this.#queue.next()) {
      const writes = new OwnWrites(this.#informers, this.#context.client);
      await this.#reconcile(key, this.#tools(writes.client));
      await writes.shown(this.#context, this.#stop.signal);
      this.#queue.done(key);
      // Reconciles without a request would follow each other in one turn.
      await pause(this.#context.clock);
    }
  }

  async #reconcile(key: string, tools: Tools): Promise<void> {
    const { logger, metrics } = this.#context;
    const startedMs = this.#context.clock.monotonic();
    let result: 'success' | 'error' | 'requeue_after' | 'terminal' = 'success';
    try {
      const again = await this.#controller.reconcile(key, tools);
      this.#queue.forget(key);
      if (again) {
        result = 'requeue_after';
        this.#queue.addAfter(key, again.after);
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      result = error instanceof TerminalError ? 'terminal' : 'error';
      if (result === 'terminal') this.#queue.forget(key);
      else this.#queue.retry(key);
      // A conflict means that another writer was faster; the cache will have its change soon.
      const level = isConflict(error) ? 'debug' : 'warn';
      logger[level]('reconcile failed', { key, error: errorText(error) });
    }
    const tookMs = this.#context.clock.monotonic() - startedMs;
    if (tookMs > slowReconcileMs) logger.warn('slow reconcile', { key, ms: Math.round(tookMs), result });
    const labels = { controller: this.#controller.name };
    metrics.counter('controller_reconcile_total', 'Reconciliations by result.').add(1, { ...labels, result });
    metrics
      .histogram('controller_reconcile_time_seconds', 'Time of one reconciliation.', [0.001, 0.01, 0.1, 1, 10])
      .observe(tookMs / 1000, labels);
  }
}

/**
 * Tracks the writes of one reconcile, so that the next one does not read older caches and, for example, create the same
 * pods again. Writes to resources without an informer are not tracked.
 */
class OwnWrites {
  readonly #informers: InformerFactory;
  readonly #pending: ((signal: AbortSignal) => Promise<void>)[] = [];
  /** The last version that was written, by informer: its cache then has the versions before. */
  readonly #versions = new Map<Informer<KubeObject>, string>();
  readonly client: Client;

  constructor(informers: InformerFactory, client: Client) {
    this.#informers = informers;
    const note = <T extends KubeObject>(resource: ResourceName | ResourceRef, object: T): T => {
      this.#written(resource, object);
      return object;
    };
    // Each writing verb records its result; other verbs pass through.
    this.client = {
      get: (...args) => client.get(...args),
      list: (...args) => client.list(...args),
      watch: (...args) => client.watch(...args),
      raw: (...args) => client.raw(...args),
      deleteCollection: (...args) => client.deleteCollection(...args),
      createSubresource: (...args) => client.createSubresource(...args),
      create: async (resource, ...args) => note(resource, await client.create(resource, ...args)),
      update: async (resource, ...args) => note(resource, await client.update(resource, ...args)),
      patch: async (resource, ...args) => note(resource, await client.patch(resource, ...args)),
      delete: async (resource, name, options) => {
        const uid = options?.preconditions?.uid ?? this.#find(resource)?.get(joinKey(name))?.metadata.uid;
        const answer = await client.delete(resource, name, options);
        const informer = this.#find(resource);
        if (informer && uid) this.#pending.push((signal) => informer.gone(joinKey(name), uid, signal));
        return answer;
      },
    };
  }

  /** Resolves when the caches have all writes, or after five minutes. */
  async shown(context: Pick<ComponentContext, 'clock' | 'logger'>, stop: AbortSignal): Promise<void> {
    if (this.#pending.length + this.#versions.size === 0) return;
    const limit = new AbortController();
    const timer = context.clock.after(ownWritesTimeoutMs, () => limit.abort(), { background: true });
    const abort = () => limit.abort();
    stop.addEventListener('abort', abort, { once: true });
    if (stop.aborted) abort();
    const seen = Array.from(this.#versions, ([informer, version]) => informer.seen(version, limit.signal));
    await Promise.all([...seen, ...this.#pending.map((pending) => pending(limit.signal))]);
    stop.removeEventListener('abort', abort);
    timer.cancel();
  }

  #written(resource: ResourceName | ResourceRef, object: KubeObject): void {
    const version = object.metadata?.resourceVersion;
    const informer = this.#find(resource);
    if (!informer || !version) return;
    const last = this.#versions.get(informer);
    if (last === undefined || Number(last) < Number(version)) this.#versions.set(informer, version);
  }

  #find(resource: ResourceName | ResourceRef): Informer<KubeObject> | undefined {
    return this.#informers.find(resource);
  }
}

const joinKey = (name: { name: string; namespace?: string }) =>
  name.namespace ? `${name.namespace}/${name.name}` : name.name;

/** The owner reference from a created object to its controller `owner`. */
export function controllerReference(owner: KubeObject, resource: ResourceName): OwnerReference {
  const { group, version } = refOf(resource);
  return {
    apiVersion: group ? `${group}/${version}` : version,
    kind: resources[resource].kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/**
 * Calls `act` `count` times, in batches of 1, 2, 4, ... and stops after the first batch with a failure, so that a
 * failing operation (a quota, a webhook) is not repeated thousands of times. Returns the number of successes, and the
 * failure.
 */
export async function slowStart(
  count: number,
  act: (index: number) => Promise<unknown>,
): Promise<{ succeeded: number; error?: unknown }> {
  let succeeded = 0;
  for (let done = 0, batch = 1; done < count; done += batch, batch *= 2) {
    const size = Math.min(batch, count - done);
    const results = await settleEach(Array.from({ length: size }), (_, i) => act(done + i));
    succeeded += results.filter((result) => result.status === 'fulfilled').length;
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) return { succeeded, error: failed.reason };
  }
  return { succeeded };
}
