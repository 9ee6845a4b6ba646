import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pod, startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
const pods = '/api/v1/namespaces/default/pods';
const services = '/api/v1/namespaces/default/services';
const merge = { contentType: 'application/merge-patch+json' };

const service = (name: string, spec: object = {}) => ({ metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } });

beforeAll(async () => {
  server = await startTestServer({
    config: { serviceCidr: '10.96.0.0/24', nodePortRange: { from: 30_000, to: 30_009 } },
  });
});
afterAll(() => server.stop());

describe('services', () => {
  test('get an address, and give it back', async () => {
    const { body } = await server.call('POST', services, service('a', { clusterIP: '10.96.0.10' }));
    expect(body.spec).toMatchObject({ clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'], ipFamilies: ['IPv4'] });
    const address = '/apis/networking.k8s.io/v1/ipaddresses/10.96.0.10';
    expect((await server.call('GET', address)).body.spec.parentRef).toMatchObject({ resource: 'services', name: 'a' });
    const { body: taken } = await server.call('POST', services, service('b', { clusterIP: '10.96.0.10' }));
    expect(taken.message).toContain('failed to allocate IP 10.96.0.10: provided IP is already allocated');
    await server.call('DELETE', `${services}/a`);
    expect((await server.call('GET', address)).code).toBe(404);
    expect((await server.call('POST', services, service('b', { clusterIP: '10.96.0.10' }))).code).toBe(201);
  });

  test('never get one address twice under concurrency', async () => {
    const made = await Promise.all(
      Array.from({ length: 100 }, (_, i) => server.call('POST', services, service(`s${i}`))),
    );
    const addresses = made.map(({ body }) => body.spec.clusterIP);
    expect(new Set(addresses).size).toBe(100);
    await server.call('DELETE', services);
  });

  test('get node ports from the range until it is empty', async () => {
    const nodePort = (name: string) => server.call('POST', services, service(name, { type: 'NodePort' }));
    const made = await Promise.all(Array.from({ length: 10 }, (_, i) => nodePort(`n${i}`)));
    const ports = made.map(({ body }) => body.spec.ports[0].nodePort).sort();
    expect(ports).toEqual(Array.from({ length: 10 }, (_, i) => 30_000 + i));
    expect((await nodePort('over')).body.message).toContain('range is full');
    await server.call('DELETE', `${services}/n3`);
    expect((await nodePort('again')).code).toBe(201);
  });

  test.each([
    {
      case: 'an address outside the range',
      spec: { clusterIP: '10.1.0.1' },
      says: 'the provided network does not match the current range',
    },
    {
      case: 'a port outside the range',
      spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
      says: 'The range of valid ports is 30000-30009',
    },
    {
      case: 'two families',
      spec: { ipFamilyPolicy: 'RequireDualStack' },
      says: 'this cluster is not configured for dual-stack services',
    },
  ])('are refused $case', async ({ spec, says }) => {
    const { code, body } = await server.call('POST', services, service('bad', spec));
    expect(code).toBe(422);
    expect(body.message).toContain(says);
  });
});

describe('scale', () => {
  test('reads and writes the replicas', async () => {
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await server.call('POST', deployments, {
      metadata: { name: 'd' },
      spec: { selector: { matchLabels: { app: 'x' } }, template },
    });
    const { body } = await server.call('PATCH', `${deployments}/d/scale`, { spec: { replicas: 4 } }, merge);
    expect(body).toMatchObject({ kind: 'Scale', spec: { replicas: 4 }, status: { replicas: 0, selector: 'app=x' } });
    expect((await server.call('GET', `${deployments}/d`)).body).toMatchObject({
      metadata: { generation: 2 },
      spec: { replicas: 4 },
    });
  });
});

describe('binding', () => {
  const bind = (name: string, node: string) =>
    server.call('POST', `${pods}/${name}/binding`, { metadata: { name }, target: { kind: 'Node', name: node } });

  test('gives a pod its node, once', async () => {
    await server.call('POST', pods, pod('b'));
    expect((await bind('b', 'n1')).code).toBe(201);
    const { body } = await server.call('GET', `${pods}/b`);
    expect(body.spec.nodeName).toBe('n1');
    expect(body.status.conditions).toMatchObject([{ type: 'PodScheduled', status: 'True' }]);
    expect((await bind('b', 'n2')).body.message).toBe(
      'Operation cannot be fulfilled on pods/binding "b": pod b is already assigned to node "n1"',
    );
  });
});

describe('eviction', () => {
  test('checks the disruption budget', async () => {
    await server.call('POST', pods, { ...pod('e', { nodeName: 'n' }), metadata: { name: 'e', labels: { app: 'e' } } });
    await server.call(
      'PATCH',
      `${pods}/e/status`,
      { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } },
      merge,
    );
    const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
    await server.call('POST', budgets, {
      metadata: { name: 'b' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'e' } } },
    });
    const status = {
      observedGeneration: 1,
      disruptionsAllowed: 0,
      currentHealthy: 1,
      desiredHealthy: 1,
      expectedPods: 1,
    };
    await server.call('PATCH', `${budgets}/b/status`, { status }, merge);
    const evict = () => server.call('POST', `${pods}/e/eviction`, { metadata: { name: 'e' } });
    expect(await evict()).toMatchObject({
      code: 429,
      body: { message: "Cannot evict pod as it would violate the pod's disruption budget." },
    });
    await server.call('PATCH', `${budgets}/b/status`, { status: { disruptionsAllowed: 1 } }, merge);
    expect(await server.call('POST', `${pods}/e/eviction`, {})).toMatchObject({
      code: 400,
      body: { message: 'name in URL does not match name in Eviction object' },
    });
    expect((await evict()).code).toBe(201);
    expect((await server.call('GET', `${pods}/e`)).body.metadata.deletionGracePeriodSeconds).toBe(30);
    expect((await server.call('GET', `${budgets}/b`)).body.status).toMatchObject({ disruptionsAllowed: 0 });
  });
});

describe('server-side apply', () => {
  test('tracks field ownership', async () => {
    const path = '/api/v1/namespaces/default/configmaps/owned';
    const apply = (manager: string, data: object, force = false) =>
      server.call(
        'PATCH',
        path,
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owned' }, data },
        {
          contentType: 'application/apply-patch+yaml',
          query: { fieldManager: manager, ...(force && { force: 'true' }) },
        },
      );
    expect((await apply('one', { a: '1' })).code).toBe(201);
    expect((await apply('two', { b: '2' })).body.data).toEqual({ a: '1', b: '2' });
    expect(await apply('two', { a: '3', b: '2' })).toMatchObject({
      code: 409,
      body: { message: 'Apply failed with 1 conflict: conflict with "one": .data.a' },
    });
    expect((await apply('two', { a: '3' }, true)).body.data).toEqual({ a: '3' });
  });
});
