// The page's side of the feeds: opens them in the worker, and keeps their rows as signals.

import { effect, type ReadonlySignal, signal } from '@preact/signals';
import type { Column, Row, RowChange } from '../model/rows.ts';
import { base, checkSession, expire, session } from '../session.ts';
import { after, every } from '../system.ts';
import { trustedScript } from '../trusted.ts';
import { Hub } from './hub.ts';
import type { FeedPhase, FeedTarget, FromWorker, ToWorker, Update } from './protocol.ts';

export interface OpenFeed {
  readonly rows: ReadonlyMap<string, Row>;
  readonly objects: ReadonlyMap<string, unknown>;
  readonly columns: ReadonlySignal<readonly Column[]>;
  readonly phase: ReadonlySignal<FeedPhase>;
  /** Counts the updates: read it to be called again after the next one. */
  readonly version: ReadonlySignal<number>;
  /** Calls it with the changes of each update; undefined: all rows are new. Returns a function that ends it. */
  onRows(listener: RowListener): () => void;
  close(): void;
}

type RowListener = (changes: readonly RowChange[] | undefined) => void;

interface Receiver {
  readonly target: FeedTarget;
  take(update: Update): void;
}

const receivers = new Map<string, Receiver>();
let send: ((message: ToWorker) => void) | undefined;
let opened = 0;
/** Feeds whose worker does not reach the server. */
const cutOff = new Set<string>();
let reached = 0;
/** Whether the worker has sent anything. */
let hasHeard = false;

export function openFeed(target: FeedTarget): OpenFeed {
  const id = String(++opened);
  const rows = new Map<string, Row>();
  const objects = new Map<string, unknown>();
  const columns = signal<readonly Column[]>([]);
  const phase = signal<FeedPhase>({ name: 'loading' });
  const version = signal(0);
  const listeners = new Set<RowListener>();
  receivers.set(id, {
    target,
    take(update) {
      if (listeners.size > 0) {
        const changes = update.reset ? undefined : changesOf(rows, update);
        for (const listener of listeners) listener(changes);
      }
      if (update.reset) {
        rows.clear();
        objects.clear();
      }
      for (const row of update.rows) rows.set(row.key, row);
      for (const { key, object } of update.objects) objects.set(key, object);
      for (const key of update.removed) {
        rows.delete(key);
        objects.delete(key);
      }
      if (update.columns && update.columns.length !== columns.value.length) columns.value = update.columns;
      phase.value = update.phase;
      noteHealth(id, update.phase);
      version.value++;
    },
  });
  worker()({ type: 'open', feed: id, target });
  return {
    ...{ rows, objects, columns, phase, version },
    onRows(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      receivers.delete(id);
      cutOff.delete(id);
      send?.({ type: 'close', feed: id });
    },
  };
}

const changesOf = (rows: ReadonlyMap<string, Row>, update: Update): RowChange[] => [
  ...update.removed.map((key) => ({ before: rows.get(key), after: undefined })),
  ...update.rows.map((row) => ({ before: rows.get(row.key), after: row })),
];

function receive(message: FromWorker): void {
  hasHeard = true;
  if (message.type === 'expired') expire();
  else if (message.type === 'forgotten') reopen();
  else receivers.get(message.feed)?.take(message);
}

function noteHealth(feed: string, phase: FeedPhase): void {
  if (phase.name === 'stale' || (phase.name === 'failed' && phase.code === 0)) cutOff.add(feed);
  else cutOff.delete(feed);
  if (cutOff.size === 0) reached = 0;
}

const checkMs = 2_000;
/** After so many checks the page reaches the server, and its worker should. */
const enough = 4;

/**
 * A browser that continues in spite of an unknown CA lets the page connect, and a shared worker only use the connections
 * of pages. So the page connects while a feed is cut off; when that does not help, it starts its own worker.
 */
async function recover(): Promise<void> {
  if (cutOff.size === 0 || session.value.phase !== 'signed-in') return;
  if ((await checkSession()) && cutOff.size > 0 && ++reached === enough) {
    replace();
  }
}

function worker(): (message: ToWorker) => void {
  if (send) return send;
  send = connect();
  every(60_000, () => send?.({ type: 'alive' }));
  every(checkMs, () => void recover());
  addEventListener('pagehide', () => send?.({ type: 'bye' }));
  addEventListener('pageshow', ({ persisted }) => persisted && reopen());
  effect(() => {
    if (session.value.phase === 'signed-in') greet(session.value.session.key);
  });
  return send;
}

/** A new session starts the feeds again. */
function greet(key: string): void {
  send?.({ type: 'hello', key });
  for (const [feed, { target }] of receivers) send?.({ type: 'open', feed, target });
}

const reopen = (): void => {
  if (session.value.phase === 'signed-in') greet(session.value.session.key);
};

/** Prefers one worker for all pages; without any, the page does the work itself. */
function connect(): (message: ToWorker) => void {
  try {
    if ('SharedWorker' in globalThis) {
      const shared = new SharedWorker(trustedScript(programOf()), { type: 'module', name: 'coracle' });
      shared.port.onmessage = ({ data }) => receive(data);
      shared.onerror = replace;
      after(silentMs, () => {
        if (!hasHeard) replace();
      });
      return (message) => shared.port.postMessage(message);
    }
  } catch {
    // the browser has none, or does not start it
  }
  return ownWorker() ?? inPage();
}

/** A feed that is opened is answered at once: a shared worker that is silent for so long did not start. */
const silentMs = 4_000;

function replace(): void {
  send = ownWorker() ?? inPage();
  reopen();
}

function ownWorker(): ((message: ToWorker) => void) | undefined {
  try {
    const own = new Worker(trustedScript(programOf()), { type: 'module' });
    own.onmessage = ({ data }) => receive(data);
    own.onerror = () => {
      send = inPage();
      reopen();
    };
    return (message) => own.postMessage(message);
  } catch {
    return undefined;
  }
}

function inPage(): (message: ToWorker) => void {
  const hub = new Hub(`${base}/api`);
  const port = { postMessage: receive };
  return (message) => hub.receive(port, message);
}

const programOf = (): string => document.querySelector<HTMLMetaElement>('meta[name=coracle]')?.dataset['worker'] ?? '';
