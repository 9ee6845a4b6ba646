import { normalizeReference } from '../images/reference.ts';
import type { Image } from '../interface.ts';

/** Its digests depend on its name only, so that the same image has the same digest on every simulated node. */
function simulatedImage(name: string, sizeBytes: number): Image {
  let hex = '';
  for (let seed = 0x811c9dc5, i = 0; hex.length < 64; i++) {
    for (const character of name) seed = Math.imul(seed ^ character.charCodeAt(0) ^ i, 0x01000193) >>> 0;
    hex += seed.toString(16).padStart(8, '0');
  }
  const repository = name.replace(/(@sha256)?:[^:/]*$/, '');
  const digest = name.includes('@') ? name.slice(name.indexOf('@') + 1) : `sha256:${hex}`;
  return {
    id: `sha256:${hex}`,
    repoTags: name.includes('@') ? [] : [name],
    repoDigests: [`${repository}@${digest}`],
    sizeBytes,
    // As most images have it: pods that must not run as root start.
    user: '1000',
  };
}

/** The images of one simulated node. */
export class SimulatedImages {
  readonly #images = new Map<string, Image>();
  readonly #byId = new Map<string, Image>();

  all(): readonly Image[] {
    return [...this.#images.values()];
  }

  find(reference: string): Image | undefined {
    const byName = this.#images.get(reference);
    if (byName) return byName;
    const [, id] = /^(?:sha256:)?([0-9a-f]{64})$/.exec(reference) ?? [];
    if (id !== undefined) return this.#byId.get(`sha256:${id}`);
    return this.#images.get(normalizeReference(reference).canonical);
  }

  /** The image of this canonical name, made when there is none. */
  pulled(name: string, sizeBytes: number): Image {
    let image = this.#images.get(name);
    if (image) return image;
    image = simulatedImage(name, sizeBytes);
    this.#images.set(name, image);
    this.#byId.set(image.id, image);
    return image;
  }

  remove(id: string): void {
    for (const [name, image] of this.#images)
      if (name === id || image.id === id) {
        this.#images.delete(name);
        this.#byId.delete(image.id);
      }
  }
}
