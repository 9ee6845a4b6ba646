// A list in a form that is not cached, such as YAML: written and sent in pieces, with turns of other requests in
// between, so that a slow reader holds one piece only.

import { stringify } from 'yaml';
import { ownTurn } from '../../machinery/time/turn.ts';
import type { Accepted } from './media-type.ts';

/** Characters written in one turn of the event loop, and sent in one piece. */
const pieceLength = 128 << 10;

/** Lists that are being written. */
let writing = 0;

interface Form {
  /** The text before the first field, between two, and after the last. */
  readonly start: string;
  readonly between: string;
  readonly end: string;
  /** A field with its value. */
  field(name: string, value: unknown): string;
  /** The output of `field` before and after a list's items, and between two. */
  readonly open: (name: string) => string;
  readonly comma: string;
  readonly close: string;
}

const json: Form = {
  start: '{',
  between: ',',
  end: '}\n',
  field: (name, value) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
  open: (name) => `${JSON.stringify(name)}:[`,
  comma: ',',
  close: ']',
};

const pretty: Form = {
  start: '{\n',
  between: ',\n',
  end: '\n}',
  field: (name, value) => JSON.stringify({ [name]: value }, undefined, 2).slice(2, -2),
  open: (name) => `  ${JSON.stringify(name)}: [\n`,
  comma: ',\n',
  close: '\n  ]',
};

const yaml: Form = {
  start: '',
  between: '',
  end: '',
  field: (name, value) => stringify({ [name]: value }, { lineWidth: 0, aliasDuplicateObjects: false }),
  open: (name) => `${name}:\n`,
  comma: '',
  close: '',
};

export class TextList {
  readonly #frame: object;
  readonly #name: string;
  readonly #length: number;
  readonly #objectAt: (index: number) => object;
  readonly #form: Form;

  /** `frame` has an empty list at `name`, which holds `length` objects. */
  constructor(
    frame: object,
    name: string,
    length: number,
    objectAt: (index: number) => object,
    { format, pretty: isPretty }: Accepted,
  ) {
    this.#frame = frame;
    this.#name = name;
    this.#length = length;
    this.#objectAt = objectAt;
    this.#form = format === 'yaml' ? yaml : isPretty ? pretty : json;
  }

  async *pieces(): AsyncGenerator<string> {
    if (writing > 0) await ownTurn();
    writing++;
    try {
      let piece = '';
      for (const part of this.#parts()) {
        piece += part;
        if (piece.length < pieceLength) continue;
        yield piece;
        piece = '';
        await ownTurn();
      }
      if (piece) yield piece;
    } finally {
      writing--;
    }
  }

  *#parts(): Generator<string> {
    const { start, between, end, field } = this.#form;
    const fields = Object.entries(this.#frame).filter(([, value]) => value !== undefined);
    yield start;
    for (const [index, [name, value]] of fields.entries()) {
      if (index) yield between;
      if (name === this.#name && this.#length > 0) yield* this.#list();
      else yield field(name, value);
    }
    yield end;
  }

  *#list(): Generator<string> {
    const { field, open, comma, close } = this.#form;
    const head = open(this.#name);
    yield head;
    for (let index = 0; index < this.#length; index++) {
      if (index) yield comma;
      const text = field(this.#name, [this.#objectAt(index)]);
      yield text.slice(head.length, text.length - close.length);
    }
    yield close;
  }
}
