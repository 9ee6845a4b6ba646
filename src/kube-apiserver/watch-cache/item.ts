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
  #value: Uint8Array | undefined;
  #cut: number;
  #version: Buffer | undefined;
  /** Bytes of `{"kind":"Pod","apiVersion":"v1",`, which the items of a list go without; 0 while unknown. */
  #head = -1;
  #frames: { added?: Buffer; modified?: Buffer; deleted?: Buffer } | undefined;

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
    const skipped = head ? 0 : this.#headLength() - 1;
    return this.#bytes().length + (this.#cut ? this.#versionBytes().length : 0) - skipped;
  }

  /** Copies the JSON of the object to `target`; without `head`, kind and apiVersion are left out. Returns the end. */
  write(target: Buffer, offset: number, head: boolean): number {
    const bytes = this.#bytes();
    let from = 0;
    if (!head) {
      target[offset++] = 0x7b; // {
      from = this.#headLength();
    }
    if (!this.#cut) {
      target.set(from ? bytes.subarray(from) : bytes, offset);
      return offset + bytes.length - from;
    }
    target.set(bytes.subarray(from, this.#cut), offset);
    offset += this.#cut - from;
    const version = this.#versionBytes();
    target.set(version, offset);
    offset += version.length;
    target.set(bytes.subarray(this.#cut), offset);
    return offset + bytes.length - this.#cut;
  }

  /** True when storing this would change nothing. */
  holds({ value, cut }: Serialized, object: ApiObject): boolean {
    if (cut && this.#cut) return this.#value !== undefined && Buffer.compare(value, this.#value) === 0;
    const { resourceVersion } = this.object.metadata;
    const compared = { ...object, metadata: { ...object.metadata, resourceVersion } };
    return JSON.stringify(compared) === JSON.stringify(this.object);
  }

  bytes(): Buffer {
    const target = Buffer.allocUnsafe(this.byteLength(true));
    this.write(target, 0, true);
    return target;
  }

  /** The line of a watch stream, shared by all watchers. */
  frame(type: 'ADDED' | 'MODIFIED' | 'DELETED'): Buffer {
    const frames = (this.#frames ??= {});
    const slot = type === 'ADDED' ? 'added' : type === 'MODIFIED' ? 'modified' : 'deleted';
    return (frames[slot] ??= Buffer.concat([Buffer.from(`{"type":"${type}","object":`), this.bytes(), newline]));
  }

  /** Frames are only worth their memory while watchers are being told of this very object. */
  forgetFrames(): void {
    this.#frames = undefined;
  }

  #bytes(): Uint8Array {
    return (this.#value ??= Buffer.from(JSON.stringify(this.object)));
  }

  #versionBytes(): Buffer {
    return (this.#version ??= Buffer.from(`,"resourceVersion":"${this.revision}"`));
  }

  #headLength(): number {
    if (this.#head < 0) {
      const { kind, apiVersion } = this.object;
      this.#head = kind && apiVersion ? `{"kind":"${kind}","apiVersion":"${apiVersion}",`.length : 1;
    }
    return this.#head;
  }
}

const newline = Buffer.from('}\n');
