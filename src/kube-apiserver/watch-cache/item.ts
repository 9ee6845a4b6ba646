// One object of the watch cache: immutable, and turned into bytes once (DESIGN.md, idea 2).

import type { ApiObject } from '../../api/api.ts';

/** What a write gives to the store, and keeps for the cache: the object without its resourceVersion, as JSON. */
export interface Serialized {
  readonly value: Uint8Array;
  /** Where in `value` the resourceVersion belongs; 0 when the object must be written anew to have one. */
  readonly cut: number;
}

/**
 * `metadata.resourceVersion` must be undefined. Metadata comes first and name, namespace and uid come first in it, so
 * the place for the version is behind the first "uid" (custom resources, whose fields are sorted, have no such place).
 */
export function serialize(object: ApiObject): Serialized {
  const text = JSON.stringify(object);
  const value = Buffer.from(text);
  if (!text.startsWith('{"kind":')) return { value, cut: 0 };
  const uid = `"uid":"${object.metadata.uid}"`;
  const at = text.indexOf(uid);
  const labels = text.indexOf('"labels":');
  if (at < 0 || (labels >= 0 && labels < at)) return { value, cut: 0 };
  return { value, cut: at + uid.length };
}

export class Item {
  readonly key: string;
  readonly revision: number;
  /** Shared by all readers: never changed. */
  readonly object: ApiObject;
  /** What was stored, until the bytes are asked for; then with its resourceVersion, and what was stored is let go. */
  #value: Uint8Array | undefined;
  /** Where the resourceVersion belongs, or begins; 0 when the bytes were not made by a cut. */
  #cut: number;
  /** Length of the resourceVersion in #value; 0 while it is not in it. */
  #inserted = 0;
  /** The bytes without `{"kind":"Pod","apiVersion":"v1",`, as the items of a list are written after a brace. */
  #listed: Uint8Array | undefined;
  #frames: Map<string, Buffer> | undefined;

  constructor(key: string, revision: number, object: ApiObject, serialized?: Serialized) {
    this.key = key;
    this.revision = revision;
    this.object = object;
    this.#value = serialized?.cut ? serialized.value : undefined;
    this.#cut = serialized?.cut ?? 0;
    object.metadata.resourceVersion = String(revision);
  }

  /** Length of what `write` writes. */
  byteLength(head: boolean): number {
    return head ? this.bytes().length : this.#tail().length + 1;
  }

  /** Copies the JSON of the object to `target`; without `head`, kind and apiVersion are left out. Returns the end. */
  write(target: Buffer, offset: number, head: boolean): number {
    if (head) {
      target.set(this.bytes(), offset);
      return offset + this.bytes().length;
    }
    const tail = this.#tail();
    target[offset] = 0x7b; // {
    target.set(tail, offset + 1);
    return offset + 1 + tail.length;
  }

  /** True when storing this would change nothing. */
  holds({ value, cut }: Serialized, object: ApiObject): boolean {
    if (cut && cut === this.#cut && this.#value) {
      const behind = cut + this.#inserted;
      return (
        value.length === this.#value.length - this.#inserted &&
        Buffer.compare(value.subarray(0, cut), this.#value.subarray(0, cut)) === 0 &&
        Buffer.compare(value.subarray(cut), this.#value.subarray(behind)) === 0
      );
    }
    if (cut && this.#cut) return false;
    const { resourceVersion } = this.object.metadata;
    const compared = { ...object, metadata: { ...object.metadata, resourceVersion } };
    return JSON.stringify(compared) === JSON.stringify(this.object);
  }

  /** The whole object as JSON; shared. */
  bytes(): Uint8Array {
    if (this.#value && (this.#inserted || !this.#cut)) return this.#value;
    if (!this.#value) return (this.#value = Buffer.from(JSON.stringify(this.object)));
    const version = `,"resourceVersion":"${this.revision}"`;
    const stored = this.#value;
    const full = Buffer.allocUnsafe(stored.length + version.length);
    full.set(stored.subarray(0, this.#cut));
    full.write(version, this.#cut, 'latin1');
    full.set(stored.subarray(this.#cut), this.#cut + version.length);
    this.#inserted = version.length;
    return (this.#value = full);
  }

  /** The line of a watch stream, shared by all watchers; `chunked` as HTTP/1.1 frames it (RFC 9112, section 7.1). */
  frame(type: 'ADDED' | 'MODIFIED' | 'DELETED', chunked = false): Buffer {
    const frames = (this.#frames ??= new Map());
    const key = chunked ? `${type} chunked` : type;
    let frame = frames.get(key);
    if (!frame) {
      const bytes = this.bytes();
      const opening = `{"type":"${type}","object":`;
      const length = opening.length + bytes.length + newline.length;
      const before = chunked ? `${length.toString(16)}\r\n${opening}` : opening;
      frame = Buffer.concat([Buffer.from(before), bytes, chunked ? newlineAndChunkEnd : newline]);
      frames.set(key, frame);
    }
    return frame;
  }

  /** Frames are only worth their memory while watchers are being told of this very object. */
  forgetFrames(): void {
    this.#frames = undefined;
  }

  #tail(): Uint8Array {
    if (this.#listed) return this.#listed;
    const { kind, apiVersion } = this.object;
    const head = kind && apiVersion ? `{"kind":"${kind}","apiVersion":"${apiVersion}",`.length : 1;
    return (this.#listed = this.bytes().subarray(head));
  }
}

const newline = Buffer.from('}\n');
const newlineAndChunkEnd = Buffer.from('}\n\r\n');
