// The changes between two moments, of all kinds that the user may list and watch.

import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { humanDuration } from '../../../machinery/time/duration.ts';
import { getInsight } from '../api/api.ts';
import { kinds } from '../api/catalog.ts';
import { Failure } from '../api/failure.ts';
import { countOf, mergedMarks } from '../model/changes.ts';
import { type History, historyIn, placeOf, placeQuery } from '../model/history.ts';
import { type Kind, kindId } from '../model/kinds.ts';
import { isCoracle } from '../session.ts';
import { namespace } from '../settings.ts';
import { t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';
import { ChangedKind } from './changed-kind.tsx';
import { Marks } from './marks.tsx';
import { moment } from './moment.ts';
import { timeText } from './past-bar.tsx';
import { refuserText, useRefusals } from './use-writes.tsx';

interface KindHistory {
  readonly kind: Kind;
  readonly history: History;
}

interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Found {
  readonly histories: readonly KindHistory[];
  /** Why some are missing. */
  readonly fault: string;
}

/** Written every few seconds, and of no news. */
const unread = new Set(['leases.coordination.k8s.io', 'events', 'events.events.k8s.io']);

export function ChangesPage() {
  const found = useSignal<Found | undefined>(undefined);
  const chosen = useSignal<Range | undefined>(undefined);
  const round = useSignal(0);
  const place = namespace.value;
  const all = kinds.value;
  useEffect(() => {
    // The frame says why there are none.
    if (all.length === 0) return;
    const ended = new AbortController();
    void historiesOf(all, place, ended.signal).then((histories) => {
      if (!ended.signal.aborted) found.value = histories;
    });
    return () => ended.abort();
  }, [all, place, round.value, found]);
  return (
    <section class="changes-page" aria-label={t('whatChanged')}>
      <header class="page-head">
        <h1 class="page-title">{t('whatChanged')}</h1>
        <span class="muted">{place || t('allNamespaces')}</span>
        <span class="grow" />
        <button type="button" class="quiet" onClick={() => round.value++}>
          <Icon name="restart" />
          {t('readAgain')}
        </button>
      </header>
      {found.value ? (
        <>
          {found.value.fault && (
            <p class="notice busy" role="alert">
              {found.value.fault}
            </p>
          )}
          <Changes fault={found.value.fault} histories={found.value.histories} chosen={chosen} />
        </>
      ) : (
        <div class="skeleton pad" role="status" aria-busy="true" aria-label={t('loading')} />
      )}
    </section>
  );
}

/** Requests at a time. */
const atOnce = 6;

/** Kinds whose past is not kept, or that the user may not see, are left out. */
async function historiesOf(all: readonly Kind[], place: string, signal: AbortSignal): Promise<Found> {
  const wanted = all.filter(
    (kind) => kind.verbs.includes('list') && kind.verbs.includes('watch') && !unread.has(kindId(kind)),
  );
  const histories: KindHistory[] = [];
  let fault = '';
  const next = async (): Promise<void> => {
    const kind = wanted.shift();
    if (!kind || signal.aborted) return;
    const query = placeQuery(placeOf(kindId(kind), kind.isNamespaced ? place : ''));
    const history = await getInsight('history', query).then(historyIn, (error) => {
      const isLeftOut = error instanceof Failure && [403, 404].includes(error.code);
      if (!isLeftOut) fault = error instanceof Error ? error.message : String(error);
    });
    if (history) histories.push({ kind, history });
    return next();
  };
  await Promise.all(Array.from({ length: atOnce }, next));
  return { histories, fault };
}

function Changes({ histories, fault, chosen }: Found & { chosen: Signal<Range | undefined> }) {
  const beginMs = Math.min(...histories.map(({ history }) => history.since.timeMs));
  const endMs = Math.max(...histories.map(({ history }) => history.now.timeMs));
  const marks = useMemo(
    () =>
      mergedMarks(
        histories.map(({ history }) => history.marks),
        beginMs,
        endMs,
      ),
    [histories, beginMs, endMs],
  );
  if (histories.length === 0)
    return fault ? null : <p class="muted pad">{t(isCoracle() ? 'pastNoKinds' : 'onlyCoracle')}</p>;
  const { fromMs, toMs } = chosen.value ?? { fromMs: moment.value?.timeMs ?? beginMs, toMs: endMs };
  const changed = histories
    .map((one) => ({ ...one, marks: one.history.marks.filter(({ timeMs }) => timeMs > fromMs && timeMs <= toMs) }))
    .filter((one) => one.marks.length > 0)
    .sort((a, b) => sizeOf(b.marks) - sizeOf(a.marks));
  return (
    <>
      <RangeSlider {...{ beginMs, endMs, fromMs, toMs, chosen }}>
        <Marks marks={marks} beginMs={beginMs} endMs={endMs} />
      </RangeSlider>
      {changed.length === 0 && <p class="empty muted">{t('pastSame')}</p>}
      {changed.map(({ kind, history, marks: inRange }) => (
        <ChangedKind
          key={kindId(kind)}
          {...{ kind, history, histories, fromMs, toMs }}
          last={inRange.at(-1)?.revision ?? 0}
          count={sizeOf(inRange)}
        />
      ))}
      <Refused fromMs={fromMs} toMs={toMs} />
      <p class="muted small pad-sides">{t('pastLeftOut')}</p>
    </>
  );
}

function Refused({ fromMs, toMs }: Range) {
  const place = namespace.value;
  const all = useRefusals(place ? { namespace: place } : {}).value ?? [];
  const shown = all.filter(({ timeMs }) => timeMs > fromMs && timeMs <= toMs).reverse();
  if (shown.length === 0) return null;
  return (
    <details class="changed-kind" open>
      <summary>
        <h2>{t('refusedWrites')}</h2>
        <span class="change-count">{shown.length}</span>
      </summary>
      <ul class="changed-objects">
        {shown.map(({ key, timeMs, user, verb, resource, name, message, by }) => (
          <li key={key} class="changed-object">
            <p>
              <span class="muted">{timeText(timeMs)}</span>
              <strong>{user}</strong>
              <span>{`${verb} ${resource} ${name}`}</span>
              <span class="muted">{refuserText(by)}</span>
            </p>
            <p class="event-message">{message}</p>
          </li>
        ))}
      </ul>
    </details>
  );
}

const sizeOf = (marks: History['marks']): number => marks.reduce((sum, mark) => sum + countOf(mark), 0);

interface RangeProps {
  readonly beginMs: number;
  readonly endMs: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly chosen: Signal<Range | undefined>;
  readonly children: preact.ComponentChildren;
}

function RangeSlider({ beginMs, endMs, fromMs, toMs, chosen, children }: RangeProps) {
  const dragged = useSignal<Range | undefined>(undefined);
  const shown = dragged.value ?? { fromMs, toMs };
  const thumb = (text: string, valueMs: number, rangeAt: (ms: number) => Range) => (
    <input
      type="range"
      aria-label={text}
      aria-valuetext={timeText(valueMs)}
      min={beginMs}
      max={endMs}
      step={100}
      value={valueMs}
      onInput={({ currentTarget }) => (dragged.value = rangeAt(Number(currentTarget.value)))}
      onChange={({ currentTarget }) => {
        chosen.value = rangeAt(Number(currentTarget.value));
        dragged.value = undefined;
      }}
    />
  );
  return (
    <div class="past-bar flat">
      <div class="past-slider double">
        {children}
        {thumb(t('pastFrom'), shown.fromMs, (ms) => ({ ...shown, fromMs: Math.min(ms, shown.toMs) }))}
        {thumb(t('pastTo'), shown.toMs, (ms) => ({ ...shown, toMs: Math.max(ms, shown.fromMs) }))}
      </div>
      <p class="past-line">
        <span class="muted">{t('pastSince', { time: timeText(beginMs), age: humanDuration(endMs - beginMs) })}</span>
        <strong class="past-when present" role="status">
          {t('pastRange', { from: timeText(shown.fromMs), to: timeText(shown.toMs) })}
        </strong>
      </p>
    </div>
  );
}
