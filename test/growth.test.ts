// Work grows with the size of an object, not with its square: every list and map of every kind, longer and longer.
// Time on a processor is only compared with such time, of the same request with a list four times as long, and only where it is long enough to
// mean anything; a list that seems to grow too fast is measured again before it counts.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Kind, Schema } from '../src/api/api.ts';
import { startTestServer, type TestServer } from '../src/kube-apiserver/test-server.ts';

const sizes = [1_000, 4_000] as const;
const careful = [1_000, 8_000] as const;
/** Below this a step of the garbage collector is what is measured. */
const shortMs = 40;
/** Linear work has 1, quadratic work 2. */
const steepest = 1.65;
const attempts = 4;
const deepest = 7;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

type Step = string | 0;

/** Paths of all lists and maps below a schema; a list on the way stands for its first item. */
function* growing(
  schema: Schema,
  path: readonly Step[] = [],
  seen: readonly Schema[] = [],
): Generator<readonly Step[]> {
  if (path.length > deepest || seen.includes(schema)) return;
  const within = [...seen, schema];
  if (schema.type === 'array') {
    yield path;
    if (schema.items) yield* growing(schema.items, [...path, 0], within);
  } else if (typeof schema.additionalProperties === 'object') yield path;
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    yield* growing(property, [...path, name], within);
}

const schemaAt = (schema: Schema, path: readonly Step[]): Schema =>
  path.reduce<Schema>((at, step) => (step === 0 ? at.items! : at.properties![step]), schema);

/** A value of the schema's type with everything set that is no list, unlike that of any other `i`. */
function sample(schema: Schema, i: number, depth = 0): any {
  if (schema.enum) return schema.enum[0];
  if (schema.intOrString) return 1 + (i % 60_000);
  if (schema.type === 'integer' || schema.type === 'number') return 1 + (i % 60_000);
  if (schema.type === 'boolean') return false;
  if (schema.format === 'quantity') return `${i + 1}`;
  if (schema.type === 'string') return `x${i}`;
  if (schema.type === 'array') return depth < 2 ? [sample(schema.items ?? {}, i, depth + 1)] : [];
  if (!schema.properties) return {};
  const scalars = Object.entries(schema.properties).filter(
    ([name, { type }]) => type !== 'object' || schema.required?.includes(name),
  );
  return Object.fromEntries(scalars.map(([name, property]) => [name, sample(property, i, depth + 1)]));
}

function objectWith(kind: Kind, path: readonly Step[], size: number): object {
  const schema = schemaAt(kind.schema, path);
  const indexes = Array.from({ length: size }, (_, i) => i);
  const grown: any =
    schema.type === 'array'
      ? indexes.map((i) => sample(schema.items ?? {}, i))
      : Object.fromEntries(indexes.map((i) => [`x${i}`, sample(schema.additionalProperties as Schema, i)]));
  let value = grown;
  for (let at = path.length - 1; at >= 0; at--) {
    const step = path[at];
    if (step === 0) value = [{ name: 'x', ...value }];
    else value = { [step]: value };
  }
  const metadata = { name: 'x', ...value.metadata };
  return {
    apiVersion: kind.group ? `${kind.group}/${kind.version}` : kind.version,
    kind: kind.kind,
    ...value,
    metadata,
  };
}

async function timeOf(kind: Kind, path: readonly Step[], size: number): Promise<number> {
  const root = kind.group ? `/apis/${kind.group}/${kind.version}` : `/api/${kind.version}`;
  const url = `${root}${kind.namespaced ? '/namespaces/default' : ''}/${kind.resource}?dryRun=All`;
  const object = objectWith(kind, path, size);
  const started = process.threadCpuUsage();
  await server.call('POST', url, object);
  const { user, system } = process.threadCpuUsage(started);
  return (user + system) / 1_000;
}

const slope = (short: number, long: number, [few, manyOf]: readonly [number, number]) =>
  Math.log(long / Math.max(1, short)) / Math.log(manyOf / few);

/** How steeply time grows with size; undefined where all of it is short. What looks steep is looked at with more care. */
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

/** Their pod templates are Pod's own fields, validated by the same code. */
const sameTemplates = [
  'DaemonSet',
  'StatefulSet',
  'ReplicaSet',
  'ReplicationController',
  'PodTemplate',
  'CronJob',
  'Job',
];

test('no list of any kind takes more than its share of time', async () => {
  const steep: string[] = [];
  for (const kind of server.server.kinds.all()) {
    if (kind.kind === 'CustomResourceDefinition') continue; // its schemas are a test of their own
    for (const path of growing(kind.schema)) {
      if (path.includes('managedFields') || (path[0] === 'metadata' && kind.kind !== 'Pod')) continue;
      if (path.includes('template') && [...sameTemplates, 'Deployment'].includes(kind.kind)) continue;
      const found = await steepness(kind, path);
      if (found !== undefined && found >= steepest) steep.push(`${kind.kind} ${path.join('.')}: ${found.toFixed(2)}`);
    }
  }
  expect(steep).toEqual([]);
});
