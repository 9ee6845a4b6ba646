// The map on its canvas. It draws when something changed, once per frame.

import type { MapPod, Point } from '../model/map-layout.ts';
import { type MapContent, MapModel, type PodChange, type Target } from '../model/map-model.ts';
import { fitted, type MapView, moved, toMap, zoomed } from '../model/map-view.ts';
import { drawMap, type Palette, type Picture } from './draw.ts';

export class Painter {
  readonly #model = new MapModel();
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D | null;
  #view: MapView = { scale: 1, x: 0, y: 0 };
  #picture: Picture = { width: 0, height: 0, ratio: 1 };
  #palette: Palette | undefined;
  #content: (() => Omit<MapContent, 'aspect'>) | undefined;
  /** The view follows the size of map and picture until the user moves it. */
  #isFitted = true;
  #hovered: Point | undefined;
  #frame = 0;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    // The whole picture is painted: nothing behind it shows through.
    this.#context = canvas.getContext('2d', { alpha: false });
  }

  get size(): number {
    return this.#model.size;
  }

  update(content: () => Omit<MapContent, 'aspect'>): void {
    this.#content = content;
    const { width, height } = this.#picture;
    // The first size of the picture follows.
    if (width === 0 || height === 0) return;
    const hasMoved = this.#model.update({ ...content(), aspect: width / height });
    if (hasMoved && this.#isFitted) this.#fit();
    this.#request();
  }

  /** Changes since the last content. False: they do not fit, or there is no content yet. */
  change(changes: Iterable<PodChange>): boolean {
    if (this.#model.size === 0 || !this.#model.change(changes)) return false;
    this.#request();
    return true;
  }

  highlight(isShown: ((pod: MapPod) => boolean) | undefined): void {
    this.#model.highlight(isShown);
    this.#request();
  }

  resize(width: number, height: number): void {
    const ratio = devicePixelRatio;
    this.#picture = { width, height, ratio };
    this.#canvas.width = Math.max(1, Math.round(width * ratio));
    this.#canvas.height = Math.max(1, Math.round(height * ratio));
    if (this.#content) this.update(this.#content);
    if (this.#isFitted) this.#fit();
    this.#request();
  }

  paint(palette: Palette): void {
    this.#palette = palette;
    this.#request();
  }

  fit(): void {
    this.#isFitted = true;
    this.#fit();
    this.#request();
  }

  /** Without a place: around the middle. */
  zoom(factor: number, at: Point = { x: this.#picture.width / 2, y: this.#picture.height / 2 }): void {
    this.#isFitted = false;
    const least = fitted(this.#model.layout, this.#picture).scale;
    this.#view = moved(zoomed(this.#view, factor, at, least), { x: 0, y: 0 }, this.#model.layout, this.#picture);
    this.#request();
  }

  move(by: Point): void {
    this.#isFitted = false;
    this.#view = moved(this.#view, by, this.#model.layout, this.#picture);
    this.#request();
  }

  /** Outlines the pod at a place of the picture, and returns it, or the node. */
  hover(at: Point | undefined): Target | undefined {
    const target = at && this.#model.at(toMap(this.#view, at));
    const next = target?.type === 'pod' ? target.point : undefined;
    if (next?.x !== this.#hovered?.x || next?.y !== this.#hovered?.y) this.#request();
    this.#hovered = next;
    return target;
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
  }

  #fit(): void {
    this.#view = fitted(this.#model.layout, this.#picture);
  }

  #request(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const [context, palette] = [this.#context, this.#palette];
      if (!context || !palette) return;
      drawMap({ context, palette, model: this.#model, view: this.#view }, this.#picture, this.#hovered);
    });
  }
}
