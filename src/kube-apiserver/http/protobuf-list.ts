// A list in protobuf. Its envelope begins with its length, so all items are encoded before the first byte is sent, with
// turns of other requests in between. Above a memory limit for slow readers, a list is encoded a second time while it
// is sent.

import type { Kind } from '../../api/api.ts';
import { ownTurn } from '../../machinery/time/turn.ts';
import { encodeFields, encodeListHead, protobufSchema } from '../protobuf/protobuf.ts';
import { apiVersionOf, served } from '../registry/codec.ts';
import type { ListReply } from '../reply.ts';
import type { Item } from '../watch-cache/item.ts';

/** Bytes encoded in one turn of the event loop, and sent in one piece. */
const pieceBytes = 128 << 10;

/** Total bytes of encoded lists in memory. */
const mostHeld = 64 << 20;
let heldBytes = 0;

interface EncodedList {
  readonly length: number;
  readonly pieces: AsyncIterable<Buffer>;
  readonly release: () => void;
}

export class ProtobufList {
  readonly #kind: Kind;
  readonly #items: readonly Item[];
  readonly #metadata: ListReply['metadata'];

  constructor(kind: Kind, items: readonly Item[], metadata: ListReply['metadata']) {
    this.#kind = kind;
    this.#items = items;
    this.#metadata = metadata;
  }

  /** The list in pieces of about 128 KiB. `release` is called once it is sent. */
  async encode(): Promise<EncodedList> {
    const type = { kind: this.#kind.listKind, apiVersion: apiVersionOf(this.#kind) };
    const schema = protobufSchema(type);
    if (!schema) throw noForm(this.#kind);
    const kept: Buffer[] = [];
    let total = 0;
    let held = 0;
    const release = () => {
      heldBytes -= held;
      held = 0;
      kept.length = 0;
    };
    let isKept = true;
    try {
      for await (const piece of this.#pieces()) {
        total += piece.length;
        isKept &&= heldBytes + piece.length <= mostHeld;
        if (!isKept) {
          release();
          continue;
        }
        kept.push(piece);
        held += piece.length;
        heldBytes += piece.length;
      }
    } catch (error) {
      release();
      throw error;
    }
    const head = encodeListHead(schema, { ...type, metadata: this.#metadata }, total);
    const items = isKept ? kept : this.#pieces();
    const pieces = async function* () {
      yield head;
      yield* items;
    };
    return { length: head.length + total, pieces: pieces(), release };
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    const kind = this.#kind;
    const schema = protobufSchema({ kind: kind.kind, apiVersion: apiVersionOf(kind) });
    if (!schema) throw noForm(kind);
    let piece: Buffer[] = [];
    let size = 0;
    for (const item of this.#items) {
      const bytes = encodeFields(schema, kind.fromStorage ? served(kind, item) : item.peek(), itemsField);
      piece.push(bytes);
      size += bytes.length;
      if (size < pieceBytes) continue;
      yield Buffer.concat(piece, size);
      piece = [];
      size = 0;
      await ownTurn();
    }
    yield Buffer.concat(piece, size);
  }
}

const noForm = ({ listKind }: Kind) => new Error(`${listKind} has no protobuf form`);

const itemsField = 2;
