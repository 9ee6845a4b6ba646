// The mirror pods of this node in the API: one for each static pod, and no other. Says which object of the API has the
// status of a pod.
// https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/

import { type Draft, isAlreadyExists, isConflict, isNotFound, type Node, type Pod } from '../../api/api.ts';
import { type Client, WorkQueue } from '../../client/client.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { fullName, hashAnnotation, isStatic, mirrorAnnotation } from './pod-source.ts';

const firstRetryMs = 1000;
const longestRetryMs = 60_000;

interface MirrorTools {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  /** As the API has it; undefined before its registration. */
  readonly node: () => Node | undefined;
  /** The API has another mirror pod, which has nothing of the status yet. */
  readonly replaced: (pod: Pod) => void;
  /** The mirror pod of this static pod changed in the API. */
  readonly changed: (pod: Pod) => void;
}

/** A static pod whose worker runs. */
interface Held {
  readonly pod: Pod;
  readonly isStopping: boolean;
}

export class MirrorPods {
  readonly #tools: MirrorTools;
  /** By name, as `mirrors`. */
  readonly #held = new Map<string, Held>();
  readonly #mirrors = new Map<string, Pod>();
  /** Uids of mirror pods whose static pod has ended. */
  readonly #spent = new Set<string>();
  readonly #queue: WorkQueue;
  readonly #failures = new Map<string, string>();
  /** All static pods are known. */
  #isComplete = false;
  #running: Promise<void> | undefined;

  constructor(tools: MirrorTools) {
    this.#tools = tools;
    this.#queue = new WorkQueue({ clock: tools.clock, firstBackoffMs: firstRetryMs, longestBackoffMs: longestRetryMs });
  }

  /** Begins to write to the API. */
  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#queue.close();
    await this.#running;
  }

  /** Mirror pods of no static pod may be deleted. */
  complete(): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    for (const name of this.#mirrors.keys()) this.#queue.add(name);
  }

  get size(): number {
    return this.#mirrors.size;
  }

  /** The API is to have a mirror pod of the pod. While the pod stops, its mirror pod stays as it is. */
  hold(pod: Pod, isStopping: boolean): void {
    const name = fullName(pod);
    this.#held.set(name, { pod, isStopping });
    this.#queue.add(name);
  }

  /** Nothing of the static pod is left. */
  release(pod: Pod): void {
    const name = fullName(pod);
    this.#held.delete(name);
    const mirror = this.#mirrors.get(name);
    if (mirror) this.#spent.add(mirror.metadata.uid);
    this.#queue.add(name);
  }

  /** Handles a change of a mirror pod in the API; `next` is undefined for a deleted one. */
  follow(next: Pod | undefined, old: Pod | undefined): void {
    const name = fullName((next ?? old) as Pod);
    if (next) this.#found(name, next);
    else if (old) {
      this.#spent.delete(old.metadata.uid);
      if (this.#mirrors.get(name)?.metadata.uid === old.metadata.uid) this.#mirrors.delete(name);
    }
    this.#queue.add(name);
    const held = this.#held.get(name);
    if (held) this.#tools.changed(held.pod);
  }

  /** The object in the API that has the pod's status; undefined for a static pod without a mirror pod. */
  stored(pod: Pod): Pod | undefined {
    if (!isStatic(pod)) return pod;
    const mirror = this.#mirrors.get(fullName(pod));
    return mirror && this.#isOf(mirror, pod) ? mirror : undefined;
  }

  #found(name: string, mirror: Pod): void {
    const former = this.#mirrors.get(name);
    this.#mirrors.set(name, mirror);
    const { pod } = this.#held.get(name) ?? {};
    if (pod && former?.metadata.uid !== mirror.metadata.uid && this.#isOf(mirror, pod)) this.#tools.replaced(pod);
  }

  #isOf({ metadata }: Pod, pod: Pod): boolean {
    const hash = pod.metadata.annotations?.[hashAnnotation];
    return metadata.annotations?.[mirrorAnnotation] === hash && !this.#spent.has(metadata.uid);
  }

  async #run(): Promise<void> {
    for (let name = await this.#queue.next(); name !== undefined; name = await this.#queue.next()) {
      try {
        await this.#sync(name);
        this.#queue.forget(name);
        this.#failures.delete(name);
      } catch (error) {
        const text = String(error);
        const level = this.#failures.get(name) === text ? 'debug' : 'warn';
        this.#tools.logger[level]('mirror pod not in sync, trying again', { pod: name, error: text });
        this.#failures.set(name, text);
        this.#queue.retry(name);
      }
      this.#queue.done(name);
    }
  }

  async #sync(name: string): Promise<void> {
    const held = this.#held.get(name);
    const mirror = this.#mirrors.get(name);
    if (held ? held.isStopping : !this.#isComplete) return;
    if (held && mirror && !mirror.metadata.deletionTimestamp && this.#isOf(mirror, held.pod)) return;
    if (mirror) await this.#delete(name, mirror);
    if (held) await this.#create(name, held.pod);
  }

  async #delete(key: string, { metadata: { name, namespace, uid } }: Pod): Promise<void> {
    try {
      await this.#tools.client.delete('pods', { name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
    if (this.#mirrors.get(key)?.metadata.uid === uid) this.#mirrors.delete(key);
  }

  async #create(key: string, pod: Pod): Promise<void> {
    const { client, node, logger } = this.#tools;
    const owner = node();
    if (!owner?.metadata.uid) throw new Error('the node is not registered');
    if (owner.metadata.deletionTimestamp) return;
    const { name, namespace } = pod.metadata;
    try {
      this.#found(key, await client.create('pods', mirrorOf(pod, owner)));
      logger.info('mirror pod created', { pod: name, namespace });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const found = await client.get('pods', { name, namespace });
      if (found.metadata.annotations?.[mirrorAnnotation] === undefined)
        throw new Error('a pod of this name exists, and is no mirror pod');
      this.#found(key, found);
      if (!this.#isOf(found, pod) || found.metadata.deletionTimestamp) throw error;
    }
  }
}

/** The mirror pod of a static pod: nodes may create no other pods. */
function mirrorOf({ metadata, spec }: Pod, node: Node): Draft<Pod> {
  const { name, namespace, labels, annotations = {}, finalizers } = metadata;
  const { uid } = node.metadata;
  return {
    metadata: {
      ...{ name, namespace, ...(labels && { labels }), ...(finalizers && { finalizers }) },
      annotations: { ...annotations, [mirrorAnnotation]: annotations[hashAnnotation] },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.metadata.name, uid, controller: true }],
    },
    spec,
  };
}
