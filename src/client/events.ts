// Events as client-go records them: repeats raise a count, floods of similar ones are combined, spammers are cut off.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/

import { type ApiObject, isAlreadyExists, isApiError, isNotFound } from '../api/api.ts';
import type { ComponentContext } from './component.ts';

// client-go's EventCorrelator.
const similarWindowMs = 600_000;
const similarLimit = 10;
const burst = 25;
const refillMs = 300_000;
const cacheLimit = 4096;
/** Events that wait to be sent, one after the other; more are dropped, as client-go's broadcaster does. */
const queueLimit = 1000;
const combinedPrefix = '(combined from similar events): ';

export interface EventSource {
  /** Such as deployment-controller or kubelet. */
  readonly component: string;
  readonly host?: string;
}

export interface EventRecorder {
  /** Records without waiting; failures are logged. `fieldPath` names a part, such as spec.containers{web}. */
  event(object: ApiObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void;
  /** Resolves when all that was recorded has been sent or given up. */
  flush(): Promise<void>;
}

interface Known {
  readonly name: string;
  readonly namespace: string;
  count: number;
  readonly firstTimestamp: string;
}

interface Similar {
  readonly messages: Set<string>;
  lastMs: number;
}

/** The core/v1 time format: whole seconds. */
export const timestamp = (ms: number): string => `${isoOf(ms).slice(0, 19)}Z`;
/** The MicroTime format. */
export const microTimestamp = (ms: number): string => `${isoOf(ms).slice(0, 23)}000Z`;

// Temporal is not in Node 24; Date is used for its arithmetic only, never for the current time.
const isoOf = (ms: number) => new Date(ms).toISOString();

export function createEventRecorder(
  context: Pick<ComponentContext, 'client' | 'clock' | 'logger'>,
  source: EventSource,
): EventRecorder {
  return new Recorder(context, source);
}

/** Stands for the nanoseconds that the clock does not have: no two events of a process share a name. */
let serial = 0;

class Recorder implements EventRecorder {
  readonly #context: Pick<ComponentContext, 'client' | 'clock' | 'logger'>;
  readonly #source: EventSource;
  readonly #known = new Map<string, Known>();
  readonly #similar = new Map<string, Similar>();
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();
  #sending: Promise<void> = Promise.resolve();
  #queued = 0;

  constructor(context: Pick<ComponentContext, 'client' | 'clock' | 'logger'>, source: EventSource) {
    this.#context = context;
    this.#source = source;
  }

  event(object: ApiObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void {
    if (this.#queued >= queueLimit) return;
    const regarding = {
      kind: object.kind,
      ...(object.metadata.namespace && { namespace: object.metadata.namespace }),
      name: object.metadata.name,
      uid: object.metadata.uid,
      apiVersion: object.apiVersion,
      ...(object.metadata.resourceVersion && { resourceVersion: object.metadata.resourceVersion }),
      ...(fieldPath && { fieldPath }),
    };
    const { resourceVersion: _, fieldPath: part, ...identity } = regarding;
    const who = JSON.stringify(identity);
    if (!this.#allowed(who)) return;
    const { message: text, key } = this.#combine(`${who}|${type}|${reason}`, `${part ?? ''}|`, message);
    this.#queued++;
    this.#sending = this.#sending
      .then(() => this.#send(key, { regarding, type, reason, message: text }))
      .finally(() => this.#queued--);
  }

  async flush(): Promise<void> {
    await this.#sending;
  }

  /** A burst of 25 for one object, then one in five minutes. */
  #allowed(who: string): boolean {
    const now = this.#context.clock.now();
    const bucket = this.#buckets.get(who) ?? { tokens: burst, atMs: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.atMs) / refillMs);
    bucket.atMs = now;
    remember(this.#buckets, who, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** From the tenth different message of one reason on, they share one event. */
  #combine(group: string, part: string, message: string): { key: string; message: string } {
    const now = this.#context.clock.now();
    let similar = this.#similar.get(group);
    if (!similar || now - similar.lastMs > similarWindowMs) similar = { messages: new Set(), lastMs: now };
    similar.lastMs = now;
    similar.messages.add(message);
    remember(this.#similar, group, similar);
    if (similar.messages.size < similarLimit) return { key: `${group}|${part}${message}`, message };
    similar.messages.delete(similar.messages.values().next().value as string);
    return { key: group, message: combinedPrefix + message };
  }

  async #send(key: string, event: { regarding: any; type: string; reason: string; message: string }): Promise<void> {
    try {
      const known = this.#known.get(key);
      if (known && (await this.#repeat(known, event.message))) return;
      await this.#create(key, event).catch((error) => {
        if (!isAlreadyExists(error)) throw error;
        return this.#create(key, event); // another process chose the same name in the same millisecond
      });
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      this.#context.logger.warn('an event was not recorded', { reason: event.reason, error: String(error) });
    }
  }

  async #repeat(known: Known, message: string): Promise<boolean> {
    const body = { count: known.count + 1, lastTimestamp: timestamp(this.#context.clock.now()), message };
    try {
      await this.#context.client.patch('events', known, { type: 'strategic', body });
      known.count++;
      return true;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return false; // its time to live has run out
    }
  }

  async #create(key: string, event: { regarding: any; type: string; reason: string; message: string }): Promise<void> {
    const { regarding, type, reason, message } = event;
    const { clock, client } = this.#context;
    const now = clock.now();
    const namespace = regarding.namespace ?? 'default';
    // As client-go: the object's name and the time in nanoseconds, in hexadecimal.
    const nanoseconds = BigInt(Math.floor(now)) * 1_000_000n + BigInt(serial++ % 1_000_000);
    const name = `${regarding.name}.${nanoseconds.toString(16)}`;
    const firstTimestamp = timestamp(now);
    await client.create('events', {
      metadata: { name, namespace },
      involvedObject: regarding,
      reason,
      message,
      source: { component: this.#source.component, ...(this.#source.host && { host: this.#source.host }) },
      firstTimestamp,
      lastTimestamp: firstTimestamp,
      count: 1,
      type,
      reportingComponent: this.#source.component,
      reportingInstance: this.#source.host ?? '',
    });
    remember(this.#known, key, { name, namespace, count: 1, firstTimestamp });
  }
}

/** Then its last events go with it, unheard. */
const isNamespaceTerminating = (error: unknown): boolean =>
  isApiError(error) && (error.status.details?.causes ?? []).some((cause) => cause.reason === 'NamespaceTerminating');

/** Keeps the most recently used. */
function remember<V>(cache: Map<string, V>, key: string, value: V): void {
  cache.delete(key);
  cache.set(key, value);
  if (cache.size > cacheLimit) cache.delete(cache.keys().next().value as string);
}
