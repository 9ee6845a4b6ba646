// Events of events.k8s.io, as client-go's newer recorder makes them: with an action, and repeats as a series.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/

import os from 'node:os';
import {
  isAlreadyExists,
  isApiError,
  isNamespaceTerminating,
  isNotFound,
  type KubeObject,
  type ObjectReference,
} from '../../api/api.ts';
import { must } from '../../machinery/must.ts';
import { dns1123SubdomainFaults } from '../../machinery/text/names.ts';
import type { Timer } from '../../machinery/time/clock.ts';
import type { ComponentContext } from '../component.ts';
import { microTimestamp, serialOf, serials } from './events.ts';

/** An event without a repeat for so long is finished: the next one like it is new. */
const finishMs = 360_000;
/** A series that continues is written again after this time. */
const refreshMs = 1_800_000;
/** For a server that does not answer: attempts for one event, and the time between them, up to a quarter longer. */
const maxAttempts = 12;
const retryMs = 10_000;
/** Events remembered for their repeats. The one that was reported least recently is evicted first. */
const cacheLimit = 4_096;
/** Events that wait to be written in order, such as those of pods bound in a burst; more are dropped. */
const queueLimit = 10_000;
/** The time that a stop gives to the events that wait. */
const stopMs = 2_000;
/** In bytes of UTF-8. */
const noteLimit = 1_024;
const cutNoteEnd = ' ...';

const events = { group: 'events.k8s.io', version: 'v1', resource: 'events', namespaced: true };

type Context = Pick<ComponentContext, 'client' | 'clock' | 'logger' | 'random'>;

export interface Report {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** The work that the event is about, such as PortAllocation. */
  readonly action: string;
  /** Longer ones than 1,024 bytes are cut. */
  readonly note: string;
  /** A second object, such as the pod that another one was preempted for. */
  readonly related?: KubeObject;
}

export interface EventReporter {
  /** Records without waiting; failures are logged. */
  report(regarding: KubeObject, report: Report): void;
  /** Resolves when all that was reported has been sent or given up, after two seconds at most. */
  stop(): Promise<void>;
}

interface Remembered {
  name: string;
  readonly namespace: string;
  readonly regarding: ObjectReference;
  readonly related: ObjectReference | undefined;
  readonly report: Omit<Report, 'related'>;
  readonly firstMs: number;
  count: number;
  lastMs: number;
  /** 0 until the API has the event. */
  writtenCount: number;
  writtenMs: number;
}

/** `host`: where the component runs. Default: the name of this machine. */
export function createEventReporter(context: Context, controller: string, host = os.hostname()): EventReporter {
  return new Reporter(context, controller, host);
}

class Reporter implements EventReporter {
  readonly #context: Context;
  readonly #controller: string;
  readonly #instance: string;
  readonly #remembered = new Map<string, Remembered>();
  readonly #waiting = new Set<Remembered>();
  readonly #stopping = new AbortController();
  #sending: Promise<void> | undefined;
  /** Replaces the nanoseconds, which the clock does not have. */
  #serial: number;
  #timer: Timer | undefined;

  constructor(context: Context, controller: string, host: string) {
    this.#context = context;
    this.#controller = controller;
    this.#instance = `${controller}-${host}`;
    this.#serial = serialOf({ component: controller, host });
  }

