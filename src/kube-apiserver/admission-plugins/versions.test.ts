import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../../client/client.ts';
import { testAuthority } from '../testing/test-certificates.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { admissionPlugins } from './admission-plugins.ts';

const policies = '/apis/admissionregistration.k8s.io/v1';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const at = (version: string) => `/apis/test.example/${version}/namespaces/default/ports`;

let hook: Server;
let clientConfig: { url: string; caBundle: string };
let converts: boolean;
/** AdmissionRequests that the webhook got. */
let asked: any[];
let server: TestServer;

/** v1 has one text `address`, v2 a `host` and a `port`. */
function convert(object: any, apiVersion: string): any {
  if (object.apiVersion === apiVersion) return object;
  const { address, host, port } = object.spec;
  const [first, second] = (address ?? '').split(':');
  return {
    ...object,
    apiVersion,
    spec: apiVersion.endsWith('/v2') ? { host: first, port: second } : { address: `${host}:${port}` },
  };
}

const patchOf: Record<string, object> = {
  v1: { op: 'replace', path: '/spec/address', value: 'changed:2' },
  v2: { op: 'replace', path: '/spec/host', value: 'changed' },
};

function answer({ request }: any): object {
  const { uid, objects, desiredAPIVersion, object } = request;
  if (objects && !converts) return { uid, result: { status: 'Failure', message: 'not today' } };
  if (objects)
    return {
      uid,
      result: { status: 'Success' },
      convertedObjects: objects.map((one: any) => convert(one, desiredAPIVersion)),
    };
  asked.push(request);
  const patch = Buffer.from(JSON.stringify([patchOf[object.apiVersion.split('/')[1]]])).toString('base64');
  return { uid, allowed: true, patchType: 'JSONPatch', patch };
}

