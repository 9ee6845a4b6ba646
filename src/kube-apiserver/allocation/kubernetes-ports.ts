// Kubernetes' record of node ports (RangeAllocation): one object in etcd with a bit for each port, which its API servers
// change with every port that they give. Where such a server uses the same etcd, the record holds our ports too.

import type { Clock } from '../../machinery/time/clock.ts';
import { type Entry, type Store, textOf, type Value, valueOfText, type Write } from '../../store/store.ts';
import { beginsAsProtobuf, readEnvelope, writeRawEnvelope } from '../protobuf/protobuf.ts';
import { Reader } from '../protobuf/reader.ts';
import { Writer } from '../protobuf/writer.ts';

const key = '/registry/ranges/servicenodeports';
const type = { apiVersion: 'v1', kind: 'RangeAllocation' };
const tags = { metadata: 10, range: 18, data: 26 };

interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** The record as it is at a revision. */
export interface KubernetesPorts {
  has(port: number): boolean;
  /** The ports of the record. */
  ports(): readonly number[];
  /** The write of the changed record; undefined if nothing changes. It fails if the record changed meanwhile. */
  changed(taken: readonly number[], released: readonly number[]): (Write & { readonly value: Value }) | undefined;
}

/** A write that waits for its admission holds up the others for no longer. */
const mostWaitMs = 1_000;

/**
 * One write of this server at a time changes the record: otherwise all but one of them would fail and begin again. The
 * store refuses a second one that did not wait.
 */
export class RecordTurns {
  readonly #clock: Clock;
  #last: Promise<void> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when it is this write's turn, to the function that ends it. */
  async take(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = promise;
    const over = new AbortController();
    await Promise.race([before, this.#clock.sleep(mostWaitMs, over.signal).catch(() => {})]);
    over.abort();
    return resolve;
  }
}

/** Undefined without a record, or with one for another range of ports: then no other server gives ports of this range. */
export async function readKubernetesPorts(
  read: (key: string) => Promise<Entry | undefined>,
  { from, to }: PortRange,
): Promise<KubernetesPorts | undefined> {
  const entry = await read(key);
  const record = entry && parse(entry.value);
  if (!record || record.range !== `${from}-${to}`) return undefined;
  const bits = BigInt(`0x0${Buffer.from(record.data).toString('hex')}`);
  const has = (port: number) => port >= from && port <= to && ((bits >> BigInt(port - from)) & 1n) === 1n;
  return {
    has,
    ports: () => Array.from({ length: to - from + 1 }, (_, index) => from + index).filter(has),
    changed(taken, released) {
      const bitOf = (port: number) => (port >= from && port <= to ? 1n << BigInt(port - from) : 0n);
      let next = bits;
      for (const port of released) next &= ~bitOf(port);
      for (const port of taken) next |= bitOf(port);
      if (next === bits) return undefined;
      return { key, value: record.withData(bytesOf(next)), expected: entry.modRevision };
    },
  };
}

export const readStoredPorts = (store: Pick<Store, 'get'>, range: PortRange) =>
  readKubernetesPorts((name) => store.get(name), range);

/** Big-endian, without zeros at the beginning. */
function bytesOf(bits: bigint): Buffer {
  if (bits === 0n) return Buffer.alloc(0);
  const text = bits.toString(16);
  return Buffer.from(text.length % 2 ? `0${text}` : text, 'hex');
}

interface PortRecord {
  readonly range: string;
  readonly data: Uint8Array;
  withData(data: Buffer): Value;
}

/** Undefined for a value that cannot be read, such as an encrypted one. */
function parse(value: Value): PortRecord | undefined {
  try {
    const bytes = beginsAsProtobuf(value);
    return bytes ? parseProtobuf(bytes) : parseJson(textOf(value));
  } catch {
    return undefined;
  }
}

function parseProtobuf(bytes: Buffer): PortRecord {
  const reader = new Reader(readEnvelope(bytes).raw);
  let [metadata, data, range] = [Buffer.alloc(0), Buffer.alloc(0), ''];
  while (!reader.isDone) {
    const tag = reader.tag();
    if (tag === tags.metadata) metadata = Buffer.from(reader.bytes());
    else if (tag === tags.range) range = reader.string();
    else if (tag === tags.data) data = Buffer.from(reader.bytes());
    else reader.skip(tag);
  }
  return {
    range,
    data,
    withData(next) {
      const writer = new Writer();
      writer.bytes(next);
      writer.varint(tags.data);
      writer.string(range);
      writer.varint(tags.range);
      writer.bytes(metadata);
      writer.varint(tags.metadata);
      return writeRawEnvelope(type, writer.take());
    },
  };
}

function parseJson(text: string): PortRecord | undefined {
  const object: unknown = JSON.parse(text);
  if (typeof object !== 'object' || object === null || !('range' in object) || typeof object.range !== 'string')
    return undefined;
  const data = 'data' in object && typeof object.data === 'string' ? object.data : '';
  return {
    range: object.range,
    data: Buffer.from(data, 'base64'),
    withData: (next) => valueOfText(JSON.stringify({ ...object, data: next.toString('base64') })),
  };
}
