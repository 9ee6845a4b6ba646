// A list in protobuf. Its envelope says how long it is, so all items are encoded before the first byte is sent; other
// requests get their turn meanwhile.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Kind } from '../../api/api.ts';
import { encodeFields, encodeListHead, protobufSchema } from '../protobuf/protobuf.ts';
import { apiVersionOf, served } from '../registry/codec.ts';
import type { ListReply } from '../request.ts';
import type { Item } from '../watch-cache/item.ts';

/** Bytes encoded in one turn of the event loop, and sent in one piece. */
const pieceBytes = 128 << 10;

export class ProtobufList {
  readonly #kind: Kind;
  readonly #items: readonly Item[];
  readonly #metadata: ListReply['metadata'];

  constructor(kind: Kind, items: readonly Item[], metadata: ListReply['metadata']) {
    this.#kind = kind;
    this.#items = items;
    this.#metadata = metadata;
  }

  /** The list in pieces of about 128 KiB. */
  async encode(): Promise<readonly Buffer[]> {
    const kind = this.#kind;
    const type = { kind: kind.listKind, apiVersion: apiVersionOf(kind) };
    const itemSchema = protobufSchema({ ...type, kind: kind.kind });
    const listSchema = protobufSchema(type);
    if (!itemSchema || !listSchema) throw new Error(`${kind.listKind} has no protobuf form`);
    const pieces: Buffer[] = [];
    let piece: Buffer[] = [];
    let size = 0;
    let total = 0;
    for (const item of this.#items) {
      const bytes = encodeFields(itemSchema, kind.fromStorage ? served(kind, item) : item.peek(), itemsField);
      piece.push(bytes);
      size += bytes.length;
      if (size < pieceBytes) continue;
      pieces.push(Buffer.concat(piece, size));
      total += size;
      piece = [];
      size = 0;
      await nextTurn();
    }
    pieces.push(Buffer.concat(piece, size));
    return [encodeListHead(listSchema, { ...type, metadata: this.#metadata }, total + size), ...pieces];
  }
}

const itemsField = 2;
