// Valid responses of a webhook, the number of its calls, and their metrics, warnings and audit annotations.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../../../client/client.ts';
import { Metrics } from '../../../machinery/metrics.ts';
import fc from '../../../machinery/test-property.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import { admissionPlugins } from '../admission-plugins.ts';
import { startHook, type TestHook } from './test-hook.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const group = '/apis/admissionregistration.k8s.io/v1';

let hook: TestHook;
let server: TestServer;
let metrics: Metrics;
let annotations: Record<string, string>;

beforeAll(async () => {
  hook = await startHook();
});
afterAll(() => hook.stop());

beforeEach(async () => {
  hook.reset();
  annotations = {};
  metrics = new Metrics();
  let client: Client | undefined;
  /** Runs first, and records the audit annotations of the other plugins. */
  const listening = {
    name: 'Listening',
    admit: (attributes: AdmissionAttributes) =>
      void Object.assign(attributes, { annotate: (key: string, value: string) => (annotations[key] = value) }),
    validate: (attributes: AdmissionAttributes) =>
      void Object.assign(attributes, { annotate: (key: string, value: string) => (annotations[key] = value) }),
  };
  const plugins = admissionPlugins(() => client as Client, { missingServiceAccounts: true });
  server = await startTestServer({ admission: [listening, ...plugins], namespaces: [], metrics });
  client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'default' } });
});
afterEach(() => server.stop());

const webhook = (name: string, over: object = {}) => ({
  name: `${name}.x.test`,
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  clientConfig: { url: `${hook.url}/${name}`, caBundle: hook.caBundle },
  rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] }],
  ...over,
});
const configure = async (kind: 'mutating' | 'validating', ...webhooks: object[]) => {
  const path = `${group}/${kind}webhookconfigurations`;
  const { code, body } = await server.call('POST', path, { metadata: { name: kind }, webhooks });
  expect(code, body.message).toBe(201);
};
const map = (name = 'm', options: object = {}) =>
  server.call('POST', maps, { metadata: { name }, data: { a: '1' } }, options);
const base64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');
const patch = (...operations: object[]) => ({ allowed: true, patchType: 'JSONPatch', patch: base64(operations) });
const set = (field: string, value: string) => patch({ op: 'add', path: `/data/${field}`, value });
const failed = (why: string) => `Internal error occurred: failed calling webhook "a.x.test": ${why}`;

