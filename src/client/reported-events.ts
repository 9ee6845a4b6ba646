// Events of events.k8s.io, as client-go's newer recorder makes them: with an action, and repeats as a series.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/

import os from 'node:os';
import { isAlreadyExists, isNotFound, type KubeObject } from '../api/api.ts';
import type { Timer } from '../machinery/time/clock.ts';
import type { ComponentContext } from './component.ts';
import { microTimestamp, serialOf, serials } from './events.ts';

/** An event without a repeat for so long is finished: the next one like it is new. */
const finishMs = 360_000;
/** A series that continues is written again after this time. */
const refreshMs = 1_800_000;
/** Events that are remembered for their repeats, and events that wait to be sent; others are dropped. */
const most = 1_000;

const events = { group: 'events.k8s.io', version: 'v1', resource: 'events', namespaced: true };

type Context = Pick<ComponentContext, 'client' | 'clock' | 'logger'>;

export interface Report {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** The work that the event is about, such as PortAllocation. */
  readonly action: string;
  readonly note: string;
}

export interface EventReporter {
  /** Records without waiting; failures are logged. */
  report(regarding: KubeObject, report: Report): void;
  /** Resolves when all that was reported has been sent or given up. */
  stop(): Promise<void>;
}

interface Remembered {
  name: string;
  readonly namespace: string;
  count: number;
  lastMs: number;
  writtenCount: number;
  writtenMs: number;
}

export function createEventReporter(context: Context, controller: string): EventReporter {
  return new Reporter(context, controller);
}

class Reporter implements EventReporter {
  readonly #context: Context;
  readonly #controller: string;
  readonly #remembered = new Map<string, Remembered>();
  #sending: Promise<void> = Promise.resolve();
  #queued = 0;
  /** Replaces the nanoseconds, which the clock does not have. */
  #serial: number;
  #timer: Timer | undefined;

  constructor(context: Context, controller: string) {
    this.#context = context;
    this.#controller = controller;
    this.#serial = serialOf({ component: controller, host: os.hostname() });
  }

  report(regarding: KubeObject, report: Report): void {
    const { kind, apiVersion, metadata } = regarding;
    const key = JSON.stringify([
      report.type,
      report.action,
      report.reason,
      apiVersion,
      kind,
      metadata.uid,
      metadata.name,
    ]);
    const nowMs = this.#context.clock.now();
    const previous = this.#remembered.get(key);
    if (previous) {
      previous.count++;
      previous.lastMs = nowMs;
      if (previous.count === 2) this.#send(() => this.#writeSeries(previous));
      return;
    }
    if (this.#remembered.size >= most || this.#queued >= most) return;
    const event = {
      name: this.#nameFor(regarding),
      namespace: metadata.namespace ?? 'default',
      ...{ count: 1, lastMs: nowMs, writtenCount: 1, writtenMs: nowMs },
    };
    this.#remembered.set(key, event);
    this.#send(() =>
      this.#create(event, regarding, report).catch((error) => {
        if (!isAlreadyExists(error)) throw error;
        event.name = this.#nameFor(regarding); // another process chose the same name in the same millisecond
        return this.#create(event, regarding, report);
      }),
    );
    this.#timer ??= this.#context.clock.after(finishMs, () => this.#review(), { background: true });
  }

  #nameFor({ metadata }: KubeObject): string {
    const nanoseconds = BigInt(Math.floor(this.#context.clock.now())) * 1_000_000n + BigInt(this.#serial++ % serials);
    return `${metadata.name}.${nanoseconds.toString(16)}`;
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#sending;
  }

  /** Finishes events without repeats, and writes series that changed. */
  #review(): void {
    const nowMs = this.#context.clock.now();
    for (const [key, event] of this.#remembered) {
      const isOver = nowMs - event.lastMs >= finishMs;
      if (isOver) this.#remembered.delete(key);
      if (event.count > event.writtenCount && (isOver || nowMs - event.writtenMs >= refreshMs))
        this.#send(() => this.#writeSeries(event));
    }
    const isEmpty = this.#remembered.size === 0;
    this.#timer = isEmpty ? undefined : this.#context.clock.after(finishMs, () => this.#review(), { background: true });
  }

  #send(write: () => Promise<unknown>): void {
    this.#queued++;
    this.#sending = this.#sending
      .then(write)
      .then(
        () => {},
        (error) => this.#context.logger.warn('event not recorded', { error: String(error) }),
      )
      .finally(() => this.#queued--);
  }

  #create({ name, namespace, lastMs }: Remembered, { kind, apiVersion, metadata }: KubeObject, report: Report) {
    return this.#context.client.raw('POST', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`, {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name, namespace },
      eventTime: microTimestamp(lastMs),
      reportingController: this.#controller,
      reportingInstance: `${this.#controller}-${os.hostname()}`,
      ...report,
      regarding: {
        kind,
        ...(metadata.namespace && { namespace: metadata.namespace }),
        name: metadata.name,
        ...(metadata.uid && { uid: metadata.uid }),
        apiVersion,
        ...(metadata.resourceVersion && { resourceVersion: metadata.resourceVersion }),
      },
    });
  }

  async #writeSeries(event: Remembered): Promise<void> {
    const { name, namespace, count, lastMs } = event;
    event.writtenCount = count;
    event.writtenMs = this.#context.clock.now();
    const body = { series: { count, lastObservedTime: microTimestamp(lastMs) } };
    await this.#context.client.patch(events, { name, namespace }, { type: 'merge', body }).catch((error) => {
      if (!isNotFound(error)) throw error; // it expired
    });
  }
}
