import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ApiObject, builtinKinds, type Kind, KindRegistry, type Service } from '../../../api/api.ts';
import type { AdmissionPlugin } from '../../admission.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import { ownOperation } from '../operation.ts';
import { cacheOf } from '../target.ts';
import { create } from './create.ts';
import { writeOptions } from './write-options.ts';

let server: TestServer;
let seen: string[] = [];

/** Services, which take part in every step, with a note of each call. */
function observed(kind: Kind): Kind {
  const { strategy } = kind;
  const note = (step: string) => void seen.push(step);
  return {
    ...kind,
    strategy: {
      ...strategy,
      setDefaults(object) {
        note('defaults');
        strategy.setDefaults?.(object);
      },
      prepareForCreate(object, context) {
        note(`prepare${object.metadata.uid ? ' with uid' : ''}`);
        strategy.prepareForCreate?.(object, context);
      },
      prepareForUpdate(next, old, context) {
        note(`prepare${next.metadata.uid ? ' with uid' : ''}`);
        strategy.prepareForUpdate?.(next, old, context);
      },
      validate(object) {
        note(`validate${(object as Service).spec.clusterIP ? ' with address' : ''}`);
        return strategy.validate?.(object) ?? [];
      },
      validateUpdate(next, old) {
        note('validate');
        return strategy.validateUpdate?.(next, old) ?? [];
      },
      warnings(object, old) {
        note('warn');
        return strategy.warnings?.(object, old) ?? [];
      },
    },
  };
}

const isWatched = ({ resource }: { resource: string }) => resource === 'services';

const plugin: AdmissionPlugin = {
  name: 'Observer',
  admit(attributes) {
    if (!isWatched(attributes)) return;
    seen.push(`mutate${attributes.object?.metadata.managedFields ? ' with managed fields' : ''}`);
  },
  validate(attributes) {
    if (isWatched(attributes))
      seen.push(`admit${(attributes.object as Service | undefined)?.spec.clusterIP ? ' with address' : ''}`);
  },
  charge(attributes) {
    if (isWatched(attributes)) seen.push('charge');
    return undefined;
  },
};

const services = '/api/v1/namespaces/default/services';
const service = (metadata: object, spec: object = {}): ApiObject =>
  ({ apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }], ...spec } }) as ApiObject;

beforeAll(async () => {
  const kinds = builtinKinds().map((kind) => (kind.resource === 'services' ? observed(kind) : kind));
  server = await startTestServer({ kinds: new KindRegistry(kinds), admission: [plugin] });
  await server.call('POST', services, service({ name: 'old' }));
});
afterAll(() => server.stop());
beforeEach(() => {
  seen = [];
});

const created = [
  'mutate with managed fields',
  'prepare with uid',
  'validate',
  'warn',
  'admit with address',
  'charge',
] as const;

test.each<[string, string, string, object, string | undefined]>([
  ['a create', 'POST', services, service({ name: 'new' }), undefined],
  ['an update', 'PUT', `${services}/old`, service({ name: 'old' }, { selector: { a: 'b' } }), undefined],
  ['a merge patch', 'PATCH', `${services}/old`, { spec: { selector: { a: 'c' } } }, 'application/merge-patch+json'],
  [
    'an apply that changes',
    'PATCH',
    `${services}/old?fieldManager=m&force=true`,
    service({ name: 'old' }, { selector: { a: 'd' } }),
    'application/apply-patch+yaml',
  ],
  [
    'an apply that creates',
    'PATCH',
    `${services}/applied?fieldManager=m`,
    service({ name: 'applied' }),
    'application/apply-patch+yaml',
  ],
])('%s runs the steps in order', async (_, method, path, body, contentType) => {
  const { code, body: answer } = await server.call(method, path, body, contentType ? { contentType } : {});
  expect(code, answer.message).toBeLessThan(300);
  expect(seen.filter((step) => step !== 'defaults')).toEqual(created);
  // Defaults belong to decoding.
  expect(seen[0]).toBe('defaults');
});

test('a dry run runs all of them and stores no object', async () => {
  const { code } = await server.call('POST', `${services}?dryRun=All`, service({ name: 'dry' }));
  expect(code).toBe(201);
  expect(seen.filter((step) => step !== 'defaults')).toEqual(created);
  expect((await server.call('GET', `${services}/dry`)).code).toBe(404);
});

test('a write that validation rejects allocates no values and reaches no later step', async () => {
  const { code } = await server.call('POST', services, service({ name: 'wrong' }, { ports: [{ port: 0 }] }));
  expect(code).toBe(422);
  expect(seen.filter((step) => step !== 'defaults')).toEqual([
    'mutate with managed fields',
    'prepare with uid',
    'validate',
  ]);
});

test("a plugin's faults are listed with those of validation", async () => {
  const faulty: AdmissionPlugin = {
    name: 'Faulty',
    faults: async ({ name }) =>
      name === 'odd' ? [{ type: 'FieldValueForbidden', field: 'spec.x', message: 'Forbidden: not here' }] : [],
  };
  const other = await startTestServer({ admission: [faulty] });
  const causesOf = async (name: string, port: number) =>
    (await other.call('POST', services, service({ name }, { ports: [{ port }] }))).body.details?.causes.map(
      ({ field }: any) => field,
    );
  expect(await causesOf('odd', 0)).toEqual(['spec.x', 'spec.ports[0].port', 'spec.ports[0].targetPort']);
  expect(await causesOf('odd', 80)).toEqual(['spec.x']);
  expect(await causesOf('even', 80)).toBeUndefined();
  other.stop();
});

test('a generated name that is taken repeats the steps behind mutating admission alone', async () => {
  const { random } = server.server;
  const suffix = random.suffix.bind(random);
  let draws = 0;
  random.suffix = (length) => (draws++ === 0 ? 'taken' : suffix(length));
  await server.call('POST', services, service({ name: 'gen-taken' }));
  seen = [];
  const { code } = await server.call('POST', services, service({ generateName: 'gen-' }));
  random.suffix = suffix;
  expect(code).toBe(201);
  expect(seen.filter((step) => step !== 'defaults')).toEqual([...created, ...created.slice(1).map(again)]);
});

/** The second draft is a copy of the first one, which was given an address. */
const again = (step: string) => (step === 'validate' ? 'validate with address' : step);

describe('warnings', () => {
  const written = async (spec: object) => {
    const kind = server.server.kinds.byResource('', 'v1', 'services') as Kind;
    const place = { server: server.server, kind, cache: await cacheOf(server.server, kind), namespace: 'default' };
    const target = ownOperation({ ...place, name: '' }, 'create', { name: 'system:apiserver', groups: [] });
    const body = { object: service({ name: 'warned' }, { externalIPs: ['192.0.2.9'], ...spec }) };
    const options = writeOptions(new URLSearchParams('dryRun=All'), 'CreateOptions', 'test');
    const reply = await create(target, { body, options }).catch((error) => error);
    return { code: reply.code, warnings: target.warnings };
  };

  test('are sent with a write that succeeds', async () =>
    expect(await written({})).toEqual({
      code: 201,
      warnings: ['spec.externalIPs is deprecated and may no longer be implemented in some clusters'],
    }));

  test('are not sent when the allocation fails', async () =>
    expect(await written({ clusterIP: '192.0.2.1' })).toEqual({ code: 422, warnings: [] }));
});