describe('an answer that cannot be used', () => {
  const invalid = (why: string) => failed(`received invalid webhook response: ${why}`);
  const called = (why: string) => failed(`failed to call webhook: ${why}`);

  test.each<[string, object | string, string]>([
    ['no response', { response: undefined }, invalid('webhook response was absent')],
    ['another uid', { response: { uid: 'other', allowed: true } }, 'expected response.uid='],
    [
      'another version',
      { apiVersion: 'admission.k8s.io/v2' },
      invalid(
        'expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got admission.k8s.io/v2, Kind=AdmissionReview',
      ),
    ],
    [
      'no patch type',
      { more: { patch: base64([]) } },
      invalid('webhook returned response.patch but not response.patchType'),
    ],
    [
      'no patch',
      { more: { patchType: 'JSONPatch' } },
      invalid('webhook returned response.patchType but not response.patch'),
    ],
    [
      'another patch type',
      { more: { patchType: 'Merge', patch: base64([]) } },
      failed('unsupported patch type "Merge"'),
    ],
    [
      'a patch that is no base64',
      { more: { patchType: 'JSONPatch', patch: '%' } },
      called('json: cannot unmarshal AdmissionReview.response.patch into a value of type []uint8'),
    ],
    [
      'a patch that is no JSON',
      { more: { patchType: 'JSONPatch', patch: base64('{') } },
      failed('received undecodable patch in webhook response: '),
    ],
    [
      'a patch that is no list',
      { more: { patchType: 'JSONPatch', patch: base64({ op: 'add' }) } },
      failed(
        'received undecodable patch in webhook response: json: cannot unmarshal value into Go value of type jsonpatch.Patch',
      ),
    ],
    [
      'a patch of too many operations',
      { more: { patchType: 'JSONPatch', patch: base64(Array(10_001).fill({ op: 'add', path: '/x/0', value: 1 })) } },
      failed('received undecodable patch in webhook response: it has 10001 operations, and the maximum is 10000'),
    ],
    ['no object', 'null', called('the answer is no AdmissionReview')],
    ['no JSON', 'yes', called('')],
    ['nesting', `{"response":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_001)}`, called('exceeded max depth')],
    [
      'nesting in its patch',
      { more: { patchType: 'JSONPatch', patch: base64('['.repeat(20_000) + ']'.repeat(20_000)) } },
      failed('received undecodable patch in webhook response: exceeded max depth'),
    ],
    [
      'allowed as a text',
      { more: { allowed: 'true' } },
      called('json: cannot unmarshal AdmissionReview.response.allowed into a value of type bool'),
    ],
  ])('%s', async (_, said, message) => {
    await configure('mutating', webhook('a'));
    hook.reply = (review) => {
      if (typeof said === 'string') return { text: said };
      const { more, ...top } = said as { more?: object };
      const response = { uid: review.request.uid, allowed: true, ...more };
      const type = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' };
      return { text: JSON.stringify({ ...type, response, ...top }) };
    };
    const { code, body } = await map();
    expect(code).toBe(500);
    expect(body.message).toContain(message);
  });

  test.each([
    [500, 'text/plain', 'boom', 'an error on the server ("boom") has prevented the request from succeeding'],
    [500, 'application/json', '{}', 'an error on the server ("unknown") has prevented the request from succeeding'],
    [404, '', '', 'the server could not find the requested resource'],
    [302, '', '', 'the server responded with the status code 302 but did not return more information'],
  ])('code %i', async (code, type, text, message) => {
    await configure('mutating', webhook('a'));
    hook.reply = () => ({ code, type, text });
    expect((await map()).body.message).toBe(failed(`failed to call webhook: ${message}`));
    expect(metrics.text()).toContain(`error_type="calling_webhook_error",rejection_code="${code}"`);
  });

  test('is ignored where failures are, and told', async () => {
    await configure('mutating', webhook('a', { failurePolicy: 'Ignore' }));
    await configure('validating', webhook('b', { failurePolicy: 'Ignore' }));
    hook.reply = () => ({ code: 500, text: '' });
    expect((await map()).code).toBe(201);
    expect(annotations).toMatchObject({
      'failed-open.mutation.webhook.admission.k8s.io/round_0_index_0': 'a.x.test',
      'mutation.webhook.admission.k8s.io/round_0_index_0':
        '{"configuration":"mutating","webhook":"a.x.test","mutated":false}',
      'failed-open.validating.webhook.admission.k8s.io/round_0_index_0': 'b.x.test',
    });
    expect(metrics.text()).toContain('apiserver_admission_webhook_fail_open_count{name="a.x.test",type="admit"} 1');
  });

  test('a patch that makes another shape is an error of the server, even where failures are ignored', async () => {
    await configure('mutating', webhook('a', { failurePolicy: 'Ignore' }));
    hook.answer = () => patch({ op: 'replace', path: '/data', value: 'text' });
    const { code, body } = await map();
    expect([code, body.reason]).toEqual([500, 'InternalError']);
    expect(metrics.text()).toContain('error_type="apiserver_internal_error",rejection_code="0"');
  });

  test('a validating webhook may not change the object', async () => {
    await configure('validating', webhook('a'));
    hook.answer = () => set('b', '2');
    expect((await map()).body.message).toBe(invalid('validating webhook may not return response.patch'));
  });
});

test('an answer of v1beta1 needs neither type nor uid', async () => {
  await configure('mutating', webhook('a', { admissionReviewVersions: ['v1beta1'] }));
  const { patch: operations } = set('b', '2');
  hook.reply = () => ({ text: JSON.stringify({ response: { allowed: true, patch: operations } }) });
  expect((await map()).body.data).toEqual({ a: '1', b: '2' });
  expect(hook.asked[0].apiVersion).toBe('admission.k8s.io/v1beta1');
});

