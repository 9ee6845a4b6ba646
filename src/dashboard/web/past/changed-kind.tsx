// The objects of one kind that changed between two moments.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { momentAt, type ObjectChange } from '../model/changes.ts';
import type { History } from '../model/history.ts';
import { apiPath, type Kind, kindId } from '../model/kinds.ts';
import { titleOf } from '../model/titles.ts';
import { links } from '../router.ts';
import { namespace } from '../settings.ts';
import { t } from '../text.ts';
import { FieldChanges } from '../ui/field-changes.tsx';
import { timeText } from './past-bar.tsx';
import { changesBetween, isGone, type KindChanges, messageOf } from './read-changes.ts';

interface Props {
  readonly kind: Kind;
  readonly history: History;
  /** Of all kinds: the moments are common. */
  readonly histories: readonly { readonly history: History }[];
  readonly fromMs: number;
  readonly toMs: number;
  /** Revision of the last event. */
  readonly last: number;
  /** Events in between. */
  readonly count: number;
}

/** Kinds with more events wait until they are opened. */
const mostAtOnce = 2_000;

export function ChangedKind({ kind, history, histories, fromMs, toMs, last, count }: Props) {
  const isOpen = useSignal(count <= mostAtOnce);
  const found = useSignal<KindChanges | string | undefined>(undefined);
  const path = apiPath(kind, namespace.value);
  // The oldest state of this kind may be younger than the moment.
  const from = Math.max(
    momentAt(
      histories.map((one) => one.history),
      fromMs,
    ).revision,
    history.since.revision,
  );
  useEffect(() => {
    if (!isOpen.value) return;
    const ended = new AbortController();
    changesBetween({ path, from, last, signal: ended.signal }).then(
      (changes) => (found.value = changes),
      (error) => {
        if (!ended.signal.aborted) found.value = isGone(error) ? t('pastGone') : messageOf(error);
      },
    );
    return () => ended.abort();
  }, [path, from, last, toMs, isOpen.value, found]);
  const changes = typeof found.value === 'object' ? found.value : undefined;
  if (changes && changes.changes.length + changes.more === 0) return null;
  return (
    <details
      class="changed-kind"
      open={isOpen.value}
      onToggle={({ currentTarget }) => (isOpen.value = currentTarget.open)}
    >
      <summary>
        <h2>{titleOf(kind)}</h2>
        {changes && <Counts changes={changes} />}
        {history.since.timeMs > fromMs && (
          <span class="muted small">{t('pastSinceOnly', { time: timeText(history.since.timeMs) })}</span>
        )}
      </summary>
      {typeof found.value === 'string' && <p class="notice bad flat">{found.value}</p>}
      <ul class="changed-objects">
        {changes?.changes.map((change) => (
          <ChangedObject key={change.key} kind={kind} change={change} />
        ))}
      </ul>
      {changes && changes.more > 0 && <p class="muted">{t('andMore', { count: changes.more })}</p>}
    </details>
  );
}

function Counts({ changes: { changes } }: { changes: KindChanges }) {
  const kinds = ['added', 'changed', 'deleted'] as const;
  return (
    <>
      {kinds.map((one) => {
        const count = changes.filter(({ kind }) => kind === one).length;
        return (
          count > 0 && (
            <span key={one} class={`change-count ${one}`}>
              {t(`count.${one}`, { count })}
            </span>
          )
        );
      })}
    </>
  );
}

const signs = { added: '+', changed: '~', deleted: '−' } as const;

const ChangedObject = ({ kind, change }: { kind: Kind; change: ObjectChange }) => (
  <li class={`changed-object ${change.kind}`}>
    <p>
      <span class="change-sign" title={t(`change.${change.kind}`)}>
        {signs[change.kind]}
      </span>
      <a
        href={links.object(kindId(kind), change.namespace, change.name, change.kind === 'deleted' ? 'why' : 'overview')}
      >
        {change.name}
      </a>
      <span class="muted">{change.namespace}</span>
      <span class="muted small">{change.managers.join(', ')}</span>
    </p>
    {change.kind === 'changed' && <FieldChanges changes={change.changes} />}
  </li>
);
