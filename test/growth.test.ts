// Request time must not grow quadratically with the size of an object: tests every fourth list and map of the kinds, and
// with --long every one. Only CPU time is compared, between two sizes of the same list (factor four), if it is long
// enough to be significant; a steep list is measured again before it fails.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Kind } from '../src/api/api.ts';
import { startTestServer, type TestServer } from '../src/kube-apiserver/testing/test-server.ts';
import { collectionOf, growing, objectWith, type Step } from './grown-objects.ts';
import { rounds } from './long/long.ts';

const sizes = [1_000, 4_000] as const;
const careful = [1_000, 8_000] as const;
/** Below this, garbage collection dominates. */
const shortMs = 40;
/** Linear work has 1, quadratic work 2. */
const steepest = 1.65;
const attempts = 4;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

async function timeOf(kind: Kind, path: readonly Step[], size: number): Promise<number> {
  const object = objectWith(kind, path, size);
  const started = process.threadCpuUsage();
  await server.call('POST', `${collectionOf(kind)}?dryRun=All`, object);
  const { user, system } = process.threadCpuUsage(started);
  return (user + system) / 1_000;
}

const slope = (short: number, long: number, [few, manyOf]: readonly [number, number]) =>
  Math.log(long / Math.max(1, short)) / Math.log(manyOf / few);

/** The exponent of growth; undefined if all times are short. Steep results are measured again. */
async function steepness(kind: Kind, path: readonly Step[]): Promise<number | undefined> {
  const long = await timeOf(kind, path, sizes[1]);
  if (long < shortMs) return undefined;
  const found = slope(await timeOf(kind, path, sizes[0]), long, sizes);
  if (found < steepest) return found;
  const least = async (size: number) => {
    const times: number[] = [];
    for (let attempt = 0; attempt < attempts; attempt++) times.push(await timeOf(kind, path, size));
    return Math.min(...times);
  };
  return slope(await least(careful[0]), await least(careful[1]), careful);
}

/** Their pod templates share Pod's fields and validation code. */
const sameTemplates = [
  'DaemonSet',
  'StatefulSet',
  'ReplicaSet',
  'ReplicationController',
  'PodTemplate',
  'CronJob',
  'Job',
];

const isRepeated = (kind: Kind, path: readonly Step[]): boolean =>
  path.includes('managedFields') ||
  (path[0] === 'metadata' && kind.kind !== 'Pod') ||
  (path.includes('template') && [...sameTemplates, 'Deployment'].includes(kind.kind));

test('no list of any kind takes more than its share of time', async () => {
  const lists = server.server.kinds
    .all()
    .filter(({ kind }) => kind !== 'CustomResourceDefinition') // another test covers its schemas
    .flatMap((kind) => [...growing(kind.schema)].map((path) => ({ kind, path })))
    .filter(({ kind, path }) => !isRepeated(kind, path));
  const tried = lists.filter((_, index) => index % rounds(4, 1) === 0);
  expect(tried.length).toBeGreaterThan(100);
  const steep: string[] = [];
  for (const { kind, path } of tried) {
    const found = await steepness(kind, path);
    if (found !== undefined && found >= steepest) steep.push(`${kind.kind} ${path.join('.')}: ${found.toFixed(2)}`);
  }
  expect(steep).toEqual([]);
});
