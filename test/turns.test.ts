// Lists of any length that fits in a request must not block the event loop: each list and map of each kind, at its
// maximum length, is sent to a server in a separate process, which measures its longest turn. The measure is CPU time
// relative to parsing the same text, so that a slow machine does not fail. The normal run tries the slowest ones and
// some others; `coracle test --long` tries all.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtinKinds, type Kind } from '../src/api/api.ts';
import { seededRandom } from '../src/machinery/random.ts';
import { type AttackedServer, startAttackedServer } from './attacked-server.ts';
import { collectionOf, growing, least, objectWith, type Step, sample } from './grown-objects.ts';
import { isLong, seed } from './long/long.ts';

const largest = (3 << 20) - 2_000;
/** A turn may take this long, or this many times as long as it takes to parse and write the text. */
const longestMs = 250;
const mostTimes = 6;
const attempts = 4;
/** Pod templates are Pod's own fields, handled by the same code; and so is metadata. */
const isRepeated = (kind: Kind, path: readonly Step[]) =>
  path.includes('managedFields') || path.includes('template') || (path[0] === 'metadata' && kind.kind !== 'Pod');

interface Case {
  readonly name: string;
  readonly kind: Kind;
  readonly path: readonly Step[];
  readonly make: typeof sample;
}

const all: readonly Case[] = builtinKinds().flatMap((kind) =>
  [...growing(kind.schema)]
    .filter((path) => !kind.virtual && !isRepeated(kind, path))
    .flatMap((path) =>
      [sample, least].map((make) => ({ name: `${kind.kind} ${path.join('.')} ${make.name}`, kind, path, make })),
    ),
);

const worst = [
  'Pod spec.containers.0.resources.limits sample',
  'Pod spec.containers least',
  'Endpoints subsets.0.addresses least',
  'EndpointSlice endpoints least',
  'LimitRange spec.limits.0.max sample',
  'Node status.capacity sample',
  'ResourceSlice spec.devices.0.attributes least',
  'StatefulSet spec.volumeClaimTemplates least',
  'CustomResourceDefinition spec.versions.0.schema.openAPIV3Schema.properties least',
];
const random = seededRandom(seed);
const some = Array.from({ length: 2 }, () => all[Math.floor(random.next() * all.length)]);
const tried = isLong ? all : [...worst.map((name) => all.find((one) => one.name === name)!), ...some];

function bodyOf({ kind, path, make }: Case): string {
  const few = 1_000;
  const each = JSON.stringify(objectWith(kind, path, few, make)).length / few;
  // Names of more digits are longer.
  for (let size = Math.floor(largest / each); ; ) {
    const text = JSON.stringify(objectWith(kind, path, size, make));
    if (text.length <= largest) return text;
    size = Math.floor((size * 0.995 * largest) / text.length);
  }
}

function readingMs(text: string): number {
  const started = process.threadCpuUsage();
  JSON.stringify(JSON.parse(text));
  const { user, system } = process.threadCpuUsage(started);
  return (user + system) / 1_000;
}

let server: AttackedServer;
beforeAll(async () => {
  server = await startAttackedServer();
});
afterAll(() => server.stop());

describe(`lists and maps as long as a body lets them be (seed ${seed})`, () => {
  test.each(tried)(
    '$name',
    async (one) => {
      const text = bodyOf(one);
      let found: { code: number; waitMs: number } | undefined;
      for (let attempt = 0; attempt < attempts; attempt++) {
        found = await server.measured(() => server.send('POST', `${collectionOf(one.kind)}?dryRun=All`, text));
        expect(found.code).not.toBe(500);
        if (found.waitMs < Math.max(longestMs, mostTimes * readingMs(text))) return;
      }
      expect.unreachable(`a turn took ${found?.waitMs} ms; reading the text takes ${readingMs(text)} ms`);
    },
    60_000,
  );
});
