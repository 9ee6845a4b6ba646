// The lines between the parts. They move while there is traffic: the more, the faster and the thicker.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Activity } from '../model/metrics.ts';

interface Props {
  readonly picture: { readonly current: HTMLElement | null };
  readonly activity: Activity | undefined;
  /** The nodes' boxes have another place when it changes. */
  readonly nodes: number;
}

interface Line {
  readonly id: string;
  readonly path: string;
  readonly perSecond: number;
}

export function Flows({ picture, activity, nodes }: Props) {
  const boxes = useSignal<ReadonlyMap<string, DOMRect>>(new Map());
  const size = useSignal({ width: 0, height: 0 });
  // New nodes change the layout.
  useEffect(() => {
    const element = picture.current;
    if (!element) return;
    const measure = () => {
      const frame = element.getBoundingClientRect();
      size.value = { width: frame.width, height: frame.height };
      boxes.value = new Map(
        [...element.querySelectorAll<HTMLElement>('[data-part]')].map((box) => {
          const { x, y, width, height } = box.getBoundingClientRect();
          return [box.dataset['part'] ?? '', new DOMRect(x - frame.x, y - frame.y, width, height)];
        }),
      );
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    for (const box of element.querySelectorAll('[data-part]')) observer.observe(box);
    return () => observer.disconnect();
  }, [picture, nodes, boxes, size]);
  const lines = linesOf(boxes.value, activity);
  return (
    <svg class="flows" width={size.value.width} height={size.value.height} aria-hidden="true">
      {lines.map(({ id, path, perSecond }) => (
        <g key={id}>
          <path d={path} class="flow-base" />
          {perSecond > 0.05 && <path d={path} class={`flow speed-${speedOf(perSecond)}`} />}
        </g>
      ))}
    </svg>
  );
}

/** 1 to 5: each step is four times the traffic. */
const speedOf = (perSecond: number): number =>
  Math.max(1, Math.min(5, Math.round(Math.log(perSecond * 4) / Math.log(4))));

function linesOf(boxes: ReadonlyMap<string, DOMRect>, activity: Activity | undefined): Line[] {
  const api = boxes.get('apiserver');
  if (!api) return [];
  const work = activity?.queues.reduce((sum, { addsPerSecond }) => sum + addsPerSecond, 0) ?? 0;
  const fromNodes = (activity?.busiest ?? [])
    .filter(({ resource, verb }) => verb !== 'GET' && /^(leases|nodes\/status|pods\/status|events)$/.test(resource))
    .reduce((sum, { perSecond }) => sum + perSecond, 0);
  const rates: readonly (readonly [string, number])[] = [
    ['clients', activity?.requestsPerSecond ?? 0],
    ['store', activity?.storePerSecond ?? 0],
    ['scheduler', activity?.schedulingPerSecond ?? 0],
    ['controllers', work],
    ['nodes', fromNodes],
  ];
  return rates.flatMap(([id, perSecond]) => {
    const box = boxes.get(id);
    return box ? [{ id, perSecond, path: between(box, api) }] : [];
  });
}

/** From the middle of a side to the side of the other box that faces it. */
function between(a: DOMRect, b: DOMRect): string {
  const [ax, bx] = [a.x + a.width / 2, b.x + b.width / 2];
  if (a.left >= b.right) {
    const y = Math.max(a.top, b.top) + Math.min(a.height, b.height) / 2;
    return `M${a.left} ${y}H${b.right}`;
  }
  const isAbove = a.bottom <= b.top;
  const [y1, y2] = isAbove ? [a.bottom, b.top] : [a.top, b.bottom];
  const x2 = Math.max(b.left + 24, Math.min(b.right - 24, ax));
  const middle = (y1 + y2) / 2;
  return Math.abs(ax - x2) < 2
    ? `M${ax} ${y1}V${y2}`
    : `M${ax} ${y1}C${ax} ${middle} ${x2 ?? bx} ${middle} ${x2} ${y2}`;
}
