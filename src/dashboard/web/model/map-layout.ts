// The places of nodes and pods on the map: equal tiles for nodes, cells in them for pods. A pod keeps its cell for as long
// as it is on its node, so that the picture stays calm.

import type { Tone } from './tone.ts';

export interface MapPod {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly status: string;
  readonly tone: Tone;
  /** '': it has none yet. */
  readonly node: string;
}

export interface Tile {
  /** The node; '': pods without a node. */
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Index of the first cell among all cells of the map. */
  readonly start: number;
  readonly columns: number;
  readonly capacity: number;
}

export interface Layout {
  readonly tiles: readonly Tile[];
  readonly width: number;
  readonly height: number;
  readonly cells: number;
}

/** In units of the map, which are pixels at scale 1. */
export const cellSize = 10;
export const podSize = 8;
export const headHeight = 18;
const padding = 5;
const gap = 8;
/** Cells for pods to come. */
const spare = 1.25;
const fewestCells = 6;

export interface CountedNode {
  readonly name: string;
  readonly pods: number;
}

/** `aspect`: width by height of the picture. `waiting`: pods without a node, above all nodes. */
export function layoutOf(nodes: readonly CountedNode[], waiting: number, aspect: number): Layout {
  const capacity = Math.ceil(Math.max(fewestCells, ...nodes.map(({ pods }) => pods)) * spare);
  const columns = Math.max(4, Math.ceil(Math.sqrt(capacity * 1.6)));
  const rows = Math.ceil(capacity / columns);
  const width = columns * cellSize + 2 * padding;
  const height = rows * cellSize + headHeight + padding;
  const inRow = tilesInRow(nodes.length, { width: width + gap, height: height + gap }, aspect);
  const whole = inRow * (width + gap) - gap;
  const first = waiting > 0 ? waitingTile(Math.ceil(waiting * spare), Math.max(whole, 240)) : undefined;
  const top = first ? first.height + gap : 0;
  const tiles = nodes.map(({ name }, index): Tile => {
    return {
      ...{ name, width, height, columns, capacity },
      x: (index % inRow) * (width + gap),
      y: top + Math.floor(index / inRow) * (height + gap),
      start: (first?.capacity ?? 0) + index * capacity,
    };
  });
  const last = tiles.at(-1);
  return {
    tiles: first ? [first, ...tiles] : tiles,
    width: Math.max(whole, first?.width ?? 0),
    height: last ? last.y + last.height : (first?.height ?? 0),
    cells: (first?.capacity ?? 0) + nodes.length * capacity,
  };
}

/** The number with which the tiles are largest in a picture of this aspect. */
function tilesInRow(count: number, tile: { readonly width: number; readonly height: number }, aspect: number): number {
  let best = { inRow: 1, scale: 0 };
  for (let inRow = 1; inRow <= count; inRow++) {
    const scale = Math.min(aspect / (inRow * tile.width), 1 / (Math.ceil(count / inRow) * tile.height));
    if (scale > best.scale) best = { inRow, scale };
  }
  return best.inRow;
}

function waitingTile(capacity: number, width: number): Tile {
  const columns = Math.max(1, Math.floor((width - 2 * padding) / cellSize));
  const height = Math.ceil(capacity / columns) * cellSize + headHeight + padding;
  return { ...{ name: '', x: 0, y: 0, width, height, columns, capacity }, start: 0 };
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export function cellPoint({ x, y, columns }: Tile, slot: number): Point {
  return {
    x: x + padding + (slot % columns) * cellSize,
    y: y + headHeight + Math.floor(slot / columns) * cellSize,
  };
}

/** The slot of a tile at a point; undefined in its head and between pods. */
export function slotAt(tile: Tile, point: Point): number | undefined {
  const [left, top] = [point.x - tile.x - padding, point.y - tile.y - headHeight];
  const [column, row] = [Math.floor(left / cellSize), Math.floor(top / cellSize)];
  const isInside = left >= 0 && top >= 0 && column < tile.columns;
  const slot = row * tile.columns + column;
  return isInside && slot < tile.capacity ? slot : undefined;
}