test('a dry run is refused by a webhook with side effects in v1beta1', async () => {
  await configure('validating', webhook('a'));
  expect((await map('m', { query: { dryRun: 'All' } })).code).toBe(201);
  expect(hook.asked[0].request.dryRun).toBe(true);
});

describe('a second round', () => {
  const calls = () => hook.asked.map(({ path }) => path.slice(1, 2)).join('');
  const policy = async (reinvocationPolicy: string) => {
    const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] };
    const expression = 'Object{data: {"seen": string(size(object.data))}}';
    const spec = {
      matchConstraints: { resourceRules: [rule] },
      reinvocationPolicy,
      mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
    };
    const made = await server.call('POST', `${group}/mutatingadmissionpolicies`, { metadata: { name: 'p' }, spec });
    expect(made.code, made.body.message).toBe(201);
    const binding = { metadata: { name: 'b' }, spec: { policyName: 'p' } };
    expect((await server.call('POST', `${group}/mutatingadmissionpolicybindings`, binding)).code).toBe(201);
  };

  test.each([
    ['Never', 'Never', 'ab'],
    ['IfNeeded', 'Never', 'aba'],
    // The one that changed the object is not called again: nothing changed after it.
    ['IfNeeded', 'IfNeeded', 'aba'],
    ['Never', 'IfNeeded', 'ab'],
  ])('of webhooks with the policies %s and %s', async (first, second, expected) => {
    await configure(
      'mutating',
      webhook('a', { reinvocationPolicy: first }),
      webhook('b', { reinvocationPolicy: second }),
    );
    hook.answer = (request, path) => (path.startsWith('/b') ? set('b', '2') : { allowed: true, request });
    await map();
    expect(calls()).toBe(expected);
  });

  test('gets the result of the first, and reports it', async () => {
    await configure('mutating', webhook('a', { reinvocationPolicy: 'IfNeeded' }), webhook('b'));
    hook.answer = ({ object }, path) =>
      path.startsWith('/b') ? set('b', '2') : object.data.b ? set('c', '3') : { allowed: true };
    expect((await map()).body.data).toEqual({ a: '1', b: '2', c: '3' });
    expect(Object.keys(annotations).sort()).toEqual([
      'mutation.webhook.admission.k8s.io/round_0_index_0',
      'mutation.webhook.admission.k8s.io/round_0_index_1',
      'mutation.webhook.admission.k8s.io/round_1_index_0',
      'patch.webhook.admission.k8s.io/round_0_index_1',
      'patch.webhook.admission.k8s.io/round_1_index_0',
    ]);
    expect(JSON.parse(annotations['patch.webhook.admission.k8s.io/round_1_index_0'])).toEqual({
      configuration: 'mutating',
      webhook: 'a.x.test',
      patch: [{ op: 'add', path: '/data/c', value: '3' }],
      patchType: 'JSONPatch',
    });
  });

  test.each([
    ['IfNeeded', '3'],
    ['Never', '1'],
  ])('of a policy with %s, after a webhook changed the object', async (reinvocationPolicy, seen) => {
    await policy(reinvocationPolicy);
    await configure('mutating', webhook('b'));
    hook.answer = () => set('b', '2');
    expect((await map()).body.data).toEqual({ a: '1', b: '2', seen });
  });

  test('of a webhook, after a policy changed the object again', async () => {
    await policy('IfNeeded');
    await configure('mutating', webhook('a', { reinvocationPolicy: 'IfNeeded' }), webhook('b'));
    hook.answer = (_, path) => (path.startsWith('/b') ? set('b', '2') : { allowed: true });
    await map();
    expect(hook.asked.map(({ request }) => request.object.data.seen)).toEqual(['1', '1', '3']);
  });

  test('passes the additions of a webhook to the other plugins', async () => {
    await configure(
      'mutating',
      webhook('a', { rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }] }),
    );
    await server.call('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'high' }, value: 7 });
    hook.answer = () =>
      patch({ op: 'add', path: '/spec/priorityClassName', value: 'high' }, { op: 'remove', path: '/spec/priority' });
    const spec = { containers: [{ name: 'c', image: 'registry.test/c:1' }] };
    const pod = await server.call('POST', '/api/v1/namespaces/default/pods', { metadata: { name: 'p' }, spec });
    expect([pod.body.message, pod.body.spec?.priority]).toEqual([undefined, 7]);
  });
});

