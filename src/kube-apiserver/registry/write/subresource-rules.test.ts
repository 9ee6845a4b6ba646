// Subresources that write a part of their object: other fields are dropped or rejected.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pod, startTestServer, type TestServer } from '../../testing/test-server.ts';

let server: TestServer;
const pods = '/api/v1/namespaces/default/pods';
const requests = { resources: { requests: { cpu: '1' } } };

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const container = (name: string, more: object = {}) => ({ name, image: 'registry.test/c:1', ...more });

async function changed(path: string, subresource: string, change: (object: any) => void) {
  const { body } = await server.call('GET', path);
  const object = structuredClone(body); // the cache shares it
  change(object);
  return server.call('PUT', subresource ? `${path}/${subresource}` : path, object);
}

describe('pods/resize', () => {
  const path = `${pods}/resized`;
  beforeAll(() => server.call('POST', pods, pod('resized', { containers: [container('c', requests)] })));

  test('changes resources, and drops an image and labels', async () => {
    const { code, body } = await changed(path, 'resize', (object) => {
      object.spec.containers[0].resources.requests.cpu = '2';
      object.spec.containers[0].image = 'other';
      object.metadata.labels = { a: 'b' };
    });
    expect(code, body.message).toBe(200);
    expect(body.spec.containers[0]).toMatchObject({
      image: 'registry.test/c:1',
      resources: { requests: { cpu: '2' } },
    });
    expect(body.metadata).not.toHaveProperty('labels');
  });

  test.each<[string, (spec: any) => void, string]>([
    ['adds', (spec) => void spec.containers.push(container('d')), 'containers may not be added or removed on resize'],
    ['renames', (spec) => void (spec.containers[0].name = 'd'), 'containers may not be renamed or reordered on resize'],
  ])('one that %s a container is refused', async (_, change, fault) => {
    const { code, body } = await changed(path, 'resize', ({ spec }) => change(spec));
    expect(code).toBe(422);
    expect(body.message).toContain(fault);
  });
});

test('pods/ephemeralcontainers adds them and drops the rest', async () => {
  await server.call('POST', pods, pod('debugged'));
  const { code, body } = await changed(`${pods}/debugged`, 'ephemeralcontainers', (object) => {
    object.spec.ephemeralContainers = [container('debug')];
    object.spec.containers[0].image = 'other';
    object.status = { phase: 'Running' };
  });
  expect(code, body.message).toBe(200);
  expect(body.spec.ephemeralContainers).toMatchObject([{ name: 'debug' }]);
  expect(body.spec.containers[0].image).toBe('registry.test/c:1');
  expect(body.status.phase).toBe('Pending');
});

test('namespaces/finalize changes spec.finalizers alone', async () => {
  await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'ended' } });
  const { code, body } = await changed('/api/v1/namespaces/ended', 'finalize', (object) => {
    object.spec.finalizers = ['a.test/b'];
    object.status.phase = 'Terminating';
  });
  expect(code, body.message).toBe(200);
  expect(body).toMatchObject({ spec: { finalizers: ['a.test/b'] }, status: { phase: 'Active' } });
});

test('/status writes the status only', async () => {
  await server.call('POST', pods, pod('told'));
  const through = (subresource: string) =>
    changed(`${pods}/told`, subresource, (object) => {
      object.spec.containers[0].image = 'registry.test/c:2';
      object.status.phase = subresource ? 'Running' : 'Failed';
    });
  const { body: told } = await through('status');
  expect(told).toMatchObject({ status: { phase: 'Running' }, spec: { containers: [{ image: 'registry.test/c:1' }] } });
  const { body: whole } = await through('');
  expect(whole).toMatchObject({ status: { phase: 'Running' }, spec: { containers: [{ image: 'registry.test/c:2' }] } });
});