beforeAll(async () => {
  const authority = await testAuthority();
  hook = createServer(await authority.issue('CN=hook', ['127.0.0.1']), async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const review = JSON.parse(Buffer.concat(parts).toString());
    response.end(JSON.stringify({ ...review, request: undefined, response: answer(review) }));
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(hook.address() as AddressInfo).port}/`;
  clientConfig = { url, caBundle: Buffer.from(authority.ca).toString('base64') };
});
afterAll(() => {
  hook.closeAllConnections();
  hook.close();
});

beforeEach(async () => {
  asked = [];
  converts = true;
  let client: Client | undefined;
  server = await startTestServer({ admission: admissionPlugins(() => client as Client), namespaces: [] });
  client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  await created('/api/v1/namespaces', 'default', {});
});
afterEach(() => server.stop());

async function created(path: string, name: string, rest: object) {
  const { code, body } = await server.call('POST', path, { metadata: { name }, ...rest });
  expect(code, body.message).toBe(201);
  return body;
}

const versionOf = (name: string, fields: readonly string[]) => {
  const properties = Object.fromEntries(fields.map((field) => [field, { type: 'string' }]));
  const openAPIV3Schema = { type: 'object', properties: { spec: { type: 'object', properties } } };
  return { name, served: true, storage: name === 'v1', schema: { openAPIV3Schema } };
};

async function define(strategy: 'Webhook' | 'None'): Promise<void> {
  const webhook = { conversionReviewVersions: ['v1'], clientConfig };
  const spec = {
    group: 'test.example',
    scope: 'Namespaced',
    names: { plural: 'ports', kind: 'Port' },
    versions: [versionOf('v1', ['address', 'host']), versionOf('v2', ['host', 'port'])],
    conversion: { strategy, ...(strategy === 'Webhook' && { webhook }) },
  };
  await created(definitions, 'ports.test.example', { spec });
  await expect.poll(async () => (await server.call('GET', at('v2'))).code).toBe(200);
}

const rulesFor = (version: string) => [
  { apiGroups: ['test.example'], apiVersions: [version], operations: ['CREATE', 'UPDATE'], resources: ['ports'] },
];

async function validate(version: string, expression: string, over: object = {}, binding: object = {}) {
  const matchConstraints = { resourceRules: rulesFor(version), ...over };
  await created(`${policies}/validatingadmissionpolicies`, 'p', {
    spec: { matchConstraints, validations: [{ expression }] },
  });
  await created(`${policies}/validatingadmissionpolicybindings`, 'p', {
    spec: { policyName: 'p', validationActions: ['Deny'], ...binding },
  });
}

const mutators: Record<string, (version: string) => Promise<void>> = {
  async policy(version) {
    const { path, value } = patchOf[version] as any;
    const expression = `[JSONPatch{op: "replace", path: "${path}", value: "${value}"}]`;
    await created(`${policies}/mutatingadmissionpolicies`, 'p', {
      spec: {
        matchConstraints: { resourceRules: rulesFor(version) },
        mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression } }],
        reinvocationPolicy: 'Never',
      },
    });
    await created(`${policies}/mutatingadmissionpolicybindings`, 'p', { spec: { policyName: 'p' } });
  },
  async webhook(version) {
    const common = { name: 'hook.x.test', admissionReviewVersions: ['v1'], sideEffects: 'None', clientConfig };
    await created(`${policies}/mutatingwebhookconfigurations`, 'c', {
      webhooks: [{ ...common, rules: rulesFor(version) }],
    });
  },
};

const write = (version: string, spec: object) =>
  server.call('POST', at(version), {
    apiVersion: `test.example/${version}`,
    kind: 'Port',
    metadata: { name: 'a' },
    spec,
  });
const specs: Record<string, object> = { v1: { address: 'one:1' }, v2: { host: 'one', port: '1' } };

describe.each(Object.keys(mutators))('a mutating %s of a resource with a conversion webhook', (by) => {
  test.each([
    { request: 'v1', rule: 'v2', made: { address: 'changed:1' } },
    { request: 'v2', rule: 'v1', made: { host: 'changed', port: '2' } },
    { request: 'v2', rule: 'v2', made: { host: 'changed', port: '1' } },
  ])('with rule $rule changes objects written as $request', async ({ request, rule, made }) => {
    await define('Webhook');
    await (mutators[by] as (version: string) => Promise<void>)(rule);
    const { code, body } = await write(request, specs[request] as object);
    expect([code, body.apiVersion, body.spec], body.message).toEqual([201, `test.example/${request}`, made]);
    expect((await server.call('GET', `${at(request)}/a`)).body.spec).toEqual(made);
  });

  test('changes it again at an update', async () => {
    await define('Webhook');
    const { body } = await write('v1', specs.v1 as object);
    await (mutators[by] as (version: string) => Promise<void>)('v2');
    const next = await server.call('PUT', `${at('v1')}/a`, { ...body, spec: { address: 'two:5' } });
    expect([next.code, next.body.spec]).toEqual([200, { address: 'changed:5' }]);
  });
});

test('fields outside of the other version survive without conversion', async () => {
  await define('None');
  await mutators.policy!('v2');
  const { body } = await write('v1', { address: 'kept', host: 'one' });
  expect(body.spec).toEqual({ address: 'kept', host: 'changed' });
});

describe('a validating policy', () => {
  const sees =
    "object.spec.host == 'one' && request.kind.version == 'v2' && request.resource.version == 'v2' && request.requestKind.version == 'v1' && request.requestResource.version == 'v1'";
  const refused = "!object.spec.host.startsWith('one')";

  test.each<[string, string, object, object, number]>([
    ['sees the version that it names', sees, {}, {}, 201],
    ['refuses in the version that it names', refused, {}, {}, 422],
    ['is not called for other versions with matchPolicy Exact', refused, { matchPolicy: 'Exact' }, {}, 201],
    ['is not asked when a rule excludes another version', refused, { excludeResourceRules: rulesFor('v2') }, {}, 201],
    [
      'is called when a rule excludes exactly another version',
      refused,
      { resourceRules: rulesFor('v1'), excludeResourceRules: rulesFor('v2'), matchPolicy: 'Exact' },
      {},
      422,
    ],
    ['follows its binding', refused, {}, { matchResources: { resourceRules: rulesFor('v2') } }, 422],
    [
      'follows its binding exactly',
      refused,
      {},
      { matchResources: { resourceRules: rulesFor('v2'), matchPolicy: 'Exact' } },
      201,
    ],
  ])('%s', async (_, expression, over, binding, code) => {
    await define('Webhook');
    await validate('v2', expression, over, binding);
    expect(await write('v1', specs.v1 as object)).toMatchObject({ code });
  });

  test('denies when the object cannot be converted', async () => {
    await define('Webhook');
    await validate('v2', 'true');
    converts = false;
    const { code, body } = await write('v1', specs.v1 as object);
    expect(code).toBe(422);
    expect(body.message).toBe(
      `ports.test.example "a" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: failed to configure binding: failed to convert object version: conversion webhook for test.example/v1, Kind=Port failed: not today`,
    );
  });

  test('sees built-in kinds in the version that it names', async () => {
    const rule = { apiGroups: ['autoscaling'], apiVersions: ['v2'], operations: ['CREATE'] };
    const resourceRules = [{ ...rule, resources: ['horizontalpodautoscalers'] }];
    await validate('v2', 'object.spec.metrics[0].resource.target.averageUtilization > 60', { resourceRules });
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' };
    const scaler = (percent: number) =>
      server.call('POST', '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers', {
        metadata: { name: 'h' },
        spec: { maxReplicas: 3, scaleTargetRef, targetCPUUtilizationPercentage: percent },
      });
    expect((await scaler(50)).code).toBe(422);
    expect((await scaler(70)).code).toBe(201);
  });

  test('that names events of one group sees those of the other', async () => {
    const rule = { apiGroups: ['events.k8s.io'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['events'] };
    await validate('v1', "object.note != 'no'", { resourceRules: [rule] });
    const involvedObject = { kind: 'Pod', name: 'a', namespace: 'default', apiVersion: 'v1' };
    const event = (message: string) =>
      server.call('POST', '/api/v1/namespaces/default/events', { metadata: { name: 'e' }, involvedObject, message });
    expect((await event('no')).code).toBe(422);
    expect((await event('yes')).code).toBe(201);
  });
});

test('conditions of a webhook see the version that it names', async () => {
  await define('Webhook');
  const common = { name: 'hook.x.test', admissionReviewVersions: ['v1'], sideEffects: 'None', clientConfig };
  const matchConditions = [{ name: 'c', expression: "object.spec.host == 'one'" }];
  await created(`${policies}/mutatingwebhookconfigurations`, 'c', {
    webhooks: [{ ...common, rules: rulesFor('v2'), matchConditions }],
  });
  expect((await write('v1', specs.v1 as object)).body.spec).toEqual({ address: 'changed:1' });
  expect(asked).toMatchObject([{ object: { apiVersion: 'test.example/v2' }, requestKind: { version: 'v1' } }]);
});
