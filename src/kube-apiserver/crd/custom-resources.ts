// Serves CustomResourceDefinitions: adds their kinds to the registry, and removes them, without restart.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/

import {
  type ApiObject,
  builtinKinds,
  type CustomResourceDefinition,
  cleanupFinalizer,
  conditionOf,
  convertingSchemas,
  customKinds,
  ignoreNotFound,
  isNotFound,
  type Kind,
} from '../../api/api.ts';
import { type Client, createClient } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import { finishInTurns } from '../../machinery/time/steps.ts';
import { inProcess } from '../in-process/transport.ts';
import { celMetrics } from '../metrics/cel-metrics.ts';
import { ownOperation, type Place } from '../registry/operation.ts';
import { cacheOf, keyOf } from '../registry/target.ts';
import { deleteObject } from '../registry/write/delete.ts';
import { modify } from '../registry/write/modify.ts';
import { removeNow } from '../registry/write/removal.ts';
import type { Server } from '../server.ts';
import { type Follower, Following } from '../watch-cache/following.ts';
import type { ResourceCache } from '../watch-cache/resource-cache.ts';
import { type Condition, isTrue, type Status, withCondition } from './conditions.ts';
import { conversionWebhook } from './conversion-webhook.ts';
import { statusOf } from './names.ts';

/** Reasons of the last condition before a definition is removed. */
const completed = 'InstanceDeletionCompleted';
const neverEstablished = 'NeverEstablished';

const self = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] };

/** Serves the existing definitions before it resolves, and follows their changes. Ends with the server. */
export async function startCustomResources(server: Server): Promise<void> {
  const kind = server.kinds.byResource('apiextensions.k8s.io', 'v1', 'customresourcedefinitions');
  if (kind) await new CustomResources(server, kind).start();
}

class CustomResources {
  readonly #server: Server;
  readonly #kind: Kind;
  readonly #client: Client;
  /** Of the definitions; another one after each gap. */
  #cache!: ResourceCache;
  /** Name of a definition -> the definition, and the parts that its kinds depend on as text. */
  readonly #served = new Map<
    string,
    { readonly crd: CustomResourceDefinition & ApiObject; readonly isOpen: boolean }
  >();
  /** Definitions are handled one after the other, each in its newest state. */
  readonly #due = new Set<string>();
  #working = false;

