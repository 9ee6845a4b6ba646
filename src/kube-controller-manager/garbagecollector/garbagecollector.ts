// Deletes what has lost all its owners, holds back owners that are deleted in the foreground until what blocks them is
// gone, and cuts dependents loose from owners that are deleted as orphaning.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/

import { type ApiObject, ignoreNotFound, isConflict, type OwnerReference } from '../../api/api.ts';
import {
  type ComponentContext,
  type InformerFactory,
  type Name,
  type RunningController,
  WorkQueue,
} from '../../client/client.ts';
import type { Entry } from '../kube-controller-manager.ts';
import { type DiscoveredResource, discover } from '../shared/discovery.ts';
import { blocks, foregroundFinalizer, GarbageGraph, type GraphNode, isGoing, orphanFinalizer } from './graph.ts';

const rediscoverMs = 30_000;
/** How long one resource that cannot be listed may hold up all the others. */
const syncLimitMs = 30_000;
const workers = 20;
const absentLimit = 500;
/** They have no dependents, own nothing, and are most of all writes. */
const ignored = new Set(['/events', 'events.k8s.io/events']);

export const garbagecollector: Entry = {
  name: 'garbagecollector',
  start(context: ComponentContext, informers: InformerFactory): RunningController {
    const collector = new GarbageCollector(context, informers);
    const running = collector.run();
    return {
      name: 'garbagecollector',
      async stop() {
        collector.stop();
        await running;
      },
    };
  },
};

const keyOfResource = ({ group, resource }: { group: string; resource: string }) => `${group}/${resource}`;
const nameOf = ({ metadata: { name, namespace } }: ApiObject): Name => ({ name, ...(namespace && { namespace }) });

class GarbageCollector {
  readonly #context: ComponentContext;
  readonly #informers: InformerFactory;
  readonly #graph = new GarbageGraph();
  readonly #queue: WorkQueue;
  readonly #stop = new AbortController();
  readonly #watched = new Map<string, { resource: DiscoveredResource; unwatch: () => void }>();
  /** Every served kind, watched or not, by group and kind. */
  #kinds = new Map<string, DiscoveredResource>();
  /** Owners that the server said do not exist. A uid never comes back. */
  readonly #absent = new Set<string>();

  constructor(context: ComponentContext, informers: InformerFactory) {
    this.#context = { ...context, logger: context.logger.child({ controller: 'garbagecollector' }) };
    this.#informers = informers;
    this.#queue = new WorkQueue({ clock: context.clock });
  }

  stop(): void {
    this.#stop.abort();
    this.#queue.close();
  }

  async run(): Promise<void> {
    await this.#rediscover();
    const working = Array.from({ length: workers }, () => this.#work());
    const unwatch = this.#watchDefinitions();
    while (!this.#stop.signal.aborted) {
      await this.#context.clock.sleep(rediscoverMs, this.#stop.signal).catch(() => {});
      if (!this.#stop.signal.aborted) await this.#rediscover();
    }
    unwatch();
    for (const { unwatch } of this.#watched.values()) unwatch();
    await Promise.all(working);
  }

  /** A new kind is watched at once, not with the next regular look. */
  #watchDefinitions(): () => void {
    return this.#informers.for('customresourcedefinitions').handle((next: any, old: any) => {
      const established = (definition: any) =>
        definition?.status?.conditions?.some((c: any) => c.type === 'Established' && c.status === 'True') ?? false;
      if (established(next) !== established(old)) void this.#rediscover();
    });
  }

  async #rediscover(): Promise<void> {
    try {
      const { resources, failures } = await discover(this.#context.client);
      this.#kinds = new Map(resources.map((resource) => [`${resource.group}/${resource.kind}`, resource]));
      const wanted = resources.filter(
        (resource) =>
          ['delete', 'list', 'watch'].every((verb) => resource.verbs.includes(verb)) &&
          !ignored.has(keyOfResource(resource)),
      );
      for (const resource of wanted) this.#watch(resource);
      if (failures.size === 0) await this.#drop(new Set(wanted.map(keyOfResource)));
      await this.#synced(wanted);
    } catch (error) {
      this.#context.logger.warn('discovery failed', { error: String(error) });
    }
  }

  #watch(resource: DiscoveredResource): void {
    const key = keyOfResource(resource);
    if (this.#watched.has(key) || this.#stop.signal.aborted) return;
    const unwatch = this.#informers.for(resource).handle((next, old) => this.#changed(resource, next, old));
    this.#watched.set(key, { resource, unwatch });
  }

