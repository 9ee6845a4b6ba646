// The map as a list: nodes with the states of their pods, for keys and screen readers.

import { useSignal } from '@preact/signals';
import type { OpenFeed } from '../feeds/client.ts';
import type { MapPod } from '../model/map-layout.ts';
import type { Tone } from '../model/tone.ts';
import { links } from '../router.ts';
import { t } from '../text.ts';
import { Pill } from '../ui/cells.tsx';
import { podsOf } from './map-rows.ts';

interface Props {
  readonly pods: OpenFeed;
  readonly nodes: OpenFeed;
  readonly isSought: ((pod: MapPod) => boolean) | undefined;
}

/** Nodes and pods that are shown; more are counted. */
const mostNodes = 200;
const mostPods = 100;

export function MapList({ pods, nodes, isSought }: Props) {
  void [pods.version.value, nodes.version.value];
  const byNode = new Map<string, MapPod[]>([...nodes.rows.values()].map(({ name }) => [name, []]));
  for (const pod of podsOf(pods)) {
    if (isSought && !isSought(pod)) continue;
    const list = byNode.get(pod.node);
    if (list) list.push(pod);
    else byNode.set(pod.node, [pod]);
  }
  const all = [...byNode].filter(([, list]) => !isSought || list.length > 0).sort(([a], [b]) => (a < b ? -1 : 1));
  return (
    <div class="map-list">
      {all.slice(0, mostNodes).map(([name, list]) => (
        <NodeItem key={name} name={name} pods={list} />
      ))}
      {all.length > mostNodes && <p class="muted">{t('andMore', { count: all.length - mostNodes })}</p>}
    </div>
  );
}

const shownTones: readonly Tone[] = ['bad', 'busy', 'ok', 'plain'];

function NodeItem({ name, pods }: { name: string; pods: readonly MapPod[] }) {
  const isOpen = useSignal(false);
  const count = (tone: Tone) => pods.filter((pod) => pod.tone === tone).length;
  return (
    <details class="map-node" onToggle={({ currentTarget }) => (isOpen.value = currentTarget.open)}>
      <summary>
        <strong>{name || t('unscheduled')}</strong>
        <span class="muted">{t('podCount', { count: pods.length })}</span>
        {shownTones
          .filter((tone) => count(tone) > 0)
          .map((tone) => (
            <Pill key={tone} tone={tone} text={`${t(`map.${tone}`)} ${count(tone)}`} />
          ))}
      </summary>
      {isOpen.value && (
        <ul>
          {name && (
            <li>
              <a href={links.object('nodes', '', name)}>{t('node')}</a>
            </li>
          )}
          {pods.slice(0, mostPods).map((pod) => (
            <li key={pod.key}>
              <a href={links.object('pods', pod.namespace, pod.name)}>{pod.name}</a>
              <span class="muted">{pod.namespace}</span>
              <Pill tone={pod.tone} text={pod.status} />
            </li>
          ))}
          {pods.length > mostPods && (
            <li>
              <a href={links.list('pods', { filter: `spec.nodeName=${name}` })}>
                {t('andMore', { count: pods.length - mostPods })}
              </a>
            </li>
          )}
        </ul>
      )}
    </details>
  );
}