test('a webhook is matched with the result of the previous one', async () => {
  await configure('mutating', webhook('a'), webhook('b', { objectSelector: { matchLabels: { judged: 'yes' } } }));
  hook.answer = (_, path) =>
    path.startsWith('/a')
      ? patch({ op: 'add', path: '/metadata/labels', value: { judged: 'yes' } })
      : { allowed: true };
  await map();
  expect(hook.asked.map(({ path }) => path.slice(0, 2))).toEqual(['/a', '/b']);
});

test('audit annotations of an answer bear the name of the webhook', async () => {
  await configure('validating', webhook('a'));
  hook.answer = () => ({ allowed: true, auditAnnotations: { why: 'fine' } });
  await map();
  expect(annotations).toEqual({ 'a.x.test/why': 'fine' });
});

test('metrics count calls, refusals and conditions', async () => {
  await configure(
    'validating',
    webhook('a'),
    webhook('b', { matchConditions: [{ name: 'never', expression: 'false' }] }),
    webhook('c', { matchConditions: [{ name: 'broken', expression: 'object.none == 1' }], failurePolicy: 'Ignore' }),
  );
  hook.answer = () => ({ allowed: false, status: { code: 403 } });
  await map();
  const text = metrics.text();
  for (const line of [
    'apiserver_admission_webhook_request_total{name="a.x.test",type="validating",operation="CREATE",code="403",rejected="true"} 1',
    'apiserver_admission_webhook_rejection_count{name="a.x.test",type="validating",operation="CREATE",error_type="no_error",rejection_code="403"} 1',
    'apiserver_admission_webhook_admission_duration_seconds_count{name="a.x.test",type="validating",operation="CREATE",rejected="true"} 1',
    'apiserver_admission_match_condition_exclusions_total{name="b.x.test",kind="webhook",type="validating",operation="CREATE"} 1',
    'apiserver_admission_match_condition_evaluation_errors_total{name="c.x.test",kind="webhook",type="validating",operation="CREATE"} 1',
  ])
    expect(text).toContain(line);
});

test('no answer makes another status than one of the webhook or an InternalError', async () => {
  await configure('mutating', webhook('a'));
  const value = fc.json({ maxDepth: 3 }).map((text) => JSON.parse(text));
  const pointer = fc.constantFrom(
    '',
    '/',
    '/data',
    '/metadata',
    '/metadata/name',
    '/metadata/labels',
    '/kind',
    '/data/-',
  );
  const operation = fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'),
    path: pointer,
    from: pointer,
    value,
  });
  const answers = fc.oneof(
    fc.record({
      patchType: fc.constantFrom('JSONPatch', 'x', ''),
      patch: fc.array(operation, { maxLength: 3 }).map(base64),
      allowed: fc.constant(true),
    }),
    fc.record(
      { allowed: value, status: value, warnings: value, patch: value, auditAnnotations: value, uid: value },
      { requiredKeys: [] },
    ),
    value,
  );
  await fc.assert(
    fc.asyncProperty(answers, async (said) => {
      hook.answer = () => said;
      const { code, body } = await map('m', { query: { dryRun: 'All' } });
      expect(code === 500 ? body.reason : '', body.message).toMatch(/^(InternalError|)$/);
      expect(body.message ?? '').not.toMatch(/TypeError|undefined|Cannot read|is not a function|not iterable/);
    }),
    { numRuns: 150 },
  );
}, 30_000);
