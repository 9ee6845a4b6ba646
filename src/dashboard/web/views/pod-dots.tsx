// Pods as dots on a canvas: thousands cost no more than a few. A dot leads to its pod.

import { useEffect, useRef } from 'preact/hooks';
import type { Tone } from '../model/tone.ts';
import { go, links } from '../router.ts';
import { t } from '../text.ts';

export interface Dot {
  readonly namespace: string;
  readonly name: string;
  readonly tone: Tone;
  readonly status: string;
}

const size = 8;
const step = 11;

export function PodDots({ dots, width }: { dots: readonly Dot[]; width: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const columns = Math.max(1, Math.floor(width / step));
  const rows = Math.max(1, Math.ceil(dots.length / columns));
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext('2d');
    if (!element || !context) return;
    const scale = devicePixelRatio;
    element.width = width * scale;
    element.height = rows * step * scale;
    context.scale(scale, scale);
    const style = getComputedStyle(element);
    const colours: Readonly<Record<Tone, string>> = {
      ok: style.getPropertyValue('--ok-dot'),
      busy: style.getPropertyValue('--busy-dot'),
      bad: style.getPropertyValue('--bad-dot'),
      plain: style.getPropertyValue('--line-strong'),
    };
    for (const [index, { tone }] of dots.entries()) {
      context.fillStyle = colours[tone];
      context.beginPath();
      context.roundRect((index % columns) * step, Math.floor(index / columns) * step, size, size, 2.5);
      context.fill();
    }
  });
  const dotAt = ({ offsetX, offsetY }: MouseEvent): Dot | undefined => {
    const column = Math.floor(offsetX / step);
    return column < columns ? dots[Math.floor(offsetY / step) * columns + column] : undefined;
  };
  return (
    <canvas
      ref={canvas}
      class="pod-dots"
      style={{ width: `${width}px`, height: `${rows * step}px` }}
      role="img"
      aria-label={t('podCount', { count: dots.length })}
      onMouseMove={(event) => {
        const dot = dotAt(event);
        event.currentTarget.title = dot ? `${dot.namespace}/${dot.name}: ${dot.status}` : '';
        event.currentTarget.style.cursor = dot ? 'pointer' : '';
      }}
      onClick={(event) => {
        const dot = dotAt(event);
        if (dot) go(links.object('pods', dot.namespace, dot.name));
      }}
    />
  );
}
