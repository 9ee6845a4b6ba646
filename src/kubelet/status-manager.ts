// Sends pod statuses to the API: the newest of each pod, once it differs from what the API has.

import { isNotFound, type Pod, type PodStatus } from '../api/api.ts';
import type { Client } from '../client/client.ts';
import type { Clock } from '../machinery/clock.ts';
import { deepEqual } from '../machinery/equal.ts';
import type { Logger } from '../machinery/logger.ts';

const retryMs = 1000;

export class StatusManager {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #wanted = new Map<string, { pod: Pod; status: PodStatus }>();
  /** As JSON: it is kept for as long as the pod lives, and seldom looked into. */
  readonly #sent = new Map<string, string>();
  readonly #sending = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(client: Client, clock: Clock, logger: Logger) {
    this.#client = client;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** The newest status that was set for the pod, sent or not. */
  get(uid: string): PodStatus | undefined {
    const sent = this.#sent.get(uid);
    return this.#wanted.get(uid)?.status ?? (sent === undefined ? undefined : JSON.parse(sent));
  }

  set(pod: Pod, status: PodStatus): void {
    const { uid } = pod.metadata;
    if (!this.#wanted.has(uid)) {
      const sent = this.#sent.get(uid);
      const known = sent === undefined ? pod.status : JSON.parse(sent);
      if (sent === JSON.stringify(status) || (known && deepEqual(plain(known), plain(status)))) return;
    }
    this.#wanted.set(uid, { pod, status });
    this.#start(uid);
  }

  /** Resolves when the newest status of the pod is in the API (or the pod is gone). */
  async flushed(uid: string): Promise<void> {
    while (this.#wanted.has(uid) && !this.#stopped.signal.aborted) await (this.#sending.get(uid) ?? this.#start(uid));
  }

  forget(uid: string): void {
    this.#wanted.delete(uid);
    this.#sent.delete(uid);
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
      const wanted = this.#wanted.get(uid);
      if (!wanted) return;
      try {
        await this.#patch(wanted.pod, wanted.status);
        this.#sent.set(uid, JSON.stringify(wanted.status));
        if (this.#wanted.get(uid) === wanted) this.#wanted.delete(uid);
      } catch (error) {
        // Gone, or another pod by the same name (the uid precondition says so): nobody is left to tell.
        if (isNotFound(error) || /uid mismatch|UID in precondition|the UID/i.test((error as Error).message))
          return this.forget(uid);
        this.#logger.warn('pod status not sent, trying again', { pod: wanted.pod.metadata.name, error: String(error) });
        await this.#clock.sleep(retryMs, this.#stopped.signal).catch(() => {});
      }
    }
  }

  /** Lists are replaced, not merged by key; conditions of other owners stay. */
  async #patch(pod: Pod, status: PodStatus): Promise<void> {
    const { name, namespace, uid } = pod.metadata;
    const { podIPs, hostIPs, ...rest } = status;
    const replaced = <T extends object>(list: T[] | undefined) =>
      list ? [...list, { $patch: 'replace' } as unknown as T] : undefined;
    const body = { metadata: { uid }, status: { ...rest, podIPs: replaced(podIPs), hostIPs: replaced(hostIPs) } };
    await this.#client.patch(
      'pods',
      { name, namespace },
      { type: 'strategic', body: JSON.parse(JSON.stringify(body)) },
      { subresource: 'status' },
    );
  }
}

/** Undefined members and what others write do not make a difference. */
const plain = (status: PodStatus) => JSON.parse(JSON.stringify({ ...status, resize: undefined }));
