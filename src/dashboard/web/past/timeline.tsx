// One timeline of an object: events, changes field by field, the scheduler's decision, and marks of the log. Each change
// leads to its moment.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { humanDuration } from '../../../machinery/time/duration.ts';
import type { KubeObject } from '../api/api.ts';
import { kindOfObject } from '../api/catalog.ts';
import type { FieldChange } from '../model/diff.ts';
import { placeOf } from '../model/history.ts';
import { apiPath, type Kind, kindId } from '../model/kinds.ts';
import { changesOf, type Decision, type Moment, newestFirst, type Owner, writesOf } from '../model/timeline.ts';
import { useEvents } from '../pages/events-tab.tsx';
import { Part } from '../pages/parts/part.tsx';
import type { Version } from '../pages/versions.ts';
import { links } from '../router.ts';
import { now } from '../system.ts';
import { t } from '../text.ts';
import { FieldChanges } from '../ui/field-changes.tsx';
import { useNow } from '../ui/now.ts';
import { isPastOpen, moment } from './moment.ts';
import { type ObjectPast, useObjectPast } from './object-past.ts';
import { timeText } from './past-bar.tsx';
import { show } from './past-feed.ts';
import { listAt } from './read-changes.ts';
import { useLogMarks } from './use-log-marks.ts';
import { refuserText, useDeletions, useRefusals } from './use-writes.tsx';

interface Props {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  /** Undefined: it does not exist. */
  readonly object: KubeObject | undefined;
  /** Those that the page has seen: all that there is for users who may not watch. */
  readonly versions: readonly Version[];
  readonly decision?: Decision | undefined;
}

export function Timeline({ kind, namespace, name, object, versions, decision }: Props) {
  const past = useObjectPast(kind, namespace, name).value;
  const events = useEvents({ kind: kind.kind, metadata: { name, namespace } });
  const place = placeOf(kindId(kind), namespace, name);
  const refusals = useRefusals({ ...place, namespace, name }).value ?? [];
  const deletions = useDeletions({ ...place, namespace, name }).value ?? [];
  const logs = useLogMarks(kindId(kind) === 'pods' ? object : undefined).value;
  const changes = useMemo(() => changeMoments(past, versions), [past, versions]);
  const first = past?.versions[0]?.object ?? versions[0]?.object ?? object;
  const sinceMs = past?.sinceMs ?? versions[0]?.seenMs ?? Number.POSITIVE_INFINITY;
  const moments: Moment[] = [
    ...events.map(
      ({ key, type, reason, message, source, count, lastMs }): Moment => ({
        ...{ kind: 'event', key, timeMs: lastMs, isWarning: type === 'Warning', reason, message, source, count },
      }),
    ),
    ...changes,
    ...refusals.map((refusal): Moment => {
      return { kind: 'refusal', key: `refusal ${refusal.key}`, timeMs: refusal.timeMs, refusal };
    }),
    ...deletions.map((deletion): Moment => {
      return { kind: 'deletion', key: `deletion ${deletion.key}`, timeMs: deletion.timeMs, deletion };
    }),
    ...logs.map((mark): Moment => {
      return { kind: 'log', key: `log ${mark.container} ${mark.isError} ${mark.timeMs}`, timeMs: mark.timeMs, mark };
    }),
    ...(decision ? [decisionMoment(decision)] : []),
    ...(first ? writesOf(first.metadata.managedFields, sinceMs) : []),
  ];
  moments.sort(newestFirst);
  const nowMs = useNow(5_000);
  return (
    <Part title={t('timeline')}>
      <ol class="timeline">
        {moments.map((one) => (
          <MomentItem key={one.key} moment={one} {...{ nowMs, kind, namespace, name }} />
        ))}
      </ol>
      <p class="muted small">
        {past
          ? t('timelinePast', { time: timeText(past.sinceMs), age: humanDuration(now() - past.sinceMs) })
          : t('timelineSince')}
      </p>
    </Part>
  );
}

const changeMoments = (past: ObjectPast | undefined, versions: readonly Version[]): Moment[] =>
  changesOf(past ? past.versions : versions);

const decisionMoment = (decision: Decision): Moment => ({
  ...{ kind: 'decision', key: `decision ${decision.time}`, timeMs: Date.parse(decision.time) || 0, decision },
});

