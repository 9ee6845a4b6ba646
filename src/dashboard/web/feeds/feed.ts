// One list and its watch: list in pages, then watch from there; list again when the watch cannot continue.

import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { Failure } from '../api/failure.ts';
import { keyHeaders } from '../api/key.ts';
import type { Column, Row } from '../model/rows.ts';
import { after, monotonic } from '../system.ts';
import { linesOf } from './lines.ts';
import { columnsIn, continueIn, entriesIn, entryIn, rowsIn, versionIn } from './parse.ts';
import type { FeedPhase, FeedTarget, ObjectEntry, Update } from './protocol.ts';

interface FeedContext {
  /** Path of the API. */
  readonly root: string;
  key(): string;
  send(update: Omit<Update, 'type' | 'feed'>): void;
  expired(): void;
}

const firstPage = 500;
const laterPages = 2_000;
/** Changes of this time are sent as one message. */
const batchMs = 120;
const retryMs = [500, 1_000, 2_000, 3_000, 5_000] as const;
const leastWatchMs = 1_000;
/** A server that begins no answer in this time does not answer. */
const patienceMs = 20_000;
/** Without a bookmark for so long, the connection of a watch may be lost. */
const silentMs = 150_000;
/** A refused list is tried again: the user may get the right. */
const refusedMs = 30_000;

const tableType = 'application/json;as=Table;v=v1;g=meta.k8s.io';

interface Answer {
  readonly response: Response;
  /** Ends its stream, as if the connection were lost. */
  end(): void;
}

const noAnswer = () => new Failure(0, 'Unreachable', 'the server does not answer');

export class Feed {
  readonly #target: FeedTarget;
  readonly #context: FeedContext;
  readonly #stop = new AbortController();
  readonly #rows = new Map<string, Row>();
  readonly #objects = new Map<string, ObjectEntry>();
  #columns: readonly Column[] = [];
  #phase: FeedPhase = { name: 'loading' };
  #changed = new Map<string, Row | ObjectEntry | undefined>();
  #isPlanned = false;
  #failures = 0;
  #listedMs = 0;

  constructor(target: FeedTarget, context: FeedContext) {
    this.#target = target;
    this.#context = context;
    void this.#run();
  }

