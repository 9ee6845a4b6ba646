// Pointers and the wheel as movements of the map: one pointer moves, two zoom, a short one clicks.

import type { Point } from '../model/map-layout.ts';

interface Gestures {
  move(by: Point): void;
  zoom(factor: number, at: Point): void;
  /** Undefined: the pointer is elsewhere. */
  hover(at: Point | undefined): void;
  click(at: Point): void;
}

/** A pointer that moves less far clicks. */
const clickPixels = 5;
const wheelFactor = 0.0018;
/** A line of a wheel that counts lines. */
const linePixels = 30;

/** Returns a function that ends it. */
export function followPointers(element: HTMLElement, gestures: Gestures): () => void {
  const down = new Map<number, Point>();
  let travelled = 0;
  const placeOf = (event: MouseEvent): Point => {
    const { left, top } = element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const start = (event: PointerEvent) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    if (down.size === 0) travelled = 0;
    down.set(event.pointerId, placeOf(event));
  };
  const move = (event: PointerEvent) => {
    const at = placeOf(event);
    const before = down.get(event.pointerId);
    if (!before) {
      gestures.hover(event.pointerType === 'mouse' ? at : undefined);
      return;
    }
    const others = [...down].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    down.set(event.pointerId, at);
    travelled += distance(before, at);
    if (travelled < clickPixels) return;
    gestures.hover(undefined);
    const [other] = others;
    if (!other) gestures.move({ x: at.x - before.x, y: at.y - before.y });
    else gestures.zoom(distance(other, at) / Math.max(1, distance(other, before)), middle(other, at));
  };
  const end = (event: PointerEvent) => {
    const wasDown = down.delete(event.pointerId);
    if (wasDown && event.type === 'pointerup' && down.size === 0 && travelled < clickPixels)
      gestures.click(placeOf(event));
  };
  const leave = () => gestures.hover(undefined);
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? linePixels : 1);
    gestures.zoom(Math.exp(-pixels * wheelFactor), placeOf(event));
  };
  const stop = new AbortController();
  const options = { signal: stop.signal };
  element.addEventListener('pointerdown', start, options);
  element.addEventListener('pointermove', move, options);
  element.addEventListener('pointerup', end, options);
  element.addEventListener('pointercancel', end, options);
  element.addEventListener('pointerleave', leave, options);
  element.addEventListener('wheel', wheel, { ...options, passive: false });
  return () => stop.abort();
}

const distance = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);
const middle = (a: Point, b: Point): Point => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
