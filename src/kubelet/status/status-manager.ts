// Sends pod statuses to the API: the newest of each pod, if it differs from the API's.

import { isConflict, isNotFound, type Pod, type PodCondition, type PodStatus } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { deepEqual } from '../../machinery/collections/equal.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { nextTurn } from '../../machinery/time/turn.ts';
import { manyContainers } from '../pods/pod-cache.ts';
import { ownConditions } from './pod-conditions.ts';

const retryMs = 1000;

type StatusChange = (before: PodStatus | undefined, next: PodStatus) => void;

interface StatusManagerHooks {
  /** Gets each new status, and the one before it. */
  readonly changed?: StatusChange;
  /** The object of the API that has the pod's status, if there is one; by default the pod itself. */
  readonly stored?: (pod: Pod) => Pod | undefined;
}

export class StatusManager {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #wanted = new Map<string, { pod: Pod; status: PodStatus }>();
  readonly #sent = new Map<string, PodStatus>();
  /** Versions of the pods after the last write. */
  readonly #versions = new Map<string, string>();
  readonly #sending = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();
  readonly #changed: StatusChange;
  readonly #stored: (pod: Pod) => Pod | undefined;

  constructor(
    client: Client,
    clock: Clock,
    logger: Logger,
    { changed = () => {}, stored = (pod) => pod }: StatusManagerHooks = {},
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#logger = logger;
    this.#changed = changed;
    this.#stored = stored;
  }

  /** The newest status that was set for the pod, sent or not. */
  get(uid: string): PodStatus | undefined {
    return this.#wanted.get(uid)?.status ?? this.#sent.get(uid);
  }

  set(pod: Pod, status: PodStatus): void {
    const { uid } = pod.metadata;
    const stored = this.#stored(pod);
    const previous = this.get(uid) ?? stored?.status;
    if (previous && isSame(previous, status) && !(stored && this.#isOverwritten(uid, stored, status))) return;
    this.#changed(previous, status);
    this.#wanted.set(uid, { pod, status });
    this.#start(uid);
  }

  /**
   * Another writer changed conditions of the kubelet after its last write, such as the controller of a node that was not
   * Ready. Times have seconds: the status may be the same as before.
   */
  #isOverwritten(
    uid: string,
    { metadata: { resourceVersion }, status: found }: Pod,
    { conditions = [] }: PodStatus,
  ): boolean {
    const written = this.#versions.get(uid);
    if (written === undefined || !found || this.#wanted.has(uid) || !isLater(resourceVersion, written)) return false;
    return conditions.some(
      ({ type, status }) =>
        ownConditions.includes(type) && found.conditions?.find((c) => c.type === type)?.status !== status,
    );
  }

  /** The API has another object for the pod, which has nothing of its status yet. */
  replaced(pod: Pod): void {
    const { uid } = pod.metadata;
    const status = this.get(uid);
    this.#sent.delete(uid);
    this.#versions.delete(uid);
    if (!status) return;
    this.#wanted.set(uid, { pod, status });
    this.#start(uid);
  }

  /** Resolves when the newest status of the pod is in the API (or the API has no object for it). Rejects at the stop. */
  async flushed(uid: string): Promise<void> {
    while (this.#isSendable(uid)) await (this.#sending.get(uid) ?? this.#start(uid));
    if (this.#stopped.signal.aborted && this.#wanted.has(uid))
      throw new Error('the kubelet stops before it sent a status');
  }

  #isSendable(uid: string): boolean {
    const wanted = this.#wanted.get(uid);
    return wanted !== undefined && !this.#stopped.signal.aborted && this.#stored(wanted.pod) !== undefined;
  }

  forget(uid: string): void {
    this.#wanted.delete(uid);
    this.#sent.delete(uid);
    this.#versions.delete(uid);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.allSettled(this.#sending.values());
  }

  #start(uid: string): Promise<void> {
    let sending = this.#sending.get(uid);
    if (!sending) {
      sending = this.#send(uid).finally(() => this.#sending.delete(uid));
      this.#sending.set(uid, sending);
    }
    return sending;
  }

  async #send(uid: string): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      if (isLarge(this.#wanted.get(uid)?.status)) await nextTurn();
      const wanted = this.#wanted.get(uid);
      const stored = wanted && this.#stored(wanted.pod);
      // The status of a static pod waits for its mirror pod.
      if (!stored) return;
      try {
        const before = this.#sent.get(uid) ?? stored.status ?? {};
        const { status, metadata } = await this.#patch(stored, withRemovals(wanted.status, before));
        if (metadata?.resourceVersion) this.#versions.set(uid, metadata.resourceVersion);
        // Equal values: keep the API's copy, which is shared. Of a huge pod the entries are kept, and compared by identity.
        const sharesCopy = status && !isLarge(wanted.status) && isSame(status, wanted.status);
        this.#sent.set(uid, sharesCopy ? status : wanted.status);
        if (this.#wanted.get(uid) === wanted) this.#wanted.delete(uid);
      } catch (error) {
        if (isNotFound(error) || (isConflict(error) && (await this.#isReplaced(stored)))) {
          if (stored.metadata.uid === uid) return this.forget(uid);
          // A mirror pod that is gone comes back.
          await this.#clock.sleep(retryMs, this.#stopped.signal).catch(() => {});
          continue;
        }
        this.#logger.warn('pod status not sent, trying again', { pod: wanted.pod.metadata.name, error: String(error) });
        await this.#clock.sleep(retryMs, this.#stopped.signal).catch(() => {});
      }
    }
  }

  /** A conflict comes from many writers, or from another pod of the name. */
  async #isReplaced({ metadata: { namespace, name, uid } }: Pod): Promise<boolean> {
    const found = await this.#client
      .get('pods', { namespace, name })
      .catch((error) => (isNotFound(error) ? null : undefined));
    return found === null || (found !== undefined && found.metadata.uid !== uid);
  }

  /** Lists are replaced, not merged by key; conditions of other owners stay. */
  #patch(pod: Pod, status: Pick<PodStatus, 'podIPs' | 'hostIPs'>): Promise<Pod> {
    const { name, namespace, uid } = pod.metadata;
    const { podIPs, hostIPs, ...rest } = status;
    const replaced = <T extends object>(list: T[] | undefined) => (list ? [...list, { $patch: 'replace' }] : undefined);
    const body = { metadata: { uid }, status: { ...rest, podIPs: replaced(podIPs), hostIPs: replaced(hostIPs) } };
    return this.#client.patch(
      'pods',
      { name, namespace },
      { type: 'strategic', body: defined(body) },
      { subresource: 'status' },
    );
  }
}

