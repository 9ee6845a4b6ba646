// Why an object is as it is: the scheduler's decision, and one timeline of events and changes.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { getInsight, type KubeObject } from '../api/api.ts';
import { age } from '../model/age.ts';
import { type Kind, kindId } from '../model/kinds.ts';
import { changesOf, type Decision, decisionIn, type Moment, writesOf } from '../model/timeline.ts';
import { links } from '../router.ts';
import { t } from '../text.ts';
import { FieldChanges } from '../ui/field-changes.tsx';
import { useNow } from '../ui/now.ts';
import { useEvents } from './events-tab.tsx';
import { Part } from './parts/part.tsx';
import type { Version } from './versions.ts';

interface Props {
  readonly kind: Kind;
  readonly object: KubeObject;
  readonly versions: readonly Version[];
}

export function WhyTab({ kind, object, versions }: Props) {
  return (
    <div class="why">
      <Timeline object={object} versions={versions} />
      {kindId(kind) === 'pods' && <Placement object={object} />}
    </div>
  );
}

function Timeline({ object, versions }: Omit<Props, 'kind'>) {
  const events = useEvents(object);
  const nowMs = useNow(5_000);
  const openedMs = versions[0]?.seenMs ?? Number.POSITIVE_INFINITY;
  const moments: Moment[] = [
    ...events.map(
      ({ key, type, reason, message, source, count, lastMs }): Moment => ({
        ...{ kind: 'event', key, timeMs: lastMs, isWarning: type === 'Warning', reason, message, source, count },
      }),
    ),
    ...changesOf(versions),
    ...writesOf(versions[0]?.object.metadata.managedFields ?? object.metadata.managedFields, openedMs),
  ];
  moments.sort((a, b) => b.timeMs - a.timeMs);
  return (
    <Part title={t('timeline')}>
      <ol class="timeline">
        {moments.map((moment) => (
          <MomentItem key={moment.key} moment={moment} nowMs={nowMs} />
        ))}
      </ol>
      <p class="muted small">{t('timelineSince')}</p>
    </Part>
  );
}

function MomentItem({ moment, nowMs }: { moment: Moment; nowMs: number }) {
  const when = (
    <span class="muted" title={new Date(moment.timeMs).toISOString()}>
      {age(nowMs - moment.timeMs)}
    </span>
  );
  switch (moment.kind) {
    case 'event':
      return (
        <li class={moment.isWarning ? 'moment report bad' : 'moment report'}>
          <p class="moment-head">
            <strong>{moment.reason}</strong>
            {moment.count > 1 && <span class="muted">×{moment.count}</span>}
            <span class="muted">{moment.source}</span>
            {when}
          </p>
          <p class="event-message">{moment.message}</p>
        </li>
      );
    case 'change':
      return (
        <li class="moment change">
          <p class="moment-head">
            <strong>{moment.isDeletion ? t('deleted') : moment.managers.join(', ') || t('changed')}</strong>
            {when}
          </p>
          {!moment.isDeletion && <FieldChanges changes={moment.changes} />}
        </li>
      );
    case 'write':
      return (
        <li class="moment">
          <p class="moment-head">
            <strong>{moment.manager}</strong>
            <span class="muted">
              {t('lastWrite', { operation: `${moment.operation} ${moment.subresource}`.trim() })}
            </span>
            {when}
          </p>
          <p class="muted mono">{moment.fields.join(', ')}</p>
        </li>
      );
  }
}

function Placement({ object: { metadata, spec } }: { object: KubeObject }) {
  const found = useSignal<Decision | undefined | 'none'>(undefined);
  const { namespace = '', name } = metadata;
  // A pod that gets a node has another decision.
  useEffect(() => {
    getInsight('decision', { namespace, name }).then(
      (answer) => (found.value = decisionIn(answer) ?? 'none'),
      () => (found.value = 'none'),
    );
  }, [namespace, name, spec, found]);
  const decision = found.value;
  if (decision === undefined) return null;
  if (decision === 'none')
    return (
      <Part title={t('scheduling')}>
        <p class="muted">{t('noDecision')}</p>
      </Part>
    );
  return (
    <Part title={t('scheduling')}>
      <p class="verdict">
        {decision.node ? (
          <>
            {t('chosenNode')} <a href={links.object('nodes', '', decision.node)}>{decision.node}</a>
          </>
        ) : (
          decision.message
        )}
      </p>
      <p class="muted">{t('evaluated', { count: decision.evaluated, total: decision.total })}</p>
      <Ranking decision={decision} />
      <FilteredOut decision={decision} />
    </Part>
  );
}

function Ranking({ decision: { ranked } }: { decision: Decision }) {
  if (ranked.length === 0) return null;
  const plugins = Object.keys(ranked[0].scores);
  const best = Math.max(1, ...ranked.map(({ total }) => total));
  return (
    <>
      <h3>{t('ranking')}</h3>
      <table class="plain-table">
        <tbody>
          {ranked.map(({ node, total, scores }) => (
            <tr key={node}>
              <th scope="row">{node}</th>
              <td>
                <div class="score-bar">
                  <span style={{ width: `${(total / best) * 100}%` }} />
                </div>
                <p class="muted small">
                  {plugins
                    .filter((plugin) => scores[plugin] !== 0)
                    .map((plugin) => `${plugin} ${scores[plugin]}`)
                    .join(' · ')}
                </p>
              </td>
              <td class="number">{total}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function FilteredOut({ decision: { filtered } }: { decision: Decision }) {
  if (filtered.length === 0) return null;
  return (
    <>
      <h3>{t('filteredOut')}</h3>
      <table class="plain-table">
        <tbody>
          {filtered.map(({ node, plugin, reasons }) => (
            <tr key={node}>
              <th scope="row">{node}</th>
              <td>
                {plugin}
                <p class="muted">{reasons.join(', ')}</p>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
