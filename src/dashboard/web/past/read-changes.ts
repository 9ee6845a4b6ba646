// The changes between two moments, read through the API: the events after the first one, and the states before them.

import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { getJson, request } from '../api/api.ts';
import { Failure } from '../api/failure.ts';
import { linesOf } from '../feeds/lines.ts';
import { continueIn, entriesIn, versionIn } from '../feeds/parse.ts';
import { type ObjectChange, objectChanges, type Touched, touchedBy, type WatchEvent } from '../model/changes.ts';

export interface ReadVersion extends WatchEvent {
  readonly revision: number;
}

interface Watched {
  readonly path: string;
  readonly from: number;
  readonly fieldSelector?: string;
  readonly timeoutSeconds?: number;
  readonly signal: AbortSignal;
}

/** The events after a revision, in order. Rejects with code 410 when it is no longer kept. */
export async function* eventsAfter(asked: Watched): AsyncGenerator<readonly ReadVersion[]> {
  const { path, from, fieldSelector, timeoutSeconds, signal } = asked;
  const query = {
    ...{ watch: '1', resourceVersion: String(from) },
    ...(fieldSelector && { fieldSelector }),
    ...(timeoutSeconds && { timeoutSeconds: String(timeoutSeconds) }),
  };
  const response = await request(path, { query, signal });
  for await (const lines of linesOf(response)) {
    const events = lines.filter(Boolean).flatMap((line) => eventIn(JSON.parse(line)));
    if (events.length > 0) yield events;
  }
}

function eventIn(value: unknown): ReadVersion[] {
  const { type, object } = fieldsIn(value);
  if (type === 'ERROR') throw Failure.ofStatus(fieldsIn(object));
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') return [];
  return [{ type, object, revision: Number(versionIn(object)) }];
}

/** Objects that are shown of a kind; more are counted. */
const mostShown = 200;
/** Up to this number, states are read one by one instead of with all others. */
const mostSingle = 12;
const pageSize = 500;
/** A watch of the past has all its events at once: its end is reached sooner. */
const timeoutSeconds = 3;

export interface KindChanges {
  readonly changes: readonly ObjectChange[];
  /** Objects that are not shown. */
  readonly more: number;
}

interface Between {
  readonly path: string;
  readonly from: number;
  /** Revision of the last event. */
  readonly last: number;
  readonly signal: AbortSignal;
}

export async function changesBetween({ path, from, last, signal }: Between): Promise<KindChanges> {
  const events: ReadVersion[] = [];
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  for await (const some of eventsAfter({ path, from, timeoutSeconds, signal: both })) {
    events.push(...some.filter(({ revision }) => revision <= last));
    if (some.some(({ revision }) => revision >= last)) break;
  }
  ended.abort();
  const touched = touchedBy(events);
  const shown = touched.slice(0, mostShown);
  const before = await statesAt(
    path,
    from,
    shown.filter(({ wasThere, isThere }) => wasThere && isThere),
    signal,
  );
  return { changes: objectChanges(shown, before), more: touched.length - shown.length };
}

async function statesAt(
  path: string,
  revision: number,
  objects: readonly Touched[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, unknown>> {
  if (objects.length === 0) return new Map();
  if (objects.length > mostSingle) return listAt(path, revision, '', signal, new Set(objects.map(({ key }) => key)));
  const found = await Promise.all(
    objects.map(({ namespace, name, key }) =>
      listAt(path, revision, selectorOf(namespace, name), signal, new Set([key])),
    ),
  );
  return new Map(found.flatMap((states) => [...states]));
}

const selectorOf = (namespace: string, name: string): string =>
  [`metadata.name=${name}`, ...(namespace ? [`metadata.namespace=${namespace}`] : [])].join(',');

/** The objects with these keys as they were; all of them without keys. */
export async function listAt(
  path: string,
  revision: number,
  fieldSelector: string,
  signal: AbortSignal,
  keys?: ReadonlySet<string>,
): Promise<ReadonlyMap<string, unknown>> {
  const found = new Map<string, unknown>();
  let next = '';
  do {
    const query = {
      limit: String(pageSize),
      ...(next ? { continue: next } : { resourceVersion: String(revision), resourceVersionMatch: 'Exact' }),
      ...(fieldSelector && { fieldSelector }),
    };
    const page = await getJson(path, { query, signal });
    for (const { key, object } of entriesIn(page)) if (!keys || keys.has(key)) found.set(key, object);
    next = continueIn(page);
  } while (next && found.size < (keys?.size ?? Number.POSITIVE_INFINITY));
  return found;
}

/** Whether the state is no longer kept. */
export const isGone = (error: unknown): boolean => error instanceof Failure && error.code === 410;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : textIn(error));
