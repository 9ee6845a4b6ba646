// Watches every served kind, including custom resources, and reports changes of their objects.

import { isConditionTrue, type KubeObject } from '../../api/api.ts';
import type { InformerFactory, Tools } from '../../client/client.ts';
import { type DiscoveredResource, discover } from '../shared/discovery.ts';

const rediscoverMs = 30_000;
/** How long one resource that cannot be listed may hold up all the others. */
const syncLimitMs = 30_000;
/** They have no dependents and no owners, and are the majority of writes. */
const ignored = new Set(['/events', 'events.k8s.io/events']);

type Change = (resource: DiscoveredResource, next: KubeObject | undefined, previous: KubeObject | undefined) => void;

const keyOfResource = ({ group, resource }: { group: string; resource: string }) => `${group}/${resource}`;
const isFollowed = (resource: DiscoveredResource) =>
  ['delete', 'list', 'watch'].every((verb) => resource.verbs.includes(verb)) && !ignored.has(keyOfResource(resource));

export class ServedKinds {
  readonly #tools: Pick<Tools, 'client' | 'clock' | 'logger'>;
  readonly #informers: InformerFactory;
  readonly #changed: Change;
  readonly #stop = new AbortController();
  readonly #watched = new Map<string, { resource: DiscoveredResource; unwatch: () => void }>();
  #kinds = new Map<string, DiscoveredResource>();

  constructor(tools: Pick<Tools, 'client' | 'clock' | 'logger'>, informers: InformerFactory, changed: Change) {
    this.#tools = tools;
    this.#informers = informers;
    this.#changed = changed;
  }

  /** A served kind, followed or not. */
  find(group: string, kind: string): DiscoveredResource | undefined {
    return this.#kinds.get(`${group}/${kind}`);
  }

  /** Watches kinds until stopped. Resolves when the first ones are listed, or after 30 s. */
  async start(): Promise<void> {
    await this.rediscover();
    void this.#keepDiscovering();
  }

  stop(): void {
    this.#stop.abort();
    for (const { unwatch } of this.#watched.values()) unwatch();
  }

  async rediscover(): Promise<void> {
    try {
      const { resources, failures } = await discover(this.#tools.client);
      this.#kinds = new Map(resources.map((resource) => [`${resource.group}/${resource.kind}`, resource]));
      const followed = resources.filter(isFollowed);
      for (const resource of followed) this.#watch(resource);
      if (failures.size === 0) await this.#drop(new Set(followed.map(keyOfResource)));
      await this.#synced(followed);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#tools.logger.warn('discovery failed', { error: String(error) });
    }
  }

  async #keepDiscovering(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#tools.clock.sleep(rediscoverMs, this.#stop.signal).catch(() => {});
      if (!this.#stop.signal.aborted) await this.rediscover();
    }
  }

  #watch(resource: DiscoveredResource): void {
    const key = keyOfResource(resource);
    if (this.#watched.has(key) || this.#stop.signal.aborted) return;
    const unwatch = this.#informers.for(resource).handle((next, previous) => this.#changed(resource, next, previous));
    this.#watched.set(key, { resource, unwatch });
  }

  /** Objects of a kind that is not served any more count as deleted. */
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
    const timer = this.#tools.clock.after(syncLimitMs, resolve);
    this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
    await Promise.race([Promise.all(resources.map((resource) => this.#informers.for(resource).synced())), late]);
    timer.cancel();
  }
}

/** Whether a CustomResourceDefinition began, or ceased, to be served. */
export const changesServing = (next: object | undefined, previous: object | undefined): boolean =>
  isConditionTrue(next, 'Established') !== isConditionTrue(previous, 'Established');
