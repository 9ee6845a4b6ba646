// One object of the watch cache: immutable, and turned into bytes once (docs/design.md, idea 2).

import type { ApiObject } from '../../api/api.ts';
import { parseExact } from '../../machinery/text/exact-json.ts';
import { sameValue, textOf, type Value, valueOfText, writeValue } from '../../store/store.ts';

/** The store's value of a write, also kept by the cache: the object's JSON without its resourceVersion. */
export interface Serialized {
  readonly value: Value;
  /** Offset of the resourceVersion in `value`; 0 if the object must be serialized again to have one. */
  readonly cut: number;
}

/**
 * `metadata.resourceVersion` must be undefined. Metadata comes first, and name, namespace and uid come first in it, so
 * the offset is after the first "uid" (custom resources, whose fields are sorted, have no such offset).
 */
export function serialize(object: ApiObject, text: string = JSON.stringify(object)): Serialized {
  const value = valueOfText(text);
  if (!text.startsWith('{"kind":')) return { value, cut: 0 };
  const uid = `"uid":"${object.metadata.uid}"`;
  const at = text.indexOf(uid);
  const labels = text.indexOf('"labels":');
  if (at < 0 || (labels >= 0 && labels < at)) return { value, cut: 0 };
  const cut = at + uid.length;
  return { value, cut: typeof value === 'string' ? cut : Buffer.byteLength(text.slice(0, cut)) };
}

export class Item {
  readonly key: string;
  readonly revision: number;
  #object: ApiObject | undefined;
  /** The JSON without its resourceVersion, as it was stored; or with it, when there is no cut. */
  #value: Value | undefined;
  /** Where the resourceVersion belongs in #value, which is there then; 0 when it is in it already. */
  #cut: number;
  /** Length of the part before the metadata. */
  readonly #head: number;
  #frames: Map<string, Buffer> | undefined;

  constructor(key: string, revision: number, object: ApiObject, serialized?: Serialized) {
    this.key = key;
    this.revision = revision;
    this.#object = object;
    this.#head = headLength(object);
    this.#value = serialized?.cut ? serialized.value : undefined;
    this.#cut = serialized?.cut ?? 0;
    object.metadata.resourceVersion = String(revision);
  }

  /** Shared by all readers: never changed. */
  get object(): ApiObject {
    return (this.#object ??= parseExact(textOf(this.bytes())) as ApiObject);
  }

  /** Same for a single use: does not cache a parsed object. */
  peek(): ApiObject {
    return this.#object ?? (parseExact(textOf(this.bytes())) as ApiObject);
  }

  /** Bytes of cached JSON. */
  get keptBytes(): number {
    return this.#value?.length ?? 0;
  }

  /** Object and JSON can each be made from the other: these drop one until its next use. */
  forgetObject(): void {
    if (this.#cut) this.#object = undefined;
  }

  forgetBytes(): void {
    if (!this.#object) return;
    this.#value = undefined;
    this.#cut = 0;
  }

  /** False when the object certainly has no such value anywhere, which is cheaper to see than to make the object. */
  mayHold(value: string): boolean {
    if (this.#object || typeof this.#value !== 'string') return true;
    return this.#value.includes(JSON.stringify(value).slice(1, -1));
  }

  /** Length of the output of `write`. */
  byteLength(head: boolean): number {
    const whole = this.#stored().length + this.#version().length;
    return head ? whole : whole - this.#head + 1;
  }

  /** Copies the JSON of the object to `target`; without `head`, kind and apiVersion are left out. Returns the end. */
  write(target: Buffer, offset: number, head: boolean): number {
    const stored = this.#stored();
    let from = 0;
    let at = offset;
    if (!head) {
      target[at++] = openingBrace;
      from = this.#head;
    }
    if (this.#cut) {
      at = writeValue(stored, target, at, from, this.#cut);
      at = writeValue(this.#version(), target, at);
      from = this.#cut;
    }
    return writeValue(stored, target, at, from);
  }

  /** Same without the first `skip` bytes, and only as much as `target` has space for. */
  writePart(target: Buffer, offset: number, head: boolean, skip: number): number {
    const stored = this.#stored();
    const cut = this.#cut || stored.length;
    const from = head ? 0 : this.#head;
    const parts: readonly (readonly [Value, number, number])[] = [
      ['{', 0, head ? 0 : 1],
      [stored, from, cut],
      [this.#version(), 0, this.#version().length],
      [stored, cut, stored.length],
    ];
    let at = offset;
    let skipped = skip;
    for (const [value, start, end] of parts) {
      const first = Math.min(start + skipped, end);
      skipped -= first - start;
      const last = Math.min(end, first + target.length - at);
      if (last > first) at = writeValue(value, target, at, first, last);
    }
    return at;
  }

  /** True if storing this would not change the item. */
  holds({ value, cut }: Serialized, object: ApiObject): boolean {
    if (cut && cut === this.#cut && this.#value) return sameValue(value, this.#value);
    if (cut && this.#cut) return false;
    const { resourceVersion } = this.object.metadata;
    const compared = { ...object, metadata: { ...object.metadata, resourceVersion } };
    return JSON.stringify(compared) === JSON.stringify(this.object);
  }

  /** The whole object as JSON, for a response; only the stored bytes are cached. */
  bytes(): Uint8Array {
    const bytes = Buffer.allocUnsafe(this.byteLength(true));
    this.write(bytes, 0, true);
    return bytes;
  }

  /** A frame of a watch stream in another form, made once and shared by all watchers until `forgetFrames`. */
  sharedFrame(form: string, make: () => Buffer): Buffer {
    const frames = (this.#frames ??= new Map());
    let frame = frames.get(form);
    if (!frame) frames.set(form, (frame = make()));
    return frame;
  }

  /** The line of a watch stream, shared by all watchers; `chunked` as HTTP/1.1 frames it (RFC 9112, section 7.1). */
  frame(type: 'ADDED' | 'MODIFIED' | 'DELETED', chunked = false): Buffer {
    const frames = (this.#frames ??= new Map());
    const key = chunked ? `${type} chunked` : type;
    let frame = frames.get(key);
    if (!frame) {
      const opening = `{"type":"${type}","object":`;
      const length = opening.length + this.byteLength(true) + newline.length;
      const before = chunked ? `${length.toString(16)}\r\n${opening}` : opening;
      const after = chunked ? newlineAndChunkEnd : newline;
      frame = Buffer.allocUnsafe(before.length + this.byteLength(true) + after.length);
      frame.set(after, this.write(frame, frame.write(before, 'latin1'), true));
      frames.set(key, frame);
    }
    return frame;
  }

  /** Frames are dropped after the watchers got the object's event. */
  forgetFrames(): void {
    this.#frames = undefined;
  }

  #stored(): Value {
    return (this.#value ??= valueOfText(JSON.stringify(this.object)));
  }

  #version(): string {
    return this.#cut ? `,"resourceVersion":"${this.revision}"` : '';
  }
}

/** Length of `{"kind":"Pod","apiVersion":"v1",` or, where these are missing, of the brace. */
const headLength = ({ kind, apiVersion }: ApiObject): number =>
  kind && apiVersion ? kind.length + apiVersion.length + '{"kind":"","apiVersion":"",'.length : 1;

const openingBrace = 0x7b;
const newline = Buffer.from('}\n');
const newlineAndChunkEnd = Buffer.from('}\n\r\n');
