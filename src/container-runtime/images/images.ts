// Finds and pulls images by name, from all sources.

import type { Random } from '../../machinery/random.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { Image } from '../interface.ts';
import { RuntimeError } from '../runtime-error.ts';
import { loadArchive } from './archive.ts';
import { ensureHello, isHello } from './hello.ts';
import { type ImageRecord, ImageStore } from './image-store.ts';
import { pullFromRegistry, type RegistryAuth } from './registry.ts';

/** A local image; the built-in one always exists. */
export async function findImage(store: ImageStore, reference: string): Promise<ImageRecord | undefined> {
  return isHello(reference) ? ensureHello(store, reference) : store.find(reference);
}

/** Makes the image be here and as its registry has it now. Rejects with RuntimeError('image'). */
export async function pullImage(
  store: ImageStore,
  clock: Clock,
  reference: string,
  auth?: RegistryAuth,
  signal?: AbortSignal,
): Promise<ImageRecord> {
  return isHello(reference) ? ensureHello(store, reference) : pullFromRegistry(store, clock, reference, auth, signal);
}

/** The images of the native runtime, for `coracle image`; may be used while nodes run. All reject with RuntimeError('image'). */
interface Images {
  list(): readonly Image[];
  /** Every image of a docker-save or OCI-layout tar file. */
  load(file: string): Promise<readonly Image[]>;
  pull(reference: string, auth?: RegistryAuth): Promise<Image>;
  /** By id, or by one of its names, of which the last takes the image with it. */
  remove(reference: string): Promise<void>;
}

/** `directory` is the native runtime's imageDirectory. */
export function openImages(directory: string, { clock, random }: { clock: Clock; random: Random }): Images {
  const store = new ImageStore(directory, random);
  return {
    list: () => store.list(),
    load: (file) => loadArchive(store, file),
    pull: (reference, auth) => pullImage(store, clock, reference, auth),
    async remove(reference) {
      if (!store.find(reference)) throw new RuntimeError('image', `no such image: ${reference}`);
      await store.remove(reference);
    },
  };
}