  /** All that a new subscriber needs. */
  snapshot(): Omit<Update, 'type' | 'feed'> {
    return {
      reset: true,
      columns: this.#columns,
      rows: [...this.#rows.values()],
      objects: [...this.#objects.values()],
      removed: [],
      phase: this.#phase,
    };
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    let version = '';
    while (!this.#stop.signal.aborted) {
      try {
        if (!version) version = await this.#list();
        if (this.#target.at !== undefined) return;
        const startMs = monotonic();
        version = await this.#watch(version);
        // Some server or proxy ends each watch at once.
        if (monotonic() - startMs < leastWatchMs) await this.#sleep(leastWatchMs);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        version = await this.#afterError(error, version);
      }
    }
  }

  /** Waits, and returns the version from which to watch; '' to list again. */
  async #afterError(error: unknown, version: string): Promise<string> {
    const { code, message } = error instanceof Failure ? error : noAnswer();
    if (code === 401) {
      this.#context.expired();
      this.#setPhase({ name: 'failed', code, message });
      this.stop();
      return '';
    }
    const isOld = code === 410 && this.#target.at === undefined;
    // A fresh list may be too old as well: it is not read again at once.
    if (isOld && monotonic() - this.#listedMs > leastWatchMs) return '';
    const isRefused = !isOld && [400, 403, 404, 405, 410].includes(code);
    if (isRefused) {
      this.#clear();
      this.#setPhase({ name: 'failed', code, message });
    } else this.#setPhase(this.#hasRows() ? { name: 'stale', code, message } : { name: 'failed', code, message });
    const delay = retryMs[Math.min(this.#failures++, retryMs.length - 1)];
    await this.#sleep(isRefused ? refusedMs : delay);
    return isRefused || isOld ? '' : version;
  }

  #hasRows = (): boolean => this.#rows.size + this.#objects.size > 0 || this.#columns.length > 0;

  async #list(): Promise<string> {
    this.#listedMs = monotonic();
    let version = '';
    let next = '';
    const seen = new Set<string>();
    do {
      const { response } = await this.#get({
        limit: String(next ? laterPages : firstPage),
        ...(next ? { continue: next } : this.#pastQuery()),
      });
      const document: unknown = await response.json();
      if (!version) version = versionIn(document);
      next = continueIn(document);
      this.#takePage(document, seen);
    } while (next && !this.#stop.signal.aborted);
    for (const key of [...this.#rows.keys(), ...this.#objects.keys()]) if (!seen.has(key)) this.#remove(key);
    this.#failures = 0;
    this.#setPhase({ name: this.#target.at === undefined ? 'live' : 'past' });
    return version;
  }

  #pastQuery(): Readonly<Record<string, string>> {
    const { at } = this.#target;
    return at === undefined ? {} : { resourceVersion: String(at), resourceVersionMatch: 'Exact' };
  }

  #takePage(document: unknown, seen: Set<string>): void {
    if (this.#target.as === 'table') {
      const columns = columnsIn(document);
      if (columns.length > 0) this.#columns = columns;
      for (const row of rowsIn(document)) {
        seen.add(row.key);
        this.#putRow(row);
      }
    } else
      for (const entry of entriesIn(document)) {
        seen.add(entry.key);
        this.#putObject(entry);
      }
    this.#flushSoon();
  }

  /** Resolves with the newest version when the server ends the watch. */
  async #watch(from: string): Promise<string> {
    let version = from;
    const { response, end } = await this.#get({ watch: '1', resourceVersion: from, allowWatchBookmarks: 'true' });
    if (this.#phase.name !== 'live') this.#setPhase({ name: 'live' });
    this.#failures = 0;
    let cancel = after(silentMs, end);
    try {
      for await (const lines of linesOf(response)) {
        cancel();
        cancel = after(silentMs, end);
        for (const line of lines) if (line) version = this.#take(JSON.parse(line)) || version;
      }
    } finally {
      cancel();
    }
    return version;
  }

  /** Returns the version of the event. */
  #take(event: unknown): string {
    const type = textIn(fieldsIn(event)['type']);
    const object = fieldsIn(fieldsIn(event)['object']);
    if (type === 'ERROR') throw Failure.ofStatus(object);
    if (this.#target.as === 'objects') {
      if (type === 'DELETED') this.#remove(entryIn(object).key);
      else if (type !== 'BOOKMARK') this.#putObject(entryIn(object));
      this.#flushSoon();
      return versionIn(object);
    }
    const columns = columnsIn(object);
    if (columns.length > 0) this.#columns = columns;
    const rows = rowsIn(object);
    if (type !== 'BOOKMARK') for (const row of rows) type === 'DELETED' ? this.#remove(row.key) : this.#putRow(row);
    this.#flushSoon();
    const [first] = Array.isArray(object['rows']) ? object['rows'] : [];
    return versionIn(fieldsIn(first)['object']) || versionIn(object);
  }

  async #get(query: Readonly<Record<string, string>>): Promise<Answer> {
    const { path, labelSelector, fieldSelector, as } = this.#target;
    const search = new URLSearchParams({
      ...query,
      ...(labelSelector && { labelSelector }),
      ...(fieldSelector && { fieldSelector }),
    });
    const ended = new AbortController();
    const cancel = after(patienceMs, () => ended.abort(noAnswer()));
    const response = await fetch(`${this.#context.root}${path}?${search}`, {
      headers: { ...keyHeaders(this.#context.key()), Accept: as === 'table' ? tableType : 'application/json' },
      signal: AbortSignal.any([this.#stop.signal, ended.signal]),
    }).finally(cancel);
    if (!response.ok) throw await Failure.of(response);
    return { response, end: () => ended.abort(noAnswer()) };
  }

  #putRow(row: Row): void {
    this.#rows.set(row.key, row);
    this.#changed.set(row.key, row);
  }

  #putObject(entry: ObjectEntry): void {
    this.#objects.set(entry.key, entry);
    this.#changed.set(entry.key, entry);
  }

  #remove(key: string): void {
    this.#rows.delete(key);
    this.#objects.delete(key);
    this.#changed.set(key, undefined);
  }

  #clear(): void {
    for (const key of [...this.#rows.keys(), ...this.#objects.keys()]) this.#remove(key);
  }

  #setPhase(phase: FeedPhase): void {
    this.#phase = phase;
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    after(batchMs, () => this.#flush());
  }

  #flush(): void {
    this.#isPlanned = false;
    const changed = this.#changed;
    this.#changed = new Map();
    if (this.#stop.signal.aborted && this.#phase.name !== 'failed') return;
    const present = [...changed.values()];
    this.#context.send({
      reset: false,
      columns: this.#columns,
      rows: present.filter((entry): entry is Row => entry !== undefined && 'cells' in entry),
      objects: present.filter((entry): entry is ObjectEntry => entry !== undefined && 'object' in entry),
      removed: [...changed].filter(([, entry]) => entry === undefined).map(([key]) => key),
      phase: this.#phase,
    });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = after(ms, resolve);
      this.#stop.signal.addEventListener('abort', () => {
        cancel();
        resolve();
      });
    });
  }
}
