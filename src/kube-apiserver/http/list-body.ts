// A list concatenates existing bytes (docs/design.md, idea 2), in pieces and reused buffers: a list of 10,000 pods
// would otherwise allocate 30 MB per request.

import type { Kind } from '../../api/api.ts';
import { apiVersionOf } from '../registry/codec.ts';
import type { ListReply } from '../reply.ts';
import type { Item } from '../watch-cache/item.ts';

const comma = 0x2c;

export const remaining = ({ remainingItemCount }: ListReply['metadata']) =>
  remainingItemCount === undefined ? {} : { remainingItemCount };

export class ListBody {
  /** Bytes in all. */
  readonly length: number;
  /** A buffer for `fill` has at least this many bytes. */
  readonly widest: number;
  readonly #head: Buffer;
  readonly #tail: Buffer;
  readonly #items: readonly Item[];
  /** Custom resources repeat their kind and apiVersion in lists; the items of built-in kinds do not. */
  readonly #typed: boolean;
  /** -1: the head is next; then the index of the next item; the number of items: done. */
  #at = -1;

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
    let widest = Math.max(this.#head.length, this.#tail.length);
    for (const item of items) {
      const bytes = item.byteLength(this.#typed);
      length += bytes;
      if (bytes >= widest) widest = bytes + 1;
    }
    this.length = length;
    this.widest = widest;
  }

  /** Writes the next piece to `target` and returns its length; 0 when all was written. */
  fill(target: Buffer): number {
    let offset = 0;
    if (this.#at < 0) {
      offset = this.#head.copy(target);
      this.#at = 0;
    }
    for (; this.#at < this.#items.length; this.#at++) {
      const item = this.#items[this.#at];
      if (offset + item.byteLength(this.#typed) + 1 > target.length) return offset;
      if (this.#at) target[offset++] = comma;
      offset = item.write(target, offset, this.#typed);
    }
    if (this.#at > this.#items.length || offset + this.#tail.length > target.length) return offset;
    this.#at++;
    return offset + this.#tail.copy(target, offset);
  }

  /** The whole list in one buffer. */
  whole(): Buffer {
    const body = Buffer.allocUnsafe(Math.max(this.length, this.widest));
    return body.subarray(0, this.fill(body));
  }
}
