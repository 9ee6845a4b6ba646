// Attacks by bodies in protobuf, as in attacks.test.ts: a short form of millions of values.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AttackedServer, startAttackedServer } from './attacked-server.ts';

const longestWaitMs = 250;
const attempts = 4;
const largest = 1_500_000;

let server: AttackedServer;
beforeAll(async () => {
  server = await startAttackedServer();
});
afterAll(() => server.stop());

const varint = (number: number): number[] => (number > 127 ? [(number & 127) | 128, ...varint(number >> 7)] : [number]);
const tagged = (field: number, ...content: (Buffer | string)[]): Buffer => {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([...varint((field << 3) | 2), ...varint(bytes.length)]), bytes]);
};
const filled = (part: Buffer) => Buffer.alloc(Math.floor(largest / part.length) * part.length, part);
const entries = (field: number) =>
  Buffer.concat(Array.from({ length: 100_000 }, (_, i) => tagged(field, tagged(1, `k${i}`), tagged(2, 'v'))));
const body = (kind: string, ...content: Buffer[]) =>
  Buffer.concat([Buffer.from('k8s\0'), tagged(1, tagged(1, 'v1'), tagged(2, kind)), tagged(2, ...content)]);

const name = tagged(1, 'x');
const metadata = tagged(1, name);
const empty = Buffer.alloc(0);

test.each<[attack: string, code: number, resource: string, body: Buffer]>([
  [
    'numbers of one byte',
    422,
    'pods',
    body('Pod', metadata, tagged(2, tagged(14, tagged(4, filled(Buffer.from([1])))))),
  ],
  ['empty containers', 413, 'pods', body('Pod', metadata, tagged(2, filled(tagged(2, empty))))],
  ['one field again and again', 413, 'pods', body('Pod', metadata, filled(tagged(2, tagged(2, empty))))],
  ['empty finalizers', 413, 'pods', body('Pod', tagged(1, name, filled(tagged(14, empty))))],
  ['keys of a map', 413, 'configmaps', body('ConfigMap', metadata, entries(2))],
  ['fields that are not known', 201, 'configmaps', body('ConfigMap', metadata, filled(Buffer.from([0xa0, 0x1f, 1])))],
])('%s', async (_, code, resource, bytes) => {
  for (let attempt = 1; ; attempt++) {
    const { waitMs, megabytes, ...answer } = await server.measured(() =>
      server.send('POST', `/api/v1/namespaces/default/${resource}?dryRun=All`, bytes, 'vnd.kubernetes.protobuf'),
    );
    expect(answer.code, answer.text.slice(0, 300)).toBe(code);
    if (waitMs < longestWaitMs && megabytes < 300) return;
    if (attempt < attempts) continue;
    expect(waitMs).toBeLessThan(longestWaitMs);
    expect(megabytes).toBeLessThan(300);
  }
});