/** Versions of one resource are numbers that grow. */
const isLater = (one: string | undefined, other: string): boolean => one !== undefined && BigInt(one) > BigInt(other);

/** The patch of a large status is made in a separate turn of the event loop. */
const isLarge = (status: PodStatus | undefined) => (status?.containerStatuses?.length ?? 0) > manyContainers;

const removable = ['reason', 'message'] as const;

/** A patch merges: removed fields must be explicit nulls. */
function withRemovals(status: PodStatus, before: PodStatus) {
  const removed = (next: Removable, old: Removable | undefined) =>
    Object.fromEntries(removable.filter((key) => old?.[key] && !next[key]).map((key) => [key, null]));
  const old = before.conditions ?? [];
  const conditions = (status.conditions ?? []).map((c) => ({
    ...c,
    ...removed(
      c,
      old.find(({ type }) => type === c.type),
    ),
  }));
  const gone = old
    .filter(({ type }) => ownConditions.includes(type) && !conditions.some((c) => c.type === type))
    .map(({ type }) => ({ $patch: 'delete', type }));
  return { ...status, ...removed(status, before), conditions: [...conditions, ...gone] };
}

type Removable = Pick<PodStatus & PodCondition, 'reason' | 'message'>;

/** Without undefined members. Objects without any are not copied: a pod may have thousands of containers. */
function defined<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map(defined);
    return items.every((item, i) => item === value[i]) ? value : (items as T);
  }
  let copy: T | undefined;
  for (const key in value) {
    const member = value[key];
    const own = defined(member);
    if (own === member && member !== undefined) continue;
    copy ??= { ...value };
    if (own === undefined) delete copy[key];
    else copy[key] = own;
  }
  return copy ?? value;
}

/** Undefined members and fields of other writers are ignored. */
const isSame = (a: PodStatus, b: PodStatus): boolean =>
  deepEqual({ ...a, resize: undefined }, { ...b, resize: undefined });
