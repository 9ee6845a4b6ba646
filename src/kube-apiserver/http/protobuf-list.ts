// A list in protobuf. Its envelope begins with its length, so all items are encoded before the first byte is sent, with
// turns of other requests in between. Above a memory limit for slow readers, a list is encoded a second time while it
// is sent.

import { ownTurn } from '../../machinery/time/turn.ts';
import { encodeFields, encodeListHead, protobufSchema, trailer } from '../protobuf/protobuf.ts';
import type { ListReply } from '../request/reply.ts';
import type { LazyList } from './text-body.ts';

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

interface ListType {
  readonly apiVersion: string;
  readonly kind: string;
  readonly listKind: string;
}

export class ProtobufList {
  readonly #type: ListType;
  readonly #objects: LazyList;
  readonly #metadata: ListReply['metadata'];

  constructor(type: ListType, objects: LazyList, metadata: ListReply['metadata']) {
    this.#type = type;
    this.#objects = objects;
    this.#metadata = metadata;
  }

  /** The list in pieces of about 128 KiB. `release` is called once it is sent. */
  async encode(): Promise<EncodedList> {
    const { apiVersion, listKind } = this.#type;
    const type = { kind: listKind, apiVersion };
    const schema = protobufSchema(type);
    if (!schema) throw noForm(this.#type);
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
      yield trailer;
    };
    return { length: head.length + total + trailer.length, pieces: pieces(), release };
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    const schema = protobufSchema(this.#type);
    if (!schema) throw noForm(this.#type);
    let piece: Buffer[] = [];
    let size = 0;
    for (const object of this.#objects) {
      const bytes = encodeFields(schema, object, itemsField);
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

const noForm = ({ listKind }: ListType) => new Error(`${listKind} has no protobuf form`);

const itemsField = 2;