  report(regarding: KubeObject, report: Report): void {
    const key = keyOf(regarding, report);
    const nowMs = this.#context.clock.now();
    const previous = this.#remembered.get(key);
    if (previous) {
      previous.count++;
      previous.lastMs = nowMs;
      this.#remembered.delete(key);
      this.#remembered.set(key, previous);
      if (previous.count === 2) this.#send(previous);
      return;
    }
    if (this.#waiting.size >= queueLimit || this.#stopping.signal.aborted) return;
    const { related, note, ...rest } = report;
    const event = {
      name: this.#nameFor(regarding.metadata.name),
      namespace: regarding.metadata.namespace ?? 'default',
      regarding: referenceTo(regarding),
      related: related && referenceTo(related),
      report: { ...rest, note: shortNote(note) },
      firstMs: nowMs,
      ...{ count: 1, lastMs: nowMs, writtenCount: 0, writtenMs: nowMs },
    };
    this.#remember(key, event);
    this.#send(event);
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stopping.abort();
    const over = new AbortController();
    await Promise.race([this.#sending, this.#context.clock.sleep(stopMs, over.signal).catch(() => {})]);
    over.abort();
    this.#waiting.clear();
  }

  #remember(key: string, event: Remembered): void {
    this.#remembered.set(key, event);
    if (this.#remembered.size > cacheLimit) {
      const [evictedKey, evicted] = must(this.#remembered.entries().next().value, 'event');
      this.#remembered.delete(evictedKey);
      if (hasNewRepeats(evicted)) this.#send(evicted);
    }
    this.#planReview();
  }

  /** Names that no event may have, such as those of IPv6 addresses, are replaced. */
  #nameFor(of: string): string {
    const { clock, random } = this.#context;
    const nanoseconds = BigInt(Math.floor(clock.now())) * 1_000_000n + BigInt(this.#serial++ % serials);
    const name = `${of}.${nanoseconds.toString(16)}`;
    return dns1123SubdomainFaults(name).length === 0 ? name : random.uuid();
  }

  #planReview(): void {
    this.#timer ??= this.#context.clock.after(finishMs, () => this.#review(), { background: true });
  }

  /** Finishes events without repeats, and writes series that changed. */
  #review(): void {
    const nowMs = this.#context.clock.now();
    for (const [key, event] of this.#remembered) {
      const isOver = nowMs - event.lastMs >= finishMs;
      if (isOver) this.#remembered.delete(key);
      if (hasNewRepeats(event) && (isOver || nowMs - event.writtenMs >= refreshMs)) this.#send(event);
    }
    this.#timer = undefined;
    if (this.#remembered.size > 0) this.#planReview();
  }

  #send(event: Remembered): void {
    if (this.#waiting.size >= queueLimit || this.#stopping.signal.aborted) return;
    this.#waiting.add(event);
    this.#sending ??= this.#sendAll();
  }

  /** In order and one at a time: a burst of events does not delay the component's other writes. */
  async #sendAll(): Promise<void> {
    await Promise.resolve();
    // The loop also visits the events that are added meanwhile.
    for (const event of this.#waiting) {
      this.#waiting.delete(event);
      await this.#attempt(event);
    }
    this.#sending = undefined;
  }

  async #attempt(event: Remembered): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#write(event, attempt > 1);
      } catch (error) {
        const { clock, logger, random } = this.#context;
        const isFinal = isApiError(error) || attempt === maxAttempts || this.#stopping.signal.aborted;
        if (!isNamespaceTerminating(error) && (isFinal || attempt === 1))
          logger.warn(isFinal ? 'event not recorded' : 'event not recorded, trying again', {
            reason: event.report.reason,
            error: String(error),
          });
        if (isFinal) return;
        await clock.sleep(retryMs * (1 + random.next() / 4), this.#stopping.signal).catch(() => {});
      }
    }
  }

  async #write(event: Remembered, isRepeated: boolean): Promise<void> {
    const { count } = event;
    const isNew = event.writtenCount === 0;
    event.writtenMs = this.#context.clock.now();
    if (isNew || !(await this.#writeSeries(event)))
      await this.#create(event).catch((error) => {
        if (!isAlreadyExists(error)) throw error;
        if (isRepeated) return; // the attempt before was received
        event.name = this.#nameFor(event.regarding.name ?? ''); // another process chose it in the same millisecond
        return this.#create(event);
      });
    event.writtenCount = count;
  }

  async #create({ name, namespace, regarding, related, report, ...event }: Remembered): Promise<void> {
    await this.#context.client.create(events, {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace },
      eventTime: microTimestamp(event.firstMs),
      ...(event.count > 1 && { series: seriesOf(event) }),
      reportingController: this.#controller,
      reportingInstance: this.#instance,
      ...report,
      regarding,
      ...(related && { related }),
    } as Parameters<Context['client']['create']>[1]);
  }

  /** False when the event has expired. */
  async #writeSeries(event: Remembered): Promise<boolean> {
    const { name, namespace } = event;
    const body = { series: seriesOf(event) };
    try {
      await this.#context.client.patch(events, { name, namespace }, { type: 'strategic', body });
      return true;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return false;
    }
  }
}

const hasNewRepeats = ({ count, writtenCount }: Remembered) => count > Math.max(writtenCount, 1);

const seriesOf = ({ count, lastMs }: Pick<Remembered, 'count' | 'lastMs'>) => ({
  count,
  lastObservedTime: microTimestamp(lastMs),
});

const referenceTo = ({ kind, apiVersion, metadata }: KubeObject): ObjectReference => ({
  kind,
  ...(metadata.namespace && { namespace: metadata.namespace }),
  name: metadata.name,
  ...(metadata.uid && { uid: metadata.uid }),
  apiVersion,
  ...(metadata.resourceVersion && { resourceVersion: metadata.resourceVersion }),
});

/** Events with the same key are repeats, also with different notes. An object that changed has new events. */
function keyOf({ kind, apiVersion, metadata }: KubeObject, { type, action, reason, related }: Report): string {
  const { namespace, name, uid, resourceVersion } = metadata;
  const of = related?.metadata;
  return [
    type,
    action,
    reason,
    apiVersion,
    kind,
    namespace,
    name,
    uid,
    resourceVersion,
    of?.uid,
    of?.resourceVersion,
  ].join('\n');
}

/** Without a part of a character at its end. */
function shortNote(note: string): string {
  if (note.length * 3 <= noteLimit) return note;
  const bytes = new TextEncoder().encode(note);
  if (bytes.length <= noteLimit) return note;
  const kept = bytes.subarray(0, noteLimit - cutNoteEnd.length);
  return new TextDecoder().decode(kept, { stream: true }) + cutNoteEnd;
}
