import { expect, test } from 'vitest';
import { encodeObject, protobufSchema, readEnvelope } from '../protobuf/protobuf.ts';
import { ProtobufList } from './protobuf-list.ts';
import { LazyList } from './text-body.ts';

const type = { apiVersion: 'v1', kind: 'ConfigMap', listKind: 'ConfigMapList' };
const metadata = { resourceVersion: '9' };
const listOf = (count: number, size = 10) =>
  Array.from({ length: count }, (_, index) => ({
    metadata: { name: `c-${index}`, namespace: 'default' },
    data: { text: String(index % 10).repeat(size) },
  }));

async function encoded(objects: readonly object[], given = type) {
  const list = new ProtobufList(given, new LazyList(objects.length, (index) => objects[index]), metadata);
  const { length, pieces, release } = await list.encode();
  const chunks: Buffer[] = [];
  for await (const piece of pieces) chunks.push(piece);
  release();
  const bytes = Buffer.concat(chunks);
  expect(bytes.length).toBe(length);
  return { bytes, pieces: chunks.length };
}

test.each([
  ['no item', 0, 10],
  ['one item', 1, 10],
  ['some items', 50, 10],
  ['more than one piece', 40, 10_000],
])('a list of %s is the same in pieces as in whole', async (_, count, size) => {
  const items = listOf(count, size);
  const { bytes } = await encoded(items);
  const list = { kind: type.listKind, apiVersion: type.apiVersion };
  const schema = protobufSchema(list);
  expect(schema).toBeDefined();
  if (!schema) return;
  expect(bytes.equals(encodeObject(schema, { ...list, metadata, items } as never))).toBe(true);
  const envelope = readEnvelope(bytes);
  expect(envelope).toMatchObject(list);
});

test('a large list comes in pieces of about 128 KiB', async () => {
  const { bytes, pieces } = await encoded(listOf(100, 10_000));
  expect(bytes.length).toBeGreaterThan(1_000_000);
  expect(pieces).toBeGreaterThan(7);
});

test('a list above the limit of memory is encoded again while it is sent', async () => {
  const text = 'x'.repeat(1_000_000);
  const objects = Array.from({ length: 70 }, (_, index) => ({ metadata: { name: `c-${index}` }, data: { text } }));
  let reads = 0;
  const lazy = new LazyList(objects.length, (index) => {
    reads++;
    return objects[index];
  });
  const { length, pieces, release } = await new ProtobufList(type, lazy, metadata).encode();
  expect(reads).toBe(70);
  let total = 0;
  for await (const piece of pieces) total += piece.length;
  release();
  expect([reads, total]).toEqual([140, length]);
});

test('a kind without a protobuf form is an error', () =>
  expect(encoded([], { apiVersion: 'acme.io/v1', kind: 'Tide', listKind: 'TideList' })).rejects.toThrow(
    'TideList has no protobuf form',
  ));