  /** Measures the work on rules. */
  readonly #timed = <T>(part: 'compilation' | 'evaluation', work: () => T): T => {
    const { clock, metrics } = this.#server;
    const startMs = clock.monotonic();
    try {
      return work();
    } finally {
      celMetrics(metrics)[part].observe((clock.monotonic() - startMs) / 1_000);
    }
  };

  constructor(server: Server, kind: Kind) {
    this.#server = server;
    this.#kind = kind;
    this.#client = createClient(inProcess(server, self));
  }

  async start(): Promise<void> {
    const follower: Follower = {
      reset: (cache) => this.#reset(cache),
      event: ({ item, type }) => {
        const crd = item.object as CustomResourceDefinition & ApiObject;
        if (type === 'DELETED') this.#withdraw(crd);
        else this.#enqueue(crd.metadata.name ?? '');
      },
    };
    await new Following(() => cacheOf(this.#server, this.#kind), follower, this.#server).ready();
  }

  #reset(cache: ResourceCache): void {
    this.#cache = cache;
    const { prefix } = cache;
    const gone = new Map(this.#served);
    cache.tree.forEach(prefix, `${prefix.slice(0, -1)}0`, ({ object }) => {
      const crd = object as CustomResourceDefinition & ApiObject;
      const name = crd.metadata.name ?? '';
      gone.delete(name);
      // A definition that is being deleted stays closed to new objects.
      const isGoing = crd.metadata.deletionTimestamp && this.#served.has(name);
      if (isTrue(crd, 'Established') && !isGoing) this.#serve(crd);
      this.#enqueue(name);
    });
    for (const { crd } of gone.values()) this.#withdraw(crd);
  }

  #enqueue(name: string): void {
    this.#due.add(name);
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (const name of this.#due) {
      this.#due.delete(name);
      if (this.#server.stopping.aborted) break;
      const crd = this.#cache.get(keyOf(this.#kind, '', name))?.object as CustomResourceDefinition & ApiObject;
      if (!crd) continue;
      try {
        await (crd.metadata.deletionTimestamp ? this.#cleanUp(crd) : this.#accept(crd));
      } catch (error) {
        if (isNotFound(error)) continue;
        this.#server.logger.error('custom resource definition not served', { name, error: String(error) });
        this.#server.clock.after(1_000, () => this.#enqueue(name), { background: true });
      }
    }
    this.#working = false;
  }

  async #accept(crd: CustomResourceDefinition & ApiObject): Promise<void> {
    const others = this.#ofGroup(crd);
    const status = statusOf(crd, others, this.#server.clock.now());
    // Clients use a definition as soon as it is established: serve it first.
    const accepted = { ...crd, status };
    if (isTrue(accepted, 'Established')) {
      if (!this.#isServed(accepted)) await finishInTurns(convertingSchemas(accepted));
      this.#serve(accepted);
    }
    if (JSON.stringify(status) === JSON.stringify(crd.status)) return;
    await this.#writeStatus(crd, () => status);
    // Names may have been given up.
    for (const { metadata } of others) this.#enqueue(metadata.name ?? '');
  }

  /** The other definitions of the group. */
  #ofGroup({ metadata, spec }: CustomResourceDefinition): (CustomResourceDefinition & ApiObject)[] {
    const found: (CustomResourceDefinition & ApiObject)[] = [];
    const { prefix } = this.#cache;
    this.#cache.tree.forEach(prefix, `${prefix.slice(0, -1)}0`, ({ object }) => {
      const other = object as CustomResourceDefinition & ApiObject;
      if (other.spec.group === spec.group && other.metadata.name !== metadata.name) found.push(other);
    });
    return found;
  }

  async #writeStatus(crd: CustomResourceDefinition & ApiObject, change: (status: Status) => Status): Promise<void> {
    await modify(this.#place(this.#kind, this.#cache, crd), (live) => {
      const next = live as CustomResourceDefinition;
      const status = change(next.status ?? ({} as Status));
      next.status = { ...status, storedVersions: next.status?.storedVersions ?? status.storedVersions };
    });
  }

  #isServed(crd: CustomResourceDefinition & ApiObject): boolean {
    const served = this.#served.get(crd.metadata.name ?? '');
    return !!served?.isOpen && deepEqual(servedParts(served.crd), servedParts(crd));
  }

  #serve(crd: CustomResourceDefinition & ApiObject): void {
    const name = crd.metadata.name ?? '';
    if (this.#isServed(crd)) {
      // The next comparison is one of the same objects: a change of one definition looks at all of its group.
      this.#served.set(name, { crd, isOpen: true });
      return;
    }
    const { kinds } = this.#server;
    const isChange = this.#served.has(name);
    if (isChange) kinds.remove(crd.spec.group, crd.spec.names.plural);
    this.#served.set(name, { crd, isOpen: true });
    kinds.add(...this.#kindsOf(crd));
    // Stored objects are read again, with the new schema.
    if (isChange) this.#dropCache(crd);
  }

  /** Also ends the watches of these objects: watchers list again. */
  #dropCache({ spec }: CustomResourceDefinition): void {
    const prefix = `/registry/${spec.group}/${spec.names.plural}/`;
    const cache = this.#server.cache.all.find((one) => one.prefix === prefix);
    this.#server.cache.forget(prefix);
    cache?.end();
  }

  #withdraw(crd: CustomResourceDefinition & ApiObject): void {
    const { group, names } = crd.spec;
    if (this.#served.delete(crd.metadata.name ?? '')) {
      this.#server.kinds.remove(group, names.plural);
      // Watches of today would miss the objects of a later definition.
      this.#dropCache(crd);
    }
    for (const { metadata } of this.#ofGroup(crd)) this.#enqueue(metadata.name ?? '');
  }

  /** Removes a definition once all its objects are deleted. */
  async #cleanUp(crd: CustomResourceDefinition & ApiObject): Promise<void> {
    if (!crd.metadata.finalizers?.includes(cleanupFinalizer)) return;
    // Another server may have come this far: undoing its step would hinder both.
    if (![completed, neverEstablished].includes(conditionOf(crd, 'Terminating')?.reason ?? ''))
      await this.#terminating(crd, 'True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress');
    if (isTrue(crd, 'Established')) {
      await finishInTurns(convertingSchemas(crd));
      const [kind] = this.#kindsOf(crd);
      this.#closeToNew(crd);
      if (kind && !(await this.#deleteAll(kind, crd))) return;
      await this.#terminating(crd, 'False', completed, 'removed all instances');
    } else await this.#terminating(crd, 'False', neverEstablished, 'resource was never established');
    const place = this.#place(this.#kind, this.#cache, crd);
    const item = this.#cache.get(keyOf(this.#kind, '', place.name));
    if (!item) return;
    const finalizers = (item.object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer);
    if (finalizers.length) await modify(place, (next) => void (next.metadata.finalizers = finalizers));
    else if (!(await removeNow(place, item, item.object))) this.#enqueue(place.name);
  }

  async #terminating(crd: CustomResourceDefinition & ApiObject, value: string, reason: string, message: string) {
    const condition = { type: 'Terminating', status: value, reason, message } as Condition;
    const live = this.#cache.get(keyOf(this.#kind, '', crd.metadata.name ?? ''))?.object as typeof crd | undefined;
    const before = conditionOf(live, 'Terminating');
    if (!live || (before?.status === value && before.reason === reason)) return;
    await this.#writeStatus(crd, (status) => withCondition(status, condition, this.#server.clock.now()));
  }

  /** While a definition is being deleted, its objects can be updated, to remove finalizers, but not created. */
  #closeToNew(crd: CustomResourceDefinition & ApiObject): void {
    const closing = this.#kindsOf(crd).map((kind) => ({
      ...kind,
      verbs: kind.verbs.filter((verb) => verb !== 'create'),
    }));
    this.#served.set(crd.metadata.name ?? '', { crd, isOpen: false });
    this.#server.kinds.add(...closing);
  }

  /** False while finalizers hold some of them; the definition is enqueued again when the last one is gone. */
  async #deleteAll(kind: Kind, crd: ApiObject): Promise<boolean> {
    const cache = await cacheOf(this.#server, kind);
    const objects: ApiObject[] = [];
    cache.tree.forEach(cache.prefix, `${cache.prefix.slice(0, -1)}0`, ({ object }) => void objects.push(object));
    for (const object of objects)
      await deleteObject(ownOperation(this.#place(kind, cache, object), 'delete', self), { dryRun: false }).catch(
        ignoreNotFound,
      );
    if (!cache.size) return true;
    const unwatch = cache.watch({
      scope: { by: 'all' },
      event: () => {
        if (cache.size) return;
        unwatch();
        this.#enqueue(crd.metadata.name ?? '');
      },
      end: () => this.#enqueue(crd.metadata.name ?? ''),
    });
    return false;
  }

  #place(kind: Kind, cache: ResourceCache, { metadata }: ApiObject): Place {
    const { name = '', namespace = '' } = metadata;
    return { server: this.#server, kind, cache, namespace, name };
  }

  /** Kinds of the accepted names; built-in kinds cannot be replaced. */
  #kindsOf({ spec, status, ...crd }: CustomResourceDefinition): Kind[] {
    const accepted = status?.acceptedNames;
    const names = { ...spec.names, ...(accepted?.plural && accepted), plural: spec.names.plural };
    const named = { ...crd, spec: { ...spec, names }, status };
    const converter = conversionWebhook(this.#server, this.#client, named);
    return customKinds(named, converter, this.#timed).filter(isOwn);
  }
}

const isOwn = ({ group, version, resource }: Kind) =>
  !builtinKinds().some((one) => one.group === group && one.version === version && one.resource === resource);

/** The parts that decide how its resources are served. The order of fields differs between a new status and a stored one. */
const servedParts = ({ spec, status }: CustomResourceDefinition) => ({ spec, names: status?.acceptedNames });
