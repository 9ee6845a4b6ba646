// The logs of several containers, followed and merged.

import { signal } from '@preact/signals';
import { linesOf } from '../feeds/lines.ts';
import { LogBuffer, type LogLine, logLine } from '../model/log-lines.ts';
import { after } from '../system.ts';
import { request } from './api.ts';
import { Failure } from './failure.ts';

export interface LogSource {
  readonly pod: string;
  readonly container: string;
}

/** Lines of each container that are read before those that are written from now on. */
const tailLines = 1_000;
const flushMs = 100;
/** A source with more lines than these waits for the next flush: the server's sender waits with it. */
const mostPending = 3_000;
const retryMs = 2_000;

export class LogStream {
  readonly sources: readonly LogSource[];
  readonly buffer = new LogBuffer();
  /** Why a source has no log, by its name. */
  readonly faults = new Map<string, string>();
  /** Counts the changes. */
  readonly version = signal(0);
  readonly #namespace: string;
  readonly #isPrevious: boolean;
  readonly #stop = new AbortController();
  #pending = new Map<number, LogLine[]>();
  #flushed = Promise.withResolvers<void>();
  #isPlanned = false;

  constructor(namespace: string, sources: readonly LogSource[], isPrevious: boolean) {
    this.#namespace = namespace;
    this.sources = sources;
    this.#isPrevious = isPrevious;
  }

  start(): void {
    for (const [index, source] of this.sources.entries()) void this.#follow(index, source);
  }

  stop(): void {
    this.#stop.abort();
    this.#flushed.resolve();
  }

  /** A container that ended may start again: its log continues after the last line. */
  async #follow(index: number, source: LogSource): Promise<void> {
    let since = '';
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      try {
        since = (await this.#read(index, source, since)) || since;
        failures = 0;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        // A connection that breaks off is opened again; a refusal is shown at once.
        if (++failures > 1 || error instanceof Failure)
          this.#setFault(source, error instanceof Error ? error.message : String(error));
      }
      if (this.#isPrevious) return;
      await new Promise<void>((resolve) => void after(retryMs, resolve));
    }
  }

  /** Resolves with the time of the last line when the log ends. */
  async #read(index: number, { pod, container }: LogSource, since: string): Promise<string> {
    const path = `/api/v1/namespaces/${encodeURIComponent(this.#namespace)}/pods/${encodeURIComponent(pod)}/log`;
    const query = {
      ...{ container, timestamps: 'true' },
      ...(this.#isPrevious ? { previous: 'true' } : { follow: 'true' }),
      ...(since ? { sinceTime: since } : { tailLines: String(tailLines) }),
    };
    const response = await request(path, { query, accept: '*/*', signal: this.#stop.signal });
    this.#setFault({ pod, container }, undefined);
    let last = since;
    for await (const lines of linesOf(response, 1 << 20)) {
      const added = lines.map((line) => logLine(index, line)).filter(({ time }) => !since || time > since);
      last = added.at(-1)?.time || last;
      await this.#add(index, added);
    }
    return last;
  }

  async #add(index: number, lines: readonly LogLine[]): Promise<void> {
    const pending = this.#pending.get(index) ?? [];
    this.#pending.set(index, pending);
    for (const line of lines) pending.push(line);
    this.#plan();
    if (pending.length > mostPending) await this.#flushed.promise;
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    after(flushMs, () => {
      this.#isPlanned = false;
      for (const lines of this.#pending.values()) this.buffer.add(lines);
      this.#pending = new Map();
      this.version.value++;
      this.#flushed.resolve();
      this.#flushed = Promise.withResolvers();
    });
  }

  #setFault({ pod, container }: LogSource, message: string | undefined): void {
    const name = `${pod} ${container}`;
    if (this.faults.get(name) === message) return;
    if (message === undefined) this.faults.delete(name);
    else this.faults.set(name, message);
    this.version.value++;
  }
}
