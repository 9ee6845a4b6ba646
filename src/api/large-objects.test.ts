// Large objects are decoded in steps, with the same result.

import { describe, expect, test } from 'vitest';
import type { Schema } from '../machinery/schema.ts';
import { finish, type Steps } from '../machinery/time/steps.ts';
import { decode, decoding, storedForm, storedFormInSteps } from './decode.ts';
import { ApiError, invalid } from './errors.ts';
import type { ApiObject, Kind } from './kind.ts';
import { schemaOfKind } from './schemas.ts';
import { create, faults, pod as podOf, pods, registry } from './test-kinds.ts';

const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const map = (count: number, value: (i: number) => unknown) =>
  Object.fromEntries(many(count, (i) => [`k${(i * 7_919) % count}`, value(i)]));
const schemaOf = (group: string, version: string, kind: string) => schemaOfKind(group, version, kind) as Schema;
const pod = schemaOf('', 'v1', 'Pod');
const crd = schemaOf('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition');

const container = (i: number) => ({
  name: `c${i}`,
  image: '',
  env: many(i % 5, (j) => ({ name: `E${j}`, value: '', odd: j })),
  resources: { limits: map(i % 3, () => '0.5') },
});

const objects: readonly (readonly [name: string, schema: Schema, value: object])[] = [
  ['a short one', pod, { metadata: { name: 'p' }, spec: { containers: [container(2)] } }],
  ['a long list', pod, { metadata: { name: 'p' }, spec: { containers: many(9_000, container), volumes: [] } }],
  ['a long map', schemaOf('', 'v1', 'ConfigMap'), { data: map(60_000, String), binaryData: map(2_000, () => null) }],
  ['a resource list', schemaOf('', 'v1', 'Node'), { status: { capacity: map(9_000, (i) => i / 1_000) } }],
  ['nulls', pod, { spec: { containers: many(9_000, () => null), nodeSelector: null } }],
  [
    'lists in long lists',
    schemaOf('', 'v1', 'Endpoints'),
    { subsets: many(400, () => ({ addresses: many(50, (i) => ({ ip: `10.0.0.${i}` })) })) },
  ],
  [
    'unions',
    crd,
    {
      spec: {
        versions: [{ name: 'v1', schema: { openAPIV3Schema: { properties: map(9_000, () => ({ items: {} })) } } }],
      },
    },
  ],
];

function counted<T>(steps: Steps<T>): { count: number; result: T } {
  for (let count = 0; ; count++) {
    const step = steps.next();
    if (step.done) return { count, result: step.value };
  }
}

describe.each([false, true])('with empty lists kept: %j', (keepsEmpty) => {
  test.each(objects)('%s', (name, schema, value) => {
    const { count, result } = counted(decoding(schema, value, keepsEmpty));
    expect(JSON.stringify(result)).toBe(JSON.stringify(decode(schema, value, keepsEmpty)));
    if (name !== 'a short one' && name !== 'a resource list') expect(count).toBeGreaterThan(0);
    const kind = { schema, emptyFields: 'validated' } as const;
    const stored = finish(storedFormInSteps(kind, result.object));
    expect(JSON.stringify(stored)).toBe(JSON.stringify(storedForm(kind, result.object)));
  });
});

test.each([
  ['a list', { spec: { containers: [...many(9_000, container), { name: 'x', ports: [{ hostPort: 'a' }] }] } }],
  ['a map', { metadata: { labels: { ...map(9_000, String), last: 1 } } }],
  ['a struct', { spec: { containers: [...many(9_000, container), 7] } }],
])('the fault in the last item of %s', (_, value) => {
  const faultOf = (run: () => unknown) => {
    try {
      return run();
    } catch (error) {
      return (error as Error).message;
    }
  };
  const fault = faultOf(() => decode(pod, value));
  expect(fault).toMatch(/^json: cannot unmarshal/);
  expect(faultOf(() => finish(decoding(pod, value)))).toBe(fault);
});

test('an answer shows as many faults as fit', () => {
  const field = 'spec.names';
  const message = 'x'.repeat(100_000);
  const faultsOf = (count: number) => many(count, () => ({ type: 'FieldValueInvalid', field, message }) as const);
  const causesOf = (count: number) => invalid(pods, 'p', faultsOf(count)).status.details?.causes?.length;
  expect([1, 7, 1_000].map(causesOf)).toEqual([1, 7, 10]);
  const long = new ApiError({ metadata: {}, message: 'x'.repeat(2 << 20), code: 400 });
  expect([long.message.length, long.status.message?.length, long.code]).toEqual([1 << 20, 1 << 20, 400]);
});

test('a fault shows a long value, or the path of a long key, in part', () => {
  const long = 'x'.repeat(3 << 20);
  const maps = registry.byResource('', 'v1', 'configmaps') as Kind;
  const [key] = faults(maps, create(maps, { data: { [`${long}!`]: '' } }) as ApiObject);
  const value = faults(pods, podOf({ restartPolicy: long }) as ApiObject).join();
  for (const text of [key, value]) {
    expect(text.length).toBeLessThan(200_000);
    expect(text).toMatch(/x\.\.\. \(\d+ more characters\)/);
  }
  expect(value).toContain('supported values: "Always"');
});
