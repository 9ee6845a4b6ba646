// Events as client-go records them: repeats raise a count, floods of similar ones are combined, spammers are cut off.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/

import {
  isAlreadyExists,
  isNamespaceTerminating,
  isNotFound,
  type KubeObject,
  type ObjectReference,
} from '../../api/api.ts';
import type { ComponentContext } from '../component.ts';

// client-go's EventCorrelator.
const similarWindowMs = 600_000;
const similarLimit = 10;
const burst = 25;
const refillMs = 300_000;
const cacheLimit = 4096;
/** Events of one object and reason that a repeat is still counted to. */
const recordedLimit = 16;
/** Events waiting to be sent in order; more are dropped, as in client-go's broadcaster. */
const queueLimit = 1000;
const combinedPrefix = '(combined from similar events): ';

interface EventSource {
  /** Such as deployment-controller or kubelet. */
  readonly component: string;
  readonly host?: string;
}

export interface EventRecorder {
  /** Records without waiting; failures are logged. `fieldPath` names a part, such as spec.containers{web}. */
  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void;
  /** Resolves when all that was recorded has been sent or given up. */
  flush(): Promise<void>;
}

/** An event that was recorded. */
interface RecordedEvent {
  /** The part of the object, and the message; undefined for an event that combines similar ones. */
  readonly part?: string;
  readonly message?: string;
  readonly namespace: string;
  /** Undefined until the API has it. */
  name: string | undefined;
  count: number;
}

/** The events of one object and reason. */
interface Topic {
  readonly type: string;
  readonly reason: string;
  /** How many different messages there were lately. */
  messages: number;
  lastMs: number;
  recorded: readonly RecordedEvent[];
}

/** The record of an object, kept small: one process may record thousands of objects. */
interface Subject {
  tokens: number;
  atMs: number;
  topics: readonly Topic[];
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

interface Recorded {
  readonly regarding: ObjectReference;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

/** Maximum distinct events of one recorder within a millisecond. */
export const serials = 1_000_000;

/** A distinct number for each source (FNV-1a), equal in every run. */
export function serialOf({ component, host = '' }: EventSource): number {
  let hash = 0x811c9dc5;
  for (const character of `${component}/${host}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return (hash >>> 0) % serials;
}

class Recorder implements EventRecorder {
  readonly #context: Pick<ComponentContext, 'client' | 'clock' | 'logger'>;
  readonly #source: EventSource;
  readonly #subjects = new Map<string, Subject>();
  #sending: Promise<void> = Promise.resolve();
  #queued = 0;
  /** Replaces the nanoseconds, which the clock does not have. */
  #serial: number;

  constructor(context: Pick<ComponentContext, 'client' | 'clock' | 'logger'>, source: EventSource) {
    this.#context = context;
    this.#source = source;
    this.#serial = serialOf(source);
  }

  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void {
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
    const subject = this.#subject(object);
    if (!this.#allowed(subject)) return;
    const topic = this.#topic(subject, type, reason);
    const recorded = this.#note(topic, object.metadata.namespace ?? 'default', fieldPath ?? '', message);
    const text = recorded.message === undefined ? combinedPrefix + message : message;
    this.#queued++;
    this.#sending = this.#sending
      .then(() => this.#send(recorded, { regarding, type, reason, message: text }))
      .finally(() => this.#queued--);
  }

  async flush(): Promise<void> {
    await this.#sending;
  }

  #subject({ kind, apiVersion, metadata }: KubeObject): Subject {
    const who = metadata.uid || `${apiVersion} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
    const subject = this.#subjects.get(who) ?? { tokens: burst, atMs: this.#context.clock.now(), topics: [] };
    // Moves the subject to the end, so that the least recently used is evicted first.
    this.#subjects.delete(who);
    this.#subjects.set(who, subject);
    if (this.#subjects.size > cacheLimit) this.#subjects.delete(this.#subjects.keys().next().value as string);
    return subject;
  }

  /** A burst of 25 for one object, then one in five minutes. */
  #allowed(subject: Subject): boolean {
    const now = this.#context.clock.now();
    subject.tokens = Math.min(burst, subject.tokens + (now - subject.atMs) / refillMs);
    subject.atMs = now;
    if (subject.tokens < 1) return false;
    subject.tokens--;
    return true;
  }

  #topic(subject: Subject, type: string, reason: string): Topic {
    let topic = subject.topics.find((t) => t.type === type && t.reason === reason);
    if (!topic) {
      topic = { type, reason, messages: 0, lastMs: this.#context.clock.now(), recorded: [] };
      subject.topics = withOne(subject.topics, topic);
    }
    return topic;
  }

  /** The event that a message belongs to. From the tenth different message of one reason on, they share one. */
  #note(topic: Topic, namespace: string, part: string, message: string): RecordedEvent {
    const now = this.#context.clock.now();
    if (now - topic.lastMs > similarWindowMs) topic.messages = 0;
    topic.lastMs = now;
    const same = topic.recorded.find((k) => k.part === part && k.message === message);
    if (same) return same;
    if (!topic.recorded.some((k) => k.message === message)) topic.messages++;
    const isCombined = topic.messages >= similarLimit;
    if (isCombined) topic.messages--;
    const combined = isCombined && topic.recorded.find((k) => k.message === undefined);
    if (combined) return combined;
    const recorded: RecordedEvent = { ...(!isCombined && { part, message }), namespace, name: undefined, count: 0 };
    topic.recorded = withOne(topic.recorded.slice(1 - recordedLimit), recorded);
    return recorded;
  }

  async #send(recorded: RecordedEvent, event: Recorded): Promise<void> {
    try {
      if (recorded.name !== undefined && (await this.#repeat(recorded, event.message))) return;
      recorded.name = await this.#create(recorded, event).catch((error) => {
        if (!isAlreadyExists(error)) throw error;
        return this.#create(recorded, event); // another process chose the same name in the same millisecond
      });
      recorded.count = 1;
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      this.#context.logger.warn('event not recorded', { reason: event.reason, error: String(error) });
    }
  }

  async #repeat(recorded: RecordedEvent, message: string): Promise<boolean> {
    const { name = '', namespace } = recorded;
    const body = { count: recorded.count + 1, lastTimestamp: timestamp(this.#context.clock.now()), message };
    try {
      await this.#context.client.patch('events', { name, namespace }, { type: 'strategic', body });
      recorded.count++;
      return true;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return false; // the event expired
    }
  }

  async #create({ namespace }: RecordedEvent, { regarding, type, reason, message }: Recorded): Promise<string> {
    const { clock, client } = this.#context;
    const now = clock.now();
    // As client-go: the object's name and the time in nanoseconds, in hexadecimal.
    const nanoseconds = BigInt(Math.floor(now)) * 1_000_000n + BigInt(this.#serial++ % serials);
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
    return name;
  }
}

/** A list without spare capacity: one that grows by `push` reserves a dozen items. */
const withOne = <T>(list: readonly T[], item: T): readonly T[] => list.concat([item]);
