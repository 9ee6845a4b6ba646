// All nodes with all their pods in one picture, or as a list.

import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { OpenFeed } from '../feeds/client.ts';
import type { MapPod } from '../model/map-layout.ts';
import type { Tone } from '../model/tone.ts';
import { namespace } from '../settings.ts';
import { t } from '../text.ts';
import { useFeed } from '../ui/feed-hooks.ts';
import { Icon } from '../ui/icons.tsx';
import { StaleNotice } from '../ui/stale-notice.tsx';
import { MapList } from './map-list.tsx';
import { MapPicture } from './map-picture.tsx';
import { podsOf } from './map-rows.ts';

const tones: readonly Tone[] = ['ok', 'busy', 'bad', 'plain'];

export function MapPage() {
  const place = namespace.value;
  const nodes = useFeed({ path: '/api/v1/nodes', as: 'table' });
  const pods = useFeed({
    path: place ? `/api/v1/namespaces/${encodeURIComponent(place)}/pods` : '/api/v1/pods',
    as: 'table',
  });
  const isList = useSignal(false);
  const text = useSignal('');
  const tone = useSignal<Tone | undefined>(undefined);
  const isSought = useMemo(() => soughtBy(text.value.trim().toLowerCase(), tone.value), [text.value, tone.value]);
  const phase = pods?.phase.value;
  if (!pods || !nodes) return null;
  return (
    <section class="map-page" aria-label={t('map')}>
      <header class="page-head">
        <h1 class="page-title">{t('map')}</h1>
        <Legend pods={pods} nodes={nodes} chosen={tone.value} onChoose={(next) => (tone.value = next)} />
        <span class="grow" />
        <input
          type="search"
          class="filter"
          data-filter
          aria-label={t('mapSearch')}
          placeholder={t('mapSearch')}
          value={text.value}
          onInput={({ currentTarget }) => (text.value = currentTarget.value)}
        />
        <button type="button" class="quiet" aria-pressed={isList.value} onClick={() => (isList.value = !isList.value)}>
          <Icon name="logs" />
          {t('mapAsList')}
        </button>
      </header>
      {phase?.name === 'failed' && (
        <div class="empty" role="alert">
          <p class="empty-title">{t(phase.code === 403 ? 'forbidden' : phase.code === 410 ? 'pastGone' : 'failed')}</p>
          <p class="muted">{phase.message}</p>
        </div>
      )}
      <StaleNotice phase={phase} />
      {phase?.name !== 'failed' &&
        (isList.value ? <MapList {...{ pods, nodes, isSought }} /> : <MapPicture {...{ pods, nodes, isSought }} />)}
    </section>
  );
}

/** Undefined: all. */
function soughtBy(text: string, tone: Tone | undefined): ((pod: MapPod) => boolean) | undefined {
  if (!text && !tone) return undefined;
  return (pod) =>
    (!tone || pod.tone === tone) &&
    (!text || `${pod.namespace}/${pod.name} ${pod.status}`.toLowerCase().includes(text));
}

interface LegendProps {
  readonly pods: OpenFeed;
  readonly nodes: OpenFeed;
  readonly chosen: Tone | undefined;
  onChoose(tone: Tone | undefined): void;
}

function Legend({ pods, nodes, chosen, onChoose }: LegendProps) {
  void [pods.version.value, nodes.version.value];
  const counts = { ok: 0, busy: 0, bad: 0, plain: 0 };
  for (const { tone } of podsOf(pods)) counts[tone]++;
  return (
    <div class="map-legend" role="group" aria-label={t('mapStates')}>
      <span class="muted" role="status">
        {t('nodesLead', { nodes: nodes.rows.size, pods: pods.rows.size })}
      </span>
      {tones
        .filter((tone) => counts[tone] > 0 || tone === chosen)
        .map((tone) => (
          <button
            key={tone}
            type="button"
            class="quiet"
            aria-pressed={tone === chosen}
            onClick={() => onChoose(tone === chosen ? undefined : tone)}
          >
            <span class={`map-swatch ${tone}`} aria-hidden="true" />
            {t(`map.${tone}`)} {counts[tone]}
          </button>
        ))}
    </div>
  );
}
