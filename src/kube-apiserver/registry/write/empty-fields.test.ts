// Empty lists and maps are not stored. Some kinds count them as changes until then.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const policies = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';
const hooks = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
const slices = '/apis/resource.k8s.io/v1/resourceslices';

const policy = (name: string, spec: object) => ({ metadata: { name }, spec: { policyTypes: ['Ingress'], ...spec } });
const hook = (name: string, more: object) => ({
  metadata: { name },
  webhooks: [
    {
      name: 'a.b.test',
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      clientConfig: { url: 'https://h.test' },
      ...more,
    },
  ],
});
const slice = (name: string, more: object) => ({
  metadata: { name },
  spec: { driver: 'd', nodeName: 'n', pool: { name: 'p', resourceSliceCount: 1 }, ...more },
});

/** The generation after an update to `next`. */
async function updated(path: string, first: any, next: any) {
  const { code, body } = await server.call('POST', path, first);
  expect(code, body.message).toBe(201);
  const change = { ...next, metadata: { ...next.metadata, resourceVersion: body.metadata.resourceVersion } };
  const answer = await server.call('PUT', `${path}/${first.metadata.name}`, change);
  expect(answer.code, answer.body.message).toBe(200);
  return answer.body;
}

describe('the generation', () => {
  test.each([
    ['the same', {}, 1],
    ['no labels', { podSelector: { matchLabels: {} } }, 2],
    ['no expressions', { podSelector: { matchExpressions: [] } }, 2],
    ['no rules', { ingress: [] }, 2],
  ])('of a network policy with %s', async (title, spec, generation) => {
    const name = title.replace(' ', '-');
    const body = await updated(policies, policy(name, { podSelector: {} }), policy(name, { podSelector: {}, ...spec }));
    expect(body.metadata.generation).toBe(generation);
    expect(body.spec).toEqual({ podSelector: {}, policyTypes: ['Ingress'] });
  });

  test.each([
    ['the same', {}, 1],
    ['no rules', { rules: [] }, 2],
    ['no conditions', { matchConditions: [] }, 2],
    ['no certificates', { clientConfig: { url: 'https://h.test', caBundle: '' } }, 2],
  ])('of webhooks with %s', async (title, more, generation) => {
    const name = title.replace(' ', '-');
    const body = await updated(hooks, hook(name, {}), hook(name, more));
    expect(body.metadata.generation).toBe(generation);
    expect(body.webhooks[0]).not.toHaveProperty('rules');
    expect(body.webhooks[0].clientConfig).toEqual({ url: 'https://h.test' });
  });

  test('of a slice of devices stays', async () => {
    const body = await updated(slices, slice('s', {}), slice('s', { devices: [] }));
    expect(body.metadata.generation).toBe(1);
    expect(body.spec).not.toHaveProperty('devices');
  });
});

describe('no empty field changes', () => {
  test('the generation of an endpoint slice', async () => {
    const slice = (hints: object) => ({
      metadata: { name: 'e' },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['192.0.2.1'], hints: { forZones: [{ name: 'z' }], ...hints } }],
      ports: [],
    });
    const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
    const body = await updated(path, slice({}), slice({ forNodes: [] }));
    expect(body.metadata.generation).toBe(1);
  });

  test('the generation of a driver', async () => {
    const driver = (spec: object) => ({ metadata: { name: 'd.test' }, spec });
    const path = '/apis/storage.k8s.io/v1/csidrivers';
    const body = await updated(path, driver({}), driver({ tokenRequests: [] }));
    expect(body.metadata.generation ?? 0).toBe(0);
  });

  test("the generation of a daemon set's template", async () => {
    const labels = { a: 'b' };
    const set = (spec: object) => ({
      metadata: { name: 's' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } },
      },
    });
    const path = '/apis/apps/v1/namespaces/default/daemonsets';
    const { metadata } = await updated(path, set({}), set({ tolerations: [], imagePullSecrets: [] }));
    expect(metadata.generation).toBe(1);
    expect(metadata.annotations['deprecated.daemonset.template.generation']).toBe('1');
  });
});

test('empty fields have no owner', async () => {
  const { body } = await server.call('POST', policies, policy('owned', { podSelector: { matchLabels: {} } }));
  expect(body.metadata.managedFields[0].fieldsV1).toEqual({
    'f:spec': { 'f:policyTypes': {} },
  });
});
