// Draws the visible part of the map. A 2D canvas draws 10,000 cells in about 2 ms, also without a graphics card, where
// WebGL needs 20 times as long; libraries for it have 35 kB (sigma) and 150 kB (pixi.js).

import { cellPoint, cellSize, headHeight, type MapPod, type Point, podSize, type Tile } from '../model/map-layout.ts';
import { cellTones, dimmed, type MapModel } from '../model/map-model.ts';
import type { MapView, Size } from '../model/map-view.ts';
import type { Tone } from '../model/tone.ts';
import { t } from '../text.ts';

export type Palette = Readonly<Record<Tone | 'back' | 'card' | 'line' | 'text' | 'muted', string>>;

export interface Picture extends Size {
  /** Pixels of the screen for one of the page. */
  readonly ratio: number;
}

interface Drawing {
  readonly context: CanvasRenderingContext2D;
  readonly model: MapModel;
  readonly view: MapView;
  readonly palette: Palette;
}

/** Pixels of a cell from which on its corners are round, and its pod has a name. */
const leastRound = 14;
const leastNamed = 64;
/** Pixels of a head from which on its text can be read. */
const leastHead = 7;
const inset = 5;
const dimmedAlpha = 0.16;
const onColour = '#0c1f19';

export function drawMap(drawing: Drawing, picture: Picture, hovered: Point | undefined): void {
  const { context, model, view, palette } = drawing;
  context.setTransform(picture.ratio, 0, 0, picture.ratio, 0, 0);
  context.fillStyle = palette.back;
  context.fillRect(0, 0, picture.width, picture.height);
  const tiles = model.layout.tiles.filter((tile) => isVisible(tile, view, picture));
  for (const tile of tiles) drawTile(drawing, tile);
  for (const tile of tiles) drawCells(drawing, tile);
  if (headHeight * view.scale >= leastHead) drawHeads(drawing, tiles);
  if (cellSize * view.scale >= leastNamed) for (const tile of tiles) drawNames(drawing, tile);
  if (hovered) drawOutline(context, hovered, view, palette.text);
}

const isVisible = ({ x, y, width, height }: Tile, view: MapView, picture: Size): boolean =>
  view.x + (x + width) * view.scale > 0 &&
  view.y + (y + height) * view.scale > 0 &&
  view.x + x * view.scale < picture.width &&
  view.y + y * view.scale < picture.height;

function drawTile({ context, view, palette }: Drawing, { x, y, width, height }: Tile): void {
  context.fillStyle = palette.card;
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  context.beginPath();
  const place = [view.x + x * view.scale, view.y + y * view.scale, width * view.scale, height * view.scale] as const;
  context.roundRect(...place, 4 * view.scale);
  context.fill();
  context.stroke();
}

function drawCells({ context, model, view, palette }: Drawing, tile: Tile): void {
  const { scale } = view;
  const size = podSize * scale;
  const isRound = cellSize * scale >= leastRound;
  const end = model.endOf(tile);
  let last = 0;
  for (let slot = 0; slot < end; slot++) {
    const cell = model.cells[tile.start + slot];
    const tone = cellTones[cell % dimmed];
    if (!tone) continue;
    if (cell !== last) {
      context.fillStyle = palette[tone];
      context.globalAlpha = cell >= dimmed ? dimmedAlpha : 1;
      last = cell;
    }
    const { x, y } = cellPoint(tile, slot);
    const [left, top] = [view.x + x * scale, view.y + y * scale];
    if (isRound) {
      context.beginPath();
      context.roundRect(left, top, size, size, 2 * scale);
      context.fill();
    } else context.fillRect(left, top, size, size);
  }
  context.globalAlpha = 1;
}

const fontOf = (weight: number, pixels: number): string => `${weight} ${pixels}px system-ui, sans-serif`;

function drawHeads({ context, model, view, palette }: Drawing, tiles: readonly Tile[]): void {
  const { scale } = view;
  const size = Math.min(14, Math.max(8.5, headHeight * scale * 0.62));
  const placeOf = ({ x, y }: Tile) => [view.x + (x + inset) * scale, view.y + (y + headHeight / 2) * scale] as const;
  context.textBaseline = 'middle';
  context.font = fontOf(600, size);
  context.fillStyle = palette.text;
  for (const tile of tiles) {
    const [x, y] = placeOf(tile);
    const space = (tile.width - 2 * inset) * scale;
    const reserved = space > 90 ? size * 2.4 : 0;
    context.fillText(shortened(tile.name || t('unscheduled'), space - reserved, size), x, y);
  }
  context.font = fontOf(400, size * 0.92);
  context.fillStyle = palette.muted;
  context.textAlign = 'right';
  for (const tile of tiles) {
    const [x, y] = placeOf(tile);
    const space = (tile.width - 2 * inset) * scale;
    if (space > 90) context.fillText(String(model.podsIn(tile)), x + space, y);
  }
  context.textAlign = 'left';
}

function drawNames({ context, model, view }: Drawing, tile: Tile): void {
  context.font = fontOf(500, 11);
  context.fillStyle = onColour;
  for (const { pod, point } of model.inTile(tile)) drawName(context, pod, point, view);
}

function drawName(context: CanvasRenderingContext2D, { name, status }: MapPod, point: Point, { scale, x, y }: MapView) {
  const space = (podSize - 1) * scale;
  const [left, top] = [x + (point.x + 0.5) * scale, y + (point.y + 1) * scale];
  context.fillText(shortened(name, space, 11), left, top + 8);
  context.fillText(shortened(status, space, 11), left, top + 24);
}

function drawOutline(context: CanvasRenderingContext2D, point: Point, view: MapView, colour: string): void {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  const [x, y] = [view.x + point.x * view.scale, view.y + point.y * view.scale];
  context.strokeRect(x - 1, y - 1, podSize * view.scale + 2, podSize * view.scale + 2);
}

/** Names differ at their ends. */
function shortened(text: string, pixels: number, size: number): string {
  const most = Math.max(1, Math.floor(pixels / (size * 0.58)));
  return text.length <= most ? text : `…${text.slice(text.length - most + 1)}`;
}
