// Collects garbage: unused images while their disk is nearly full, and containers of ended pods.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/#containers-images

import { statfs } from 'node:fs/promises';
import type { Image } from '../../container-runtime/container-runtime.ts';
import { must } from '../../machinery/must.ts';
import { type ImageGarbageConfig, imageGarbageDefaults, type KubeletConfig } from '../config.ts';
import type { KubeletTools } from '../tools.ts';
import type { Evictable } from './local-storage.ts';

const periodMs = 5 * 60_000;

interface Seen {
  readonly firstMs: number;
  usedMs: number;
}

/** In bytes, of the file system that has the images. */
interface ImageSpace {
  readonly capacity: number;
  readonly available: number;
}

type GarbageTools = Pick<KubeletTools, 'runtime' | 'clock' | 'cache' | 'logger'> & {
  readonly config: Pick<KubeletConfig, 'imageGarbage'>;
};
type NodeEvent = (type: 'Normal' | 'Warning', reason: string, message: string) => void;

export class Garbage {
  readonly #tools: GarbageTools;
  readonly #limits: ImageGarbageConfig;
  readonly #event: NodeEvent;
  readonly #seen = new Map<string, Seen>();

  constructor(tools: GarbageTools, event: NodeEvent) {
    this.#tools = tools;
    this.#limits = { ...imageGarbageDefaults, ...tools.config.imageGarbage };
    this.#event = event;
  }

  /** Runs until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, runtime, logger } = this.#tools;
    while (!signal.aborted) {
      try {
        const directory = await runtime.imageDirectory?.();
        const stat = directory === undefined ? undefined : await statfs(directory);
        if (stat) await this.collect({ capacity: stat.blocks * stat.bsize, available: stat.bavail * stat.bsize });
      } catch (error) {
        logger.warn('image garbage collection failed', { error: String(error) });
      }
      await clock.sleep(periodMs, signal).catch(() => {});
    }
  }

  /** Frees space down to the low mark if usage is above the high mark. */
  async collect({ capacity, available }: ImageSpace): Promise<void> {
    const { highThresholdPercent, lowThresholdPercent } = this.#limits;
    const unused = await this.#removeOld(await this.#unusedImages());
    const usedPercent = 100 - Math.trunc((Math.min(available, capacity) * 100) / capacity);
    if (usedPercent < highThresholdPercent) return;
    const wanted = Math.trunc((capacity * (100 - lowThresholdPercent)) / 100) - available;
    const freed = await this.#free(unused, wanted);
    if (freed >= wanted) return;
    this.#event(
      'Warning',
      'FreeDiskSpaceFailed',
      `Insufficient free disk space on the node's image filesystem (${usedPercent}% of ${sizeText(capacity)} used). ` +
        `Failed to free sufficient space by deleting unused images (freed ${freed} bytes). ` +
        'Investigate disk usage, as it could be used by active images, logs, volumes, or other data.',
    );
  }

  /** All unused images, and the containers of pods that have ended. */
  async reclaim(pods: readonly Evictable[]): Promise<void> {
    const { runtime, cache, logger } = this.#tools;
    for (const { pod } of pods.filter((each) => each.hasEnded))
      for (const { id, state } of cache.get(pod.metadata.uid).containers)
        if (state === 'exited')
          await runtime.removeContainer(id).catch((error) => logger.warn('cannot remove a container', { id, error }));
    await this.#free(await this.#unusedImages(), Number.POSITIVE_INFINITY);
  }

  /** The one that was used longest ago first. */
  async #unusedImages(): Promise<Image[]> {
    const { runtime, clock } = this.#tools;
    // A pod may be about to use an image that was just pulled.
    const { minimumAgeMs } = this.#limits;
    const now = clock.monotonic();
    const [images, containers] = await Promise.all([runtime.listImages(), runtime.listContainers()]);
    const inUse = new Set(containers.flatMap(({ image, imageRef }) => [image, imageRef]));
    const isUsed = ({ id, repoTags, repoDigests }: Image) =>
      [id, ...repoTags, ...repoDigests].some((n) => inUse.has(n));
    for (const id of this.#seen.keys()) if (!images.some((image) => image.id === id)) this.#seen.delete(id);
    for (const image of images) {
      const seen = this.#seen.get(image.id) ?? { firstMs: now, usedMs: -1 };
      if (isUsed(image)) seen.usedMs = now;
      this.#seen.set(image.id, seen);
    }
    const ofImage = ({ id }: Image) => must(this.#seen.get(id), id);
    return images
      .filter((image) => !image.pinned && !isUsed(image) && now - ofImage(image).firstMs >= minimumAgeMs)
      .sort((a, b) => ofImage(a).usedMs - ofImage(b).usedMs || ofImage(a).firstMs - ofImage(b).firstMs);
  }

  /** Removes those that no container used for longer than the maximum age, and resolves with the others. */
  async #removeOld(images: readonly Image[]): Promise<readonly Image[]> {
    const { maximumAgeMs } = this.#limits;
    if (maximumAgeMs === 0) return images;
    const now = this.#tools.clock.monotonic();
    const isOld = ({ id }: Image) => {
      const { firstMs, usedMs } = must(this.#seen.get(id), id);
      return now - Math.max(firstMs, usedMs) > maximumAgeMs;
    };
    await this.#free(images.filter(isOld), Number.POSITIVE_INFINITY);
    return images.filter(({ id }) => this.#seen.has(id));
  }

  /** Resolves with the bytes that were freed. */
  async #free(images: readonly Image[], wanted: number): Promise<number> {
    const { runtime, logger } = this.#tools;
    let freed = 0;
    for (const { id, sizeBytes } of images) {
      if (freed >= wanted) break;
      try {
        await runtime.removeImage(id);
        freed += sizeBytes;
        this.#seen.delete(id);
      } catch (error) {
        logger.warn('cannot remove an image', { image: id, error: String(error) });
      }
    }
    return freed;
  }
}

/** A binary unit and one digit behind the point. */
function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(bytes) / 10)));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}