  /** Kinds that are no longer served. */
  async #drop(served: ReadonlySet<string>): Promise<void> {
    for (const [key, { resource, unwatch }] of this.#watched) {
      if (served.has(key)) continue;
      unwatch();
      this.#watched.delete(key);
      for (const object of this.#informers.find(resource)?.list() ?? []) this.#changed(resource, undefined, object);
      await this.#informers.drop(resource);
    }
  }

  async #synced(resources: readonly DiscoveredResource[]): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = this.#context.clock.after(syncLimitMs, resolve);
    this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
    await Promise.race([Promise.all(resources.map((resource) => this.#informers.for(resource).synced())), late]);
    timer.cancel();
  }

  #changed(resource: DiscoveredResource, next: ApiObject | undefined, old: ApiObject | undefined): void {
    const uid = (next ?? old)?.metadata.uid as string;
    if (!next) {
      const dependents = this.#graph.dependentsOf(uid);
      this.#graph.remove(uid);
      this.#remember(uid);
      for (const dependent of dependents) this.#queue.add(dependent.uid);
      for (const owner of old?.metadata.ownerReferences ?? []) this.#lookAgainIfForeground(owner.uid);
      return;
    }
    if (old) this.#graph.disown(uid, old, next);
    this.#graph.put(resource, next);
    const { ownerReferences, deletionTimestamp } = next.metadata;
    const owners = JSON.stringify(ownerReferences ?? []);
    const news = !old || JSON.stringify(old.metadata.ownerReferences ?? []) !== owners;
    if (deletionTimestamp && next.metadata.finalizers?.length) this.#queue.add(uid);
    else if (news && ownerReferences?.length) this.#queue.add(uid);
    if (news)
      for (const owner of [...(old?.metadata.ownerReferences ?? []), ...(ownerReferences ?? [])])
        this.#lookAgainIfForeground(owner.uid);
  }

  /** An owner that is waiting for its dependents may have one less to wait for, or one more to delete. */
  #lookAgainIfForeground(uid: string): void {
    const owner = this.#graph.get(uid);
    if (owner && isGoing(owner.object, foregroundFinalizer)) this.#queue.add(uid);
  }

  #remember(uid: string): void {
    this.#absent.add(uid);
    if (this.#absent.size > absentLimit) this.#absent.delete(this.#absent.values().next().value as string);
  }

  async #work(): Promise<void> {
    for (let uid = await this.#queue.next(); uid !== undefined; uid = await this.#queue.next()) {
      try {
        await this.#attempt(uid);
        this.#queue.forget(uid);
      } catch (error) {
        if (!isConflict(error)) this.#context.logger.warn('collecting failed', { uid, error: String(error) });
        this.#queue.retry(uid);
      }
      this.#queue.done(uid);
    }
  }

