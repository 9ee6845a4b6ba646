// The versions of one object, from the oldest state that is kept until now.

import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { getInsight, type KubeObject, objectIn } from '../api/api.ts';
import { type History, historyIn, placeOf, placeQuery, timeOf } from '../model/history.ts';
import { apiPath, type Kind, kindId } from '../model/kinds.ts';
import { after, now } from '../system.ts';
import { eventsAfter, isGone, listAt, type ReadVersion } from './read-changes.ts';

interface PastVersion {
  readonly object: KubeObject;
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly seenMs: number;
  readonly isCreated: boolean;
  readonly isDeleted: boolean;
}

export interface ObjectPast {
  readonly sinceMs: number;
  readonly versions: readonly PastVersion[];
}

/** The newest versions that are kept. */
const most = 300;
const retryMs = 3_000;

/** Undefined: not read yet, or the user may not read it. */
export function useObjectPast(kind: Kind, namespace: string, name: string): ReadonlySignal<ObjectPast | undefined> {
  const past = useSignal<ObjectPast | undefined>(undefined);
  useEffect(() => {
    const ended = new AbortController();
    past.value = undefined;
    const run = async (): Promise<void> => {
      try {
        await follow({ kind, namespace, name, signal: ended.signal, show: (next) => (past.value = next) });
      } catch (error) {
        if (ended.signal.aborted || !isWorthRetry(error)) return;
      }
      after(retryMs, () => void (ended.signal.aborted || run()));
    };
    void run();
    return () => ended.abort();
  }, [kind, namespace, name, past]);
  return past;
}

const isWorthRetry = (error: unknown): boolean =>
  isGone(error) || !(error instanceof Error && 'code' in error && [403, 404].includes(Number(error.code)));

interface Followed {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly signal: AbortSignal;
  show(past: ObjectPast): void;
}

/** Resolves when the server ends the watch. */
async function follow({ kind, namespace, name, signal, show }: Followed): Promise<void> {
  const place = placeOf(kindId(kind), namespace, name);
  const history = historyIn(await getInsight('history', placeQuery(place)));
  const path = apiPath(kind, namespace);
  const fieldSelector = `metadata.name=${name}`;
  const { since } = history;
  const oldest = await listAt(path, since.revision, fieldSelector, signal);
  let versions = [...oldest.values()].flatMap((object) =>
    versionsOf({ type: 'MODIFIED', object, revision: since.revision }, since.timeMs),
  );
  show({ sinceMs: since.timeMs, versions });
  for await (const events of eventsAfter({ path, from: since.revision, fieldSelector, signal })) {
    const added = events.flatMap((event) => versionsOf(event, timeOfEvent(history, event)));
    versions = [...versions, ...added].slice(-most);
    show({ sinceMs: since.timeMs, versions });
  }
}

/** Events after the answer come as they happen. */
const timeOfEvent = ({ marks }: History, { revision }: ReadVersion): number => timeOf(marks, revision) ?? now();

function versionsOf({ type, object: value, revision }: ReadVersion, seenMs: number): PastVersion[] {
  const object = objectIn(value);
  return object ? [{ object, revision, seenMs, isCreated: type === 'ADDED', isDeleted: type === 'DELETED' }] : [];
}
