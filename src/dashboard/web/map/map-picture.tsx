// The drawn map: moved and zoomed by pointer, wheel, fingers and keys. A pod or a node opens with a click.

import { effect, type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { OpenFeed } from '../feeds/client.ts';
import type { MapPod, Point } from '../model/map-layout.ts';
import type { Target } from '../model/map-model.ts';
import type { Row } from '../model/rows.ts';
import { go, links } from '../router.ts';
import { theme } from '../settings.ts';
import { t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';
import type { Palette } from './draw.ts';
import { followPointers } from './gestures.ts';
import { podsOf, readerOf } from './map-rows.ts';
import { Painter } from './painter.ts';

interface Props {
  readonly pods: OpenFeed;
  readonly nodes: OpenFeed;
  readonly isSought: ((pod: MapPod) => boolean) | undefined;
}

interface Hovered {
  readonly at: Point;
  readonly target: Target;
}

const step = 60;
const keyFactor = 1.25;

export function MapPicture({ pods, nodes, isSought }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const painter = useSignal<Painter | undefined>(undefined);
  const hovered = useSignal<Hovered | undefined>(undefined);
  usePainter(box, painter);
  useGestures(box, painter, hovered);
  useEffect(() => {
    const shown = painter.value;
    if (!shown) return;
    /** Since the last update; undefined: all rows are new. */
    let changes: Map<string, Row | undefined> | undefined;
    const stop = pods.onRows((rows) => {
      if (!rows) changes = undefined;
      for (const { before, after } of rows ?? []) {
        const key = (after ?? before)?.key;
        if (key !== undefined) changes?.set(key, after);
      }
    });
    let nodesSeen = -1;
    const dispose = effect(() => {
      void pods.version.value;
      const nodesVersion = nodes.version.value;
      // The first page of a list would be arranged again and again.
      if (pods.phase.value.name === 'loading' && pods.rows.size > 0 && shown.size > 0) return;
      const read = readerOf(pods);
      const changed = nodesVersion === nodesSeen ? changes : undefined;
      const isDone = changed && shown.change([...changed].map(([key, row]) => ({ key, pod: row && read(row) })));
      changes = new Map();
      nodesSeen = nodesVersion;
      if (!isDone)
        shown.update(() => ({ pods: podsOf(pods), nodes: [...nodes.rows.values()].map(({ name }) => name) }));
    });
    return () => {
      stop();
      dispose();
    };
  }, [pods, nodes, painter.value]);
  useEffect(() => painter.value?.highlight(isSought), [isSought, painter.value]);
  return (
    <div
      ref={box}
      class="map-box"
      role="group"
      aria-label={t('mapKeys')}
      tabIndex={0}
      onKeyDown={(event) => {
        const act = keys[event.key];
        if (!act || !painter.value || event.ctrlKey || event.metaKey) return;
        act(painter.value);
        event.preventDefault();
      }}
    >
      <canvas role="img" aria-label={t('mapPicture')} />
      {hovered.value && <Tip {...hovered.value} />}
      <div class="map-tools">
        <ToolButton text={t('zoomIn')} sign="+" onClick={() => painter.value?.zoom(1.5)} />
        <ToolButton text={t('zoomOut')} sign="−" onClick={() => painter.value?.zoom(1 / 1.5)} />
        <button type="button" aria-label={t('zoomFit')} title={t('zoomFit')} onClick={() => painter.value?.fit()}>
          <Icon name="scale" />
        </button>
      </div>
    </div>
  );
}

const keys: Readonly<Record<string, (painter: Painter) => void>> = {
  ArrowLeft: (painter) => painter.move({ x: step, y: 0 }),
  ArrowRight: (painter) => painter.move({ x: -step, y: 0 }),
  ArrowUp: (painter) => painter.move({ x: 0, y: step }),
  ArrowDown: (painter) => painter.move({ x: 0, y: -step }),
  '+': (painter) => painter.zoom(keyFactor),
  '-': (painter) => painter.zoom(1 / keyFactor),
  '0': (painter) => painter.fit(),
};

const ToolButton = ({ text, sign, onClick }: { text: string; sign: string; onClick(): void }) => (
  <button type="button" aria-label={text} title={text} onClick={onClick}>
    {sign}
  </button>
);

function Tip({ at, target }: Hovered) {
  return (
    <div class="map-tip" style={{ left: `${at.x}px`, top: `${at.y}px` }}>
      {target.type === 'pod' ? (
        <>
          <strong>{target.pod.name}</strong>
          <span class="muted">{target.pod.namespace}</span>
          <span class={`pill ${target.pod.tone}`}>
            <span class="pill-dot" aria-hidden="true" />
            {target.pod.status}
          </span>
        </>
      ) : (
        <strong>{target.name}</strong>
      )}
    </div>
  );
}

type Box = { readonly current: HTMLElement | null };

function usePainter(box: Box, painter: Signal<Painter | undefined>): void {
  useEffect(() => {
    const canvas = box.current?.querySelector('canvas');
    if (!canvas) return;
    const made = new Painter(canvas);
    const observer = new ResizeObserver(([entry]) => {
      made.resize(entry.contentRect.width, entry.contentRect.height);
    });
    observer.observe(canvas);
    const paint = () => made.paint(paletteOf(canvas));
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', paint);
    const dispose = effect(() => {
      void theme.value;
      // The effect that sets the theme comes first.
      queueMicrotask(paint);
    });
    painter.value = made;
    return () => {
      dispose();
      dark.removeEventListener('change', paint);
      observer.disconnect();
      made.dispose();
    };
  }, []);
}

function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  return {
    ...{ ok: colour('--ok-dot'), busy: colour('--busy-dot'), bad: colour('--bad-dot') },
    ...{ back: colour('--sunken'), plain: colour('--line-strong'), card: colour('--surface'), line: colour('--line') },
    ...{ text: colour('--text'), muted: colour('--muted') },
  };
}

function useGestures(box: Box, painter: Signal<Painter | undefined>, hovered: Signal<Hovered | undefined>): void {
  useEffect(() => {
    const element = box.current?.querySelector('canvas');
    if (!element) return;
    return followPointers(element, {
      move: (by) => painter.value?.move(by),
      zoom: (factor, at) => painter.value?.zoom(factor, at),
      hover(at) {
        const target = painter.value?.hover(at);
        hovered.value = target && at ? { target, at } : undefined;
        element.style.cursor = target ? 'pointer' : '';
      },
      click(at) {
        const target = painter.value?.hover(at);
        if (target?.type === 'pod') go(links.object('pods', target.pod.namespace, target.pod.name));
        else if (target) go(links.object('nodes', '', target.name));
      },
    });
  }, []);
}
