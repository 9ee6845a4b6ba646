// Why an object is as it is: one timeline of events and changes, and the scheduler's decision.

import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { getInsight, type KubeObject } from '../api/api.ts';
import { type Kind, kindId } from '../model/kinds.ts';
import { type Decision, decisionIn } from '../model/timeline.ts';
import { Timeline } from '../past/timeline.tsx';
import { links } from '../router.ts';
import { isCoracle } from '../session.ts';
import { t } from '../text.ts';
import { Part } from './parts/part.tsx';
import type { Version } from './versions.ts';

interface Props {
  readonly kind: Kind;
  readonly object: KubeObject;
  readonly versions: readonly Version[];
}

export function WhyTab({ kind, object, versions }: Props) {
  const isPod = kindId(kind) === 'pods';
  const found = useDecision(isPod ? object : undefined);
  const { namespace = '', name } = object.metadata;
  return (
    <div class={isPod ? 'why' : 'why single'}>
      <Timeline
        {...{ kind, namespace, name, object, versions }}
        decision={typeof found.value === 'object' ? found.value : undefined}
      />
      {isPod && <Placement decision={found.value} />}
    </div>
  );
}

type FoundDecision = Decision | undefined | 'none';

function useDecision(pod: KubeObject | undefined): Signal<FoundDecision> {
  const found = useSignal<FoundDecision>(undefined);
  const { namespace = '', name = '' } = pod?.metadata ?? {};
  // A pod that gets a node has another decision.
  useEffect(() => {
    if (!name) return;
    getInsight('decision', { namespace, name }).then(
      (answer) => (found.value = decisionIn(answer) ?? 'none'),
      () => (found.value ??= 'none'),
    );
  }, [namespace, name, pod?.spec, found]);
  return found;
}

function Placement({ decision }: { decision: FoundDecision }) {
  if (decision === undefined) return null;
  if (decision === 'none')
    return (
      <Part title={t('scheduling')}>
        <p class="muted">{t(isCoracle() ? 'noDecision' : 'onlyCoracle')}</p>
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
