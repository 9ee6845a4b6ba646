// A list concatenates existing bytes (docs/design.md, idea 2), in pieces and reused buffers: a list of 10,000 pods
// would otherwise allocate 30 MB per request.

import type { Kind } from '../../api/api.ts';
import { apiVersionOf } from '../registry/codec.ts';
import type { ListReply } from '../request/reply.ts';
import type { Item } from '../watch-cache/item.ts';

const comma = 0x2c;

export const remaining = ({ remainingItemCount }: ListReply['metadata']) =>
  remainingItemCount === undefined ? {} : { remainingItemCount };

/** A response that is made while it is sent. */
export interface Body {
  /** Bytes in all. */
  readonly length: number;
  /** Writes the next piece to `target` and returns its length; 0 when all was written. */
  fill(target: Buffer): number;
}

export class ListBody implements Body {
  readonly length: number;
  readonly #head: Buffer;
  readonly #tail: Buffer;
  readonly #items: readonly Item[];
  /** Custom resources repeat their kind and apiVersion in lists; the items of built-in kinds do not. */
  readonly #typed: boolean;
  /** -1: the head is next; then the index of the next item; the number of items: done. */
  #at = -1;
  /** Bytes of it that are written. */
  #within = 0;

  constructor(kind: Kind, items: readonly Item[], metadata: ListReply['metadata']) {
    const apiVersion = apiVersionOf(kind);
    this.#items = items;
    this.#typed = kind.custom ?? false;
    if (this.#typed) {
      const own = {
        continue: metadata.continue ?? '',
        ...remaining(metadata),
        resourceVersion: metadata.resourceVersion,
      };
      this.#head = Buffer.from(`{"apiVersion":"${apiVersion}","items":[`);
      this.#tail = Buffer.from(`],"kind":"${kind.listKind}","metadata":${JSON.stringify(own)}}\n`);
    } else {
      const listMetadata = JSON.stringify(metadata);
      this.#head = Buffer.from(
        `{"kind":"${kind.listKind}","apiVersion":"${apiVersion}","metadata":${listMetadata},"items":[`,
      );
      this.#tail = Buffer.from(']}\n');
    }
    let length = this.#head.length + this.#tail.length + Math.max(items.length - 1, 0);
    for (const item of items) length += item.byteLength(this.#typed);
    this.length = length;
  }

  fill(target: Buffer): number {
    let offset = 0;
    if (this.#at < 0) {
      offset = this.#part(this.#head, target, offset);
      if (this.#within > 0) return offset;
      this.#at = 0;
    }
    for (; this.#at < this.#items.length; this.#at++) {
      const item = this.#items[this.#at];
      const length = item.byteLength(this.#typed);
      if (offset === target.length) return offset;
      // A comma is not separated from the first byte of its item.
      if (this.#within === 0 && this.#at) {
        if (offset + 2 > target.length) return offset;
        target[offset++] = comma;
      }
      if (this.#within === 0 && offset + length <= target.length) {
        offset = item.write(target, offset, this.#typed);
        continue;
      }
      const end = item.writePart(target, offset, this.#typed, this.#within);
      this.#within += end - offset;
      offset = end;
      if (this.#within < length) return offset;
      this.#within = 0;
    }
    if (this.#at > this.#items.length || offset === target.length) return offset;
    offset = this.#part(this.#tail, target, offset);
    if (this.#within === 0) this.#at++;
    return offset;
  }

  #part(bytes: Buffer, target: Buffer, offset: number): number {
    const copied = bytes.copy(target, offset, this.#within);
    this.#within = this.#within + copied < bytes.length ? this.#within + copied : 0;
    return offset + copied;
  }
}

/** A long object, from the bytes that all its readers share. */
export class ItemBody implements Body {
  readonly length: number;
  readonly #item: Item;
  #at = 0;

  constructor(item: Item) {
    this.#item = item;
    this.length = item.byteLength(true);
  }

  fill(target: Buffer): number {
    const length = this.#item.writePart(target, 0, true, this.#at);
    this.#at += length;
    return length;
  }
}

/** A long document that exists as a whole: each reader holds only a piece of it. */
export class BytesBody implements Body {
  readonly length: number;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.length = bytes.length;
  }

  fill(target: Buffer): number {
    const piece = this.#bytes.subarray(this.#at, this.#at + target.length);
    target.set(piece);
    this.#at += piece.length;
    return piece.length;
  }
}

export function wholeOf(body: Body): Buffer {
  const bytes = Buffer.allocUnsafe(body.length);
  return bytes.subarray(0, body.fill(bytes));
}