  async #attempt(uid: string): Promise<void> {
    const node = this.#graph.get(uid);
    if (!node) return;
    if (isGoing(node.object, orphanFinalizer)) return this.#orphan(node);
    if (isGoing(node.object, foregroundFinalizer)) return this.#deleteDependents(node);
    if (node.object.metadata.deletionTimestamp || !node.object.metadata.ownerReferences?.length) return;
    await this.#collect(node);
  }

  /** The cache may be behind: what is deleted, or kept, is decided on what the server has now. */
  async #live(node: GraphNode): Promise<ApiObject | undefined> {
    const live = await this.#context.client.get(node.resource, nameOf(node.object)).catch(ignoreNotFound);
    return live?.metadata.uid === node.uid ? live : undefined;
  }

  async #collect(node: GraphNode): Promise<void> {
    const live = await this.#live(node);
    if (!live || live.metadata.deletionTimestamp) return;
    const solid: OwnerReference[] = [];
    const dangling: OwnerReference[] = [];
    const waiting: OwnerReference[] = [];
    for (const reference of live.metadata.ownerReferences ?? []) {
      const owner = await this.#ownerOf(live, reference);
      if (!owner) dangling.push(reference);
      else if (isGoing(owner, foregroundFinalizer)) waiting.push(reference);
      else solid.push(reference);
    }
    if (solid.length > 0) {
      if (dangling.length + waiting.length > 0) await this.#keepOwners(node, live, solid);
      return;
    }
    if (dangling.length + waiting.length === 0) return;
    const dependents = this.#graph.dependentsOf(node.uid);
    if (waiting.length > 0 && dependents.length > 0) {
      // Owners in a ring would wait for one another for ever: where the ring closes, nothing blocks any more.
      const closes = dependents.some(({ object }) => isGoing(object, foregroundFinalizer));
      const owners = live.metadata.ownerReferences ?? [];
      if (closes && owners.some((owner) => owner.blockOwnerDeletion)) {
        const loosened = owners.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
        const patched = await this.#keepOwners(node, live, loosened);
        return patched && this.#delete(node, patched, 'Foreground');
      }
      return this.#delete(node, live, 'Foreground');
    }
    const { finalizers = [] } = live.metadata;
    if (finalizers.includes(orphanFinalizer)) return this.#delete(node, live, 'Orphan');
    return this.#delete(node, live, finalizers.includes(foregroundFinalizer) ? 'Foreground' : 'Background');
  }

  /** The owner as the graph has it, or, when the graph does not know it, as the server says. */
  async #ownerOf(dependent: ApiObject, reference: OwnerReference): Promise<ApiObject | undefined> {
    if (this.#absent.has(reference.uid)) return undefined;
    const known = this.#graph.get(reference.uid);
    const { namespace } = dependent.metadata;
    if (known && (!known.object.metadata.namespace || known.object.metadata.namespace === namespace))
      return known.object;
    const group = reference.apiVersion.includes('/') ? reference.apiVersion.split('/')[0] : '';
    const resource = this.#kinds.get(`${group}/${reference.kind}`);
    if (!resource) throw new Error(`owner of unknown kind ${reference.apiVersion} ${reference.kind}`);
    if (resource.namespaced && !namespace)
      throw new Error(`a cluster-scoped object names a namespaced owner, ${reference.kind} ${reference.name}`);
    const name = { name: reference.name, ...(resource.namespaced && { namespace }) };
    const live = await this.#context.client.get(resource, name).catch(ignoreNotFound);
    if (live?.metadata.uid === reference.uid) return live;
    this.#remember(reference.uid);
    return undefined;
  }

  async #delete(node: GraphNode, live: ApiObject, propagationPolicy: 'Foreground' | 'Background' | 'Orphan') {
    const { uid, resourceVersion } = live.metadata;
    const preconditions = { uid, resourceVersion };
    this.#context.logger.debug('deleting', { kind: node.resource.kind, ...nameOf(live), propagationPolicy });
    await this.#context.client
      .delete(node.resource, nameOf(live), { propagationPolicy, preconditions })
      .catch(ignoreNotFound);
  }

  async #keepOwners(
    node: GraphNode,
    live: ApiObject,
    ownerReferences: readonly OwnerReference[],
  ): Promise<ApiObject | undefined> {
    const { uid, resourceVersion } = live.metadata;
    const body = { metadata: { uid, resourceVersion, ownerReferences } };
    return this.#context.client.patch(node.resource, nameOf(live), { type: 'merge', body }).catch(ignoreNotFound);
  }

  /** Foreground: dependents that block go first, then the finalizer, and with it the owner. */
  async #deleteDependents(node: GraphNode): Promise<void> {
    const blocking = this.#graph.dependentsOf(node.uid).filter(({ object }) => blocks(object, node.uid));
    if (blocking.length === 0) return this.#removeFinalizer(node, foregroundFinalizer);
    for (const dependent of blocking) if (!dependent.object.metadata.deletionTimestamp) this.#queue.add(dependent.uid);
  }

  async #orphan(node: GraphNode): Promise<void> {
    await Promise.all(
      this.#graph.dependentsOf(node.uid).map(async (dependent) => {
        const live = await this.#live(dependent);
        const others = live?.metadata.ownerReferences?.filter((owner) => owner.uid !== node.uid);
        if (live && others && others.length !== live.metadata.ownerReferences?.length)
          await this.#keepOwners(dependent, live, others);
      }),
    );
    await this.#removeFinalizer(node, orphanFinalizer);
  }

  async #removeFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    const live = await this.#live(node);
    if (!live?.metadata.finalizers?.includes(finalizer)) return;
    const { uid, resourceVersion } = live.metadata;
    const finalizers = live.metadata.finalizers.filter((name) => name !== finalizer);
    const body = { metadata: { uid, resourceVersion, finalizers } };
    await this.#context.client.patch(node.resource, nameOf(live), { type: 'merge', body }).catch(ignoreNotFound);
  }
}
