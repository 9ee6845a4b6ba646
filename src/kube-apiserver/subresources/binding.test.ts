// Both ways of binding a pod run admission.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Binding, forbidden } from '../../api/api.ts';
import { type Client, createClient } from '../../client/client.ts';
import { podTopologyLabels } from '../admission-plugins/pod-topology-labels.ts';
import { pod, startTestServer, type TestServer } from '../testing/test-server.ts';

const ns = '/api/v1/namespaces/default';
let server: TestServer;
let seen: string[] = [];

beforeAll(async () => {
  let client: Client | undefined;
  server = await startTestServer({
    admission: [
      podTopologyLabels(() => client as Client),
      {
        name: 'test',
        admit({ operation, resource, subresource, kind, name, namespace, object }) {
          if (kind.kind !== 'Binding') return;
          seen.push(
            `${operation} ${resource}/${subresource} ${namespace}/${name} to ${(object as Binding | undefined)?.target.name}`,
          );
          if (object) object.metadata.annotations = { by: 'admission' };
        },
        validate({ kind, name, object }) {
          if (kind.kind === 'Binding' && (object as Binding | undefined)?.target.name === 'closed')
            throw forbidden(kind, name, 'closed');
        },
      },
    ],
  });
  client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  const labels = { 'topology.kubernetes.io/zone': 'z', 'topology.kubernetes.io/region': 'r', other: 'o' };
  await server.call('POST', '/api/v1/nodes', { metadata: { name: 'zoned', labels } });
});
afterAll(() => server.stop());
beforeEach(() => {
  seen = [];
});

const binding = (name: string, node: string) => ({ metadata: { name }, target: { kind: 'Node', name: node } });

test.each([
  ['pods/binding', (name: string) => `${ns}/pods/${name}/binding`, 'pods/binding'],
  ['bindings', () => `${ns}/bindings`, 'bindings/'],
])('a binding through %s is admitted, changed or refused', async (_, path, resource) => {
  const name = `p-${resource.replace('/', '')}`;
  await server.call('POST', `${ns}/pods`, pod(name));
  expect(await server.call('POST', path(name), binding(name, 'closed'))).toMatchObject({
    code: 403,
    body: { message: `${resource.split('/')[0]} "${name}" is forbidden: closed` },
  });
  expect((await server.call('GET', `${ns}/pods/${name}`)).body.spec.nodeName).toBeUndefined();
  expect((await server.call('POST', path(name), binding(name, 'open'))).code).toBe(201);
  const { body } = await server.call('GET', `${ns}/pods/${name}`);
  expect([body.spec.nodeName, body.metadata.annotations]).toEqual(['open', { by: 'admission' }]);
  expect(seen).toEqual(['closed', 'open'].map((node) => `CREATE ${resource} default/${name} to ${node}`));
});

test('a binding in the body of its collection needs a name, and its uid is of no account', async () => {
  await server.call('POST', `${ns}/pods`, pod('by-body'));
  expect(await server.call('POST', `${ns}/bindings`, binding('', 'n'))).toMatchObject({
    code: 400,
    body: { message: 'Name parameter required.' },
  });
  const { target } = binding('', 'n');
  const bind = { metadata: { name: 'by-body', uid: 'x' }, target };
  expect((await server.call('POST', `${ns}/pods/by-body/binding`, bind)).code).toBe(409);
  expect((await server.call('POST', `${ns}/bindings`, bind)).code).toBe(201);
});

test('a bound pod gets the zone and region of its node, and no longer has a nominated one', async () => {
  await server.call('POST', `${ns}/pods`, pod('zoned'));
  await server.call(
    'PATCH',
    `${ns}/pods/zoned/status`,
    { status: { nominatedNodeName: 'other' } },
    { contentType: 'application/merge-patch+json' },
  );
  expect((await server.call('POST', `${ns}/pods/zoned/binding`, binding('zoned', 'zoned'))).code).toBe(201);
  const { body } = await server.call('GET', `${ns}/pods/zoned`);
  expect(body.metadata.labels).toEqual({ 'topology.kubernetes.io/zone': 'z', 'topology.kubernetes.io/region': 'r' });
  expect(body.status).not.toHaveProperty('nominatedNodeName');
  const { body: own } = await server.call('POST', `${ns}/pods`, pod('own', { nodeName: 'zoned' }));
  expect(own.metadata.labels).toEqual(body.metadata.labels);
});

test.each([
  ['another name', { metadata: { name: 'x' }, target: { name: 'n' } }, 400, 'name in URL does not match'],
  ['no name', { target: { name: 'n' } }, 400, 'name in URL does not match name in Binding object'],
  ['no node', { metadata: { name: 'q' } }, 500, 'target.name: Required value'],
  ['another kind', { metadata: { name: 'q' }, target: { kind: 'Pod', name: 'n' } }, 500, 'target.kind: Unsupported'],
  ['another namespace', { metadata: { name: 'q', namespace: 'x' }, target: { name: 'n' } }, 400, 'the namespace of'],
])('a binding with %s is refused', async (_, body, code, message) => {
  await server.call('POST', `${ns}/pods`, pod('q'));
  const answer = await server.call('POST', `${ns}/pods/q/binding`, body);
  expect([answer.code, answer.body.message]).toEqual([code, expect.stringContaining(message)]);
});
