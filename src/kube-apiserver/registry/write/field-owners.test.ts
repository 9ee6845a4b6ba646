// Owners of fields, as Kubernetes 1.36 reports them.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pod, startTestServer, type TestServer } from '../../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const namespaced = (group: string, resource: string) => `/apis/${group}/v1/namespaces/default/${resource}`;
const fieldsOf = ({ body }: any) => (body.metadata.managedFields ?? []).map(({ fieldsV1 }: any) => fieldsV1);
const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };

describe('a create', () => {
  const slice = { metadata: { name: 's' }, addressType: 'IPv4' };
  test.each([
    ['a list that is missing', namespaced('discovery.k8s.io', 'endpointslices'), slice, [{ 'f:addressType': {} }]],
    [
      'an empty list that is always written',
      namespaced('discovery.k8s.io', 'endpointslices'),
      { ...slice, endpoints: [] },
      [{ 'f:addressType': {}, 'f:endpoints': {} }],
    ],
    ['a role without rules', namespaced('rbac.authorization.k8s.io', 'roles'), { metadata: { name: 'r' } }, []],
    [
      'an empty list that is not written',
      '/api/v1/nodes',
      { metadata: { name: 'n' }, spec: { taints: [] }, status: { addresses: [] } },
      [],
    ],
    [
      'data of any form',
      namespaced('apps', 'controllerrevisions'),
      { metadata: { name: 'c' }, revision: 1, data: { spec: { x: [1] } } },
      [{ 'f:data': {}, 'f:revision': {} }],
    ],
    [
      'times that are not set',
      namespaced('events.k8s.io', 'events'),
      {
        metadata: { name: 'e' },
        eventTime: '2020-01-02T03:04:05.000000Z',
        reportingController: 'c.test/x',
        reportingInstance: 'i',
        action: 'a',
        reason: 'r',
        type: 'Normal',
        regarding: { namespace: 'default' },
      },
      [
        {
          'f:action': {},
          'f:eventTime': {},
          'f:reason': {},
          'f:regarding': {},
          'f:reportingController': {},
          'f:reportingInstance': {},
          'f:type': {},
        },
      ],
    ],
  ])('with %s', async (_, path, body, owners) =>
    expect(fieldsOf(await server.call('POST', `${path}?dryRun=All`, body))).toEqual(owners),
  );

  test('of a daemon set owns the generation of its template', async () => {
    const body = { metadata: { name: 'd' }, spec: { selector: { matchLabels: { a: 'b' } }, template } };
    const [fields] = fieldsOf(await server.call('POST', `${namespaced('apps', 'daemonsets')}?dryRun=All`, body));
    expect(fields['f:metadata']).toEqual({
      'f:annotations': { '.': {}, 'f:deprecated.daemonset.template.generation': {} },
    });
  });
});

test('an update begins no owners for an object without any', async () => {
  await server.call('POST', namespaced('rbac.authorization.k8s.io', 'roles'), { metadata: { name: 'unowned' } });
  const path = `${namespaced('rbac.authorization.k8s.io', 'roles')}/unowned`;
  const changed = await server.call('PUT', path, { metadata: { name: 'unowned', labels: { a: 'b' } } });
  expect(changed.body.metadata.labels).toEqual({ a: 'b' });
  expect(fieldsOf(changed)).toEqual([]);
});

describe('a subresource that does not write metadata', () => {
  const metadata = { labels: { a: 'b' }, annotations: { a: 'b' } };

  test('keeps metadata and its owners', async () => {
    const path = '/apis/storage.k8s.io/v1/volumeattachments';
    const spec = { attacher: 'a.test', nodeName: 'n', source: { persistentVolumeName: 'v' } };
    await server.call('POST', `${path}?fieldManager=a-maker`, { metadata: { name: 'v', labels: { a: 'b' } }, spec });
    const { body } = await server.call('GET', `${path}/v`);
    const changed = await server.call('PUT', `${path}/v/status?fieldManager=b-attacher`, {
      ...body,
      metadata: { ...body.metadata, labels: { c: 'd' } },
      status: { attached: true },
    });
    expect(changed.body.metadata.labels).toEqual({ a: 'b' });
    expect(fieldsOf(changed)).toEqual([
      {
        'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
        'f:spec': { 'f:attacher': {}, 'f:nodeName': {}, 'f:source': { 'f:persistentVolumeName': {} } },
      },
      { 'f:status': { 'f:attached': {} } },
    ]);
  });

  test('keeps the labels of a deployment', async () => {
    const path = namespaced('apps', 'deployments');
    await server.call('POST', path, {
      metadata: { name: 'd' },
      spec: { selector: { matchLabels: { a: 'b' } }, template },
    });
    const { body } = await server.call('GET', `${path}/d`);
    const changed = await server.call('PUT', `${path}/d/status`, {
      ...body,
      metadata: { ...body.metadata, ...metadata },
    });
    expect(changed.body.metadata.labels).toBeUndefined();
    expect(changed.body.metadata.annotations).toEqual({ a: 'b' });
  });

  test('owns only the ephemeral containers of a pod', async () => {
    const path = '/api/v1/namespaces/default/pods';
    await server.call('POST', path, pod('p'));
    const { body } = await server.call('GET', `${path}/p`);
    const next = { ...body, metadata: { ...body.metadata, ...metadata } };
    next.spec = { ...body.spec, ephemeralContainers: [{ name: 'e', image: 'i' }] };
    const changed = await server.call('PUT', `${path}/p/ephemeralcontainers?fieldManager=debugger`, next);
    expect(changed.body.metadata.labels).toBeUndefined();
    expect(Object.keys(fieldsOf(changed)[1])).toEqual(['f:spec']);
    expect(Object.keys(fieldsOf(changed)[1]['f:spec'])).toEqual(['f:ephemeralContainers']);
  });
});

describe('an update of the status', () => {
  test("keeps the generation of a daemon set's template", async () => {
    const path = namespaced('apps', 'daemonsets');
    const body = { metadata: { name: 'kept' }, spec: { selector: { matchLabels: { a: 'b' } }, template } };
    await server.call('POST', path, body);
    const changed = await server.call('PUT', `${path}/kept/status`, body);
    expect(changed.body.metadata.annotations).toEqual({ 'deprecated.daemonset.template.generation': '1' });
  });

  test('without a phase has the default phase', async () => {
    const path = '/api/v1/persistentvolumes';
    const spec = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/a' } };
    await server.call('POST', path, { metadata: { name: 'v' }, spec });
    const { body } = await server.call('GET', `${path}/v`);
    const changed = await server.call('PUT', `${path}/v/status`, { ...body, status: {} });
    expect(changed.body.status.phase).toBe('Pending');
  });
});