interface ItemProps {
  readonly moment: Moment;
  readonly nowMs: number;
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

function MomentItem(props: ItemProps) {
  const { moment: one, nowMs } = props;
  const isLater = one.timeMs > nowMs + 100;
  return (
    <li class={`moment ${classOf(one)}${isLater ? ' later' : ''}`}>
      <div class="moment-head">
        <Head {...props} />
        <span class="muted" title={new Date(one.timeMs).toISOString()}>
          {isLater ? timeText(one.timeMs) : humanDuration(nowMs - one.timeMs)}
        </span>
        {one.kind === 'change' && <ShowMoment revision={one.revision} timeMs={one.timeMs} />}
      </div>
      <Body {...props} />
    </li>
  );
}

function classOf(one: Moment): string {
  if (one.kind === 'event') return one.isWarning ? 'report bad' : 'report';
  if (one.kind === 'refusal') return 'report bad';
  if (one.kind === 'log') return one.mark.isError ? 'log bad' : 'log';
  return one.kind;
}

/** All views then show this moment. */
const ShowMoment = ({ revision, timeMs }: { revision: number; timeMs: number }) => (
  <button
    type="button"
    class="link small"
    aria-pressed={moment.value?.revision === revision}
    onClick={() => {
      isPastOpen.value = true;
      show({ revision, timeMs });
    }}
  >
    {t('showMoment')}
  </button>
);

function Head({ moment: one }: ItemProps) {
  switch (one.kind) {
    case 'event':
      return (
        <>
          <strong>{one.reason}</strong>
          {one.count > 1 && <span class="muted">×{one.count}</span>}
          <span class="muted">{one.source}</span>
        </>
      );
    case 'change':
      return (
        <>
          <strong>{t(one.isDeletion ? 'deleted' : one.isCreation ? 'created' : 'changed')}</strong>
          {one.managers.length > 0 && <span class="muted">{one.managers.join(', ')}</span>}
        </>
      );
    case 'decision':
      return (
        <>
          <strong>{t('scheduling')}</strong>
          <span class="muted">{t('evaluated', { count: one.decision.evaluated, total: one.decision.total })}</span>
        </>
      );
    case 'log':
      return <strong>{t(one.mark.isError ? 'logErrors' : 'logWarnings', { count: one.mark.count })}</strong>;
    case 'deletion':
      return (
        <>
          <strong>{t(one.deletion.isEviction ? 'evictionBy' : 'deletionBy')}</strong>
          <span class="muted">{one.deletion.user}</span>
        </>
      );
    case 'refusal':
      return (
        <>
          <strong>{t('refused')}</strong>
          <span class="muted">{`${one.refusal.user} · ${one.refusal.verb}`}</span>
        </>
      );
    case 'write':
      return (
        <>
          <strong>{one.manager}</strong>
          <span class="muted">{t('lastWrite', { operation: `${one.operation} ${one.subresource}`.trim() })}</span>
        </>
      );
  }
}

function Body({ moment: one, kind, namespace, name }: ItemProps) {
  switch (one.kind) {
    case 'event':
      return <p class="event-message">{one.message}</p>;
    case 'change':
      return (
        <>
          {one.reasons.map(({ key, values, isBad }) => (
            <p key={`${key} ${JSON.stringify(values)}`} class={isBad ? 'reason bad' : 'reason'}>
              {t(key, values)}
            </p>
          ))}
          {one.owner && <OwnerThen owner={one.owner} namespace={namespace} revision={one.revision} />}
          {!one.isDeletion && !one.isCreation && <Fields changes={one.changes} />}
        </>
      );
    case 'decision':
      return (
        <p class="reason">{one.decision.node ? `${t('chosenNode')} ${one.decision.node}` : one.decision.message}</p>
      );
    case 'log':
      return (
        <p class="mono log-mark">
          <a href={links.object(kindId(kind), namespace, name, 'logs')}>{one.mark.text}</a>
        </p>
      );
    case 'deletion':
      return one.deletion.isGone ? null : <p class="muted">{t('deletionBegins')}</p>;
    case 'refusal':
      return (
        <>
          <p class="reason bad">{refuserText(one.refusal.by)}</p>
          <p class="event-message">{one.refusal.message}</p>
        </>
      );
    case 'write':
      return <p class="muted mono">{one.fields.join(', ')}</p>;
  }
}

/** So many fields are shown at once. */
const mostFields = 4;

function Fields({ changes }: { changes: readonly FieldChange[] }) {
  const told = changes.filter(({ path }) => !isTime.test(path));
  if (told.length <= mostFields) return <FieldChanges changes={told.length > 0 ? told : changes} />;
  return (
    <details class="fields">
      <summary>
        {t('fieldCount', { count: told.length })} <span class="muted mono">{pathsIn(told)}</span>
      </summary>
      <FieldChanges changes={told} />
    </details>
  );
}

/** These change along with others. */
const isTime = /\.(last\w+Time|observedGeneration)$/;

const pathsIn = (changes: readonly FieldChange[]): string =>
  [...new Set(changes.map(({ path }) => path.split(/[.[]/, 2).join('.')))].join(', ');

/** The garbage collector deletes objects whose owner is gone: https://kubernetes.io/docs/concepts/architecture/garbage-collection/ */
function OwnerThen({ owner, namespace, revision }: { owner: Owner; namespace: string; revision: number }) {
  const isThere = useSignal<boolean | undefined>(undefined);
  const kind = kindOfObject(owner.apiVersion, owner.kind);
  useEffect(() => {
    if (!kind) return;
    const ended = new AbortController();
    const path = apiPath(kind, namespace);
    listAt(path, revision, `metadata.name=${owner.name}`, ended.signal).then(
      (found) => (isThere.value = found.has(owner.uid)),
      () => undefined,
    );
    return () => ended.abort();
  }, [kind, namespace, revision, owner.name, owner.uid, isThere]);
  if (isThere.value === undefined) return null;
  const values = { kind: owner.kind, name: owner.name };
  return <p class="reason">{t(isThere.value ? 'why.ownerThere' : 'why.ownerGone', values)}</p>;
}
