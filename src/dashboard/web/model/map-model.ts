// The pods of the map in their cells, with a number for the colour of each cell.

import {
  type CountedNode,
  cellPoint,
  type Layout,
  layoutOf,
  type MapPod,
  type Point,
  slotAt,
  type Tile,
} from './map-layout.ts';
import type { Tone } from './tone.ts';

/** The number of a cell is the place of its colour here; `dimmed` is added for pods that step back. */
export const cellTones: readonly (Tone | undefined)[] = [undefined, 'ok', 'busy', 'bad', 'plain'];
export const dimmed = 8;

/** Of two pictures: the logarithm of their aspects' ratio. */
const sameShape = 0.1;
/** node-2 comes before node-10. */
const collator = new Intl.Collator('en', { numeric: true });

interface Placed {
  pod: MapPod;
  readonly tile: Tile;
  readonly cell: number;
  round: number;
}

interface Usage {
  readonly free: number[];
  /** The first cell that was never used. */
  next: number;
}

export interface MapContent {
  readonly pods: Iterable<MapPod>;
  readonly nodes: Iterable<string>;
  /** Width by height of the picture. */
  readonly aspect: number;
}

export interface PodChange {
  readonly key: string;
  /** Undefined: it is gone. */
  readonly pod: MapPod | undefined;
}

export type Target =
  | { readonly type: 'pod'; readonly pod: MapPod; readonly point: Point }
  | { readonly type: 'node'; readonly name: string };

export class MapModel {
  layout: Layout = { tiles: [], width: 0, height: 0, cells: 0 };
  /** A number for each cell; 0: no pod. */
  cells = new Uint8Array(0);
  #pods = new Map<string, Placed>();
  #inCell: (MapPod | undefined)[] = [];
  #tiles = new Map<string, Tile>();
  #usage = new Map<Tile, Usage>();
  #names = '';
  #aspect = 1;
  #round = 0;
  #isDimmed: (pod: MapPod) => boolean = () => false;

  get size(): number {
    return this.#pods.size;
  }

  podsIn = (tile: Tile): number => {
    const usage = this.#usage.get(tile);
    return usage ? usage.next - usage.free.length : 0;
  };

  /** Returns whether the tiles moved. */
  update({ pods, nodes, aspect }: MapContent): boolean {
    this.#round++;
    const arrived: MapPod[] = [];
    for (const pod of pods) {
      const placed = this.#pods.get(pod.key);
      if (placed?.tile.name === pod.node) {
        placed.round = this.#round;
        if (placed.pod !== pod) this.#repaint(placed, pod);
      } else arrived.push(pod);
    }
    for (const placed of this.#pods.values()) if (placed.round !== this.#round) this.#remove(placed);
    const names = new Set(nodes);
    for (const { node } of arrived) if (node) names.add(node);
    for (const { pod } of this.#pods.values()) if (pod.node) names.add(pod.node);
    const sorted = [...names].sort(collator.compare);
    const text = sorted.join('\n');
    const isShape = Math.abs(Math.log(aspect / this.#aspect)) < sameShape;
    if (text === this.#names && isShape && this.#fits(arrived)) {
      for (const pod of arrived) this.#place(pod);
      return false;
    }
    this.#names = text;
    this.#aspect = aspect;
    this.#arrange(sorted, [...[...this.#pods.values()].map(({ pod }) => pod), ...arrived], aspect);
    return true;
  }

  /** Some pods, without a look at the others. False: they do not fit, and all pods must be given again. */
  change(changes: Iterable<PodChange>): boolean {
    const arrived: MapPod[] = [];
    for (const { key, pod } of changes) {
      const placed = this.#pods.get(key);
      if (pod && placed?.tile.name === pod.node) this.#repaint(placed, pod);
      else {
        if (placed) this.#remove(placed);
        if (pod) arrived.push(pod);
      }
    }
    if (!this.#fits(arrived)) return false;
    for (const pod of arrived) this.#place(pod);
    return true;
  }

  /** The other pods step back. */
  highlight(isShown: ((pod: MapPod) => boolean) | undefined): void {
    this.#isDimmed = isShown ? (pod) => !isShown(pod) : () => false;
    for (const placed of this.#pods.values()) this.#paint(placed);
  }

  at(point: Point): Target | undefined {
    const tile = this.layout.tiles.find(
      ({ x, y, width, height }) => point.x >= x && point.x < x + width && point.y >= y && point.y < y + height,
    );
    if (!tile) return undefined;
    const slot = slotAt(tile, point);
    const pod = slot === undefined ? undefined : this.#inCell[tile.start + slot];
    if (pod && slot !== undefined) return { type: 'pod', pod, point: cellPoint(tile, slot) };
    return tile.name ? { type: 'node', name: tile.name } : undefined;
  }

  /** Cells of a tile after this one have no pod. */
  endOf = (tile: Tile): number => this.#usage.get(tile)?.next ?? 0;

  /** The pods of a tile with their places. */
  *inTile(tile: Tile): Generator<{ readonly pod: MapPod; readonly point: Point }> {
    for (let slot = 0; slot < tile.capacity; slot++) {
      const pod = this.#inCell[tile.start + slot];
      if (pod) yield { pod, point: cellPoint(tile, slot) };
    }
  }

  #fits(arrived: readonly MapPod[]): boolean {
    const counts = new Map<string, number>();
    for (const { node } of arrived) counts.set(node, (counts.get(node) ?? 0) + 1);
    for (const [node, count] of counts) {
      const tile = this.#tiles.get(node);
      if (!tile || this.podsIn(tile) + count > tile.capacity) return false;
    }
    return true;
  }

  #arrange(names: readonly string[], pods: readonly MapPod[], aspect: number): void {
    const counts = new Map<string, number>();
    for (const { node } of pods) counts.set(node, (counts.get(node) ?? 0) + 1);
    const nodes = names.map((name): CountedNode => ({ name, pods: counts.get(name) ?? 0 }));
    this.layout = layoutOf(nodes, counts.get('') ?? 0, aspect);
    this.cells = new Uint8Array(this.layout.cells);
    this.#inCell = new Array(this.layout.cells).fill(undefined);
    this.#tiles = new Map(this.layout.tiles.map((tile) => [tile.name, tile]));
    this.#usage = new Map(this.layout.tiles.map((tile) => [tile, { free: [], next: 0 }]));
    this.#pods = new Map();
    const sorted = [...pods].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    for (const pod of sorted) this.#place(pod);
  }

  #place(pod: MapPod): void {
    const tile = this.#tiles.get(pod.node);
    const usage = tile && this.#usage.get(tile);
    if (!tile || !usage) return;
    const slot = usage.free.pop() ?? usage.next++;
    const placed = { pod, tile, cell: tile.start + slot, round: this.#round };
    this.#pods.set(pod.key, placed);
    this.#inCell[placed.cell] = pod;
    this.#paint(placed);
  }

  #repaint(placed: Placed, pod: MapPod): void {
    placed.pod = pod;
    this.#inCell[placed.cell] = pod;
    this.#paint(placed);
  }

  #paint({ pod, cell }: Placed): void {
    this.cells[cell] = cellTones.indexOf(pod.tone) + (this.#isDimmed(pod) ? dimmed : 0);
  }

  #remove({ pod, tile, cell }: Placed): void {
    this.#pods.delete(pod.key);
    this.#inCell[cell] = undefined;
    this.#usage.get(tile)?.free.push(cell - tile.start);
    this.cells[cell] = 0;
  }
}

const nameOf = ({ namespace, name }: MapPod): string => `${namespace}/${name}`;
