// The part of the map that is in the picture.

import type { Point } from './map-layout.ts';

/** Places in the picture are those in the map times the scale, plus x and y. */
export interface MapView {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const margin = 16;
const largestScale = 9;
/** A few nodes do not fill the picture. */
const largestFit = 2.5;

/** All of the map, centred. */
export function fitted(map: Size, picture: Size): MapView {
  if (map.width === 0 || map.height === 0) return { scale: 1, x: margin, y: margin };
  const scale = Math.min(
    largestFit,
    Math.max(0.02, (picture.width - 2 * margin) / map.width),
    Math.max(0.02, (picture.height - 2 * margin) / map.height),
  );
  return {
    scale,
    x: (picture.width - map.width * scale) / 2,
    y: Math.max(margin, (picture.height - map.height * scale) / 2),
  };
}

/** The place of the map under `at` stays there. */
export function zoomed(view: MapView, factor: number, at: Point, least: number): MapView {
  const scale = Math.min(largestScale, Math.max(least * 0.5, view.scale * factor));
  const ratio = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio };
}

/** A part of the map stays in the picture. */
export function moved(view: MapView, by: Point, map: Size, picture: Size): MapView {
  const within = (place: number, length: number, whole: number) =>
    Math.min(whole - 2 * margin, Math.max(2 * margin - length, place));
  return {
    scale: view.scale,
    x: within(view.x + by.x, map.width * view.scale, picture.width),
    y: within(view.y + by.y, map.height * view.scale, picture.height),
  };
}

export const toMap = ({ scale, x, y }: MapView, point: Point): Point => ({
  x: (point.x - x) / scale,
  y: (point.y - y) / scale,
});
