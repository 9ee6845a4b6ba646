import { afterEach, expect, test, vi } from 'vitest';
import { type Client, createClient } from '../../client/client.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import type { Authenticator } from '../access/authentication.ts';
import { admissionPlugins } from '../admission-plugins/admission-plugins.ts';
import { startHook } from '../admission-plugins/webhooks/test-hook.ts';
import { configMap, startTestServer } from '../testing/test-server.ts';
import { parseTracingConfiguration } from './configuration.ts';
import { openTracing } from './open.ts';
import { attribute, type CollectedSpan, startCollector, type TestCollector } from './test-collector.ts';
import type { Tracing } from './tracing.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const clientSpan = '00f067aa0ba902b7';
const sampled = { traceparent: `00-${traceId}-${clientSpan}-01` };
const every = 1_000_000;
const delayMs = 20;

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** The header X-User names the user, and X-Group the group. */
const byHeader: Authenticator = {
  name: 'test',
  authenticate: async ({ headers }) => ({ name: headers['x-user'] ?? 'jane', groups: [headers['x-group'] ?? 'users'] }),
};

async function collect(given?: { answers: boolean }): Promise<TestCollector> {
  const collector = await startCollector(given);
  stops.push(collector.stop);
  return collector;
}

async function traced(endpoint: string, rate: number, given: { logger?: typeof silentLogger } = {}) {
  const configuration = { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'TracingConfiguration' };
  const tracing = await openTracing({
    ...parseTracingConfiguration(JSON.stringify({ ...configuration, endpoint, samplingRatePerMillion: rate })),
    ...{ clock: systemClock, logger: silentLogger, instance: 'one', delayMs, ...given },
  });
  let client: Client | undefined;
  const admission = admissionPlugins(() => client as Client);
  const server = await startTestServer({ admission, tracing, authenticators: [byHeader] });
  client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
  stops.push(() => server.stop());
  const { url } = await server.listen({ port: 0 });
  const ask = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
    fetch(url + path, { ...init, headers: { 'content-type': 'application/json', ...headers } });
  const post = (object: object, headers: Record<string, string> = {}) =>
    ask(maps, headers, { method: 'POST', body: JSON.stringify(object) });
  return { server, ask, post };
}

const found = (collector: TestCollector, wanted: (span: CollectedSpan) => boolean) =>
  vi.waitFor(() => {
    const span = collector.spans.find(wanted);
    expect(span).toBeDefined();
    return span as CollectedSpan;
  }, 5_000);

test('a write is a span with its stages below it', async () => {
  const collector = await collect();
  const { post } = await traced(collector.endpoint, every);
  expect((await post(configMap('one'), { 'audit-id': 'abc', 'user-agent': 'me/1' })).status).toBe(201);
  const root = await found(collector, ({ name, attributes }) =>
    Boolean(name.startsWith('POST /api/v1') && attributes.some(({ value }) => value['stringValue'] === 'abc')),
  );
  expect(root.name).toBe('POST /api/v1/namespaces/{:namespace}/configmaps');
  expect(Object.fromEntries(root.attributes.map(({ key }) => [key, attribute(root, key)]))).toMatchObject({
    'http.method': 'POST',
    'http.target': maps,
    'http.status_code': 201,
    'audit-id': 'abc',
    'user_agent.original': 'me/1',
  });
  const own = collector.spans.filter((span) => span.traceId === root.traceId);
  const parentOf = (name: string) => {
    const span = own.find((one) => one.name === name);
    return own.find(({ spanId }) => spanId === span?.parentSpanId)?.name;
  };
  for (const stage of ['Authentication', 'Authorization', 'Create']) expect(parentOf(stage), stage).toBe(root.name);
  for (const step of ['Mutating admission', 'Validating admission', 'Store commit'])
    expect(parentOf(step), step).toBe('Create');
  for (const { startTimeUnixNano: start, endTimeUnixNano: end } of own) {
    expect(BigInt(start)).toBeGreaterThanOrEqual(BigInt(root.startTimeUnixNano));
    expect(BigInt(end)).toBeLessThanOrEqual(BigInt(root.endTimeUnixNano));
  }
  expect(Number(BigInt(root.endTimeUnixNano) / 1_000_000n)).toBeCloseTo(Date.now(), -5);
  expect(collector.paths[0]).toBe('/v1/traces');
  expect(collector.resources[0].attributes).toContainEqual({
    key: 'service.name',
    value: { stringValue: 'apiserver' },
  });
});

test('failures are spans, too', async () => {
  const collector = await collect();
  const { ask } = await traced(collector.endpoint, every);
  expect((await ask(`${maps}/absent`)).status).toBe(404);
  const root = await found(collector, ({ name }) => name === 'GET /api/v1/namespaces/{:namespace}/configmaps/{:name}');
  expect(attribute(root, 'http.status_code')).toBe(404);
  const get = await found(collector, ({ name, parentSpanId }) => name === 'Get' && parentSpanId === root.spanId);
  expect(get.status?.message).toMatch(/not found/);
});

test("a member's span becomes the parent, that of another client a link", async () => {
  const collector = await collect();
  const { ask } = await traced(collector.endpoint, every);
  await ask('/version', { ...sampled, 'x-group': 'system:masters' });
  await ask('/version', sampled);
  const child = await found(collector, ({ parentSpanId }) => parentSpanId === clientSpan);
  expect(child).toMatchObject({ name: 'GET', traceId });
  const linked = await found(collector, ({ links }) => Boolean(links?.length));
  expect(linked.links).toMatchObject([{ traceId, spanId: clientSpan }]);
  expect(linked.traceId).not.toBe(traceId);
});

test('with a rate of 0, only the requests of sampled members are traced', async () => {
  const collector = await collect();
  const { ask } = await traced(collector.endpoint, 0);
  for (let i = 0; i < 20; i++) await ask('/version', sampled);
  await ask('/version', { traceparent: `00-${traceId}-${clientSpan}-00`, 'x-group': 'system:masters' });
  await ask('/version', { ...sampled, 'x-group': 'system:masters' });
  await found(collector, ({ name }) => name === 'GET');
  expect(collector.spans.filter(({ name }) => name === 'GET')).toHaveLength(1);
  expect(new Set(collector.spans.map((span) => span.traceId))).toEqual(new Set([traceId]));
});

test('a webhook gets the context of the span that calls it', async () => {
  const collector = await collect();
  const hook = await startHook();
  stops.push(hook.stop);
  const { server, post } = await traced(collector.endpoint, every);
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }];
  for (const [plural, path] of [
    ['mutatingwebhookconfigurations', '/mutate'],
    ['validatingwebhookconfigurations', '/validate'],
  ]) {
    const clientConfig = { url: `${hook.url}${path}`, caBundle: hook.caBundle };
    const webhook = { name: 'hook.x.test', admissionReviewVersions: ['v1'], sideEffects: 'None', clientConfig, rules };
    const group = '/apis/admissionregistration.k8s.io/v1';
    const made = await server.call('POST', `${group}/${plural}`, { metadata: { name: 'h' }, webhooks: [webhook] });
    expect(made.code, made.body.message).toBe(201);
  }
  expect((await post(configMap('two'))).status).toBe(201);
  const calls = await Promise.all(
    ['Call mutating webhook', 'Call validating webhook'].map((wanted) =>
      found(collector, ({ name }) => name === wanted),
    ),
  );
  expect(hook.traceparents).toEqual(calls.map(({ traceId: trace, spanId }) => `00-${trace}-${spanId}-01`));
  expect(attribute(calls[0], 'webhook')).toBe('hook.x.test');
  expect(new Set(calls.map((span) => span.traceId)).size).toBe(1);
});

test('the span of a watch lasts as long as the watch', async () => {
  const collector = await collect();
  const { ask } = await traced(collector.endpoint, every);
  const began = performance.now();
  await (await ask(`${maps}?watch=true&timeoutSeconds=1`)).text();
  const root = await found(collector, (span) => String(attribute(span, 'http.target')).includes('watch=true'));
  const ms = Number(BigInt(root.endTimeUnixNano) - BigInt(root.startTimeUnixNano)) / 1e6;
  expect(ms).toBeGreaterThan(900);
  expect(ms).toBeLessThan(performance.now() - began + 100);
});

test.each([
  { collector: 'that is not there', answers: undefined },
  { collector: 'that never answers', answers: false },
])(
  'a collector $collector neither stalls requests nor fills memory',
  async ({ answers }) => {
    const collector = await collect({ answers: answers ?? true });
    if (answers === undefined) collector.stop();
    const warn = vi.fn();
    const { server, ask } = await traced(collector.endpoint, every, { logger: { ...silentLogger, warn } });
    const began = performance.now();
    const atOnce = 50;
    for (let i = 0; i < 1_500; i += atOnce) {
      const answersOfAll = await Promise.all(Array.from({ length: atOnce }, () => ask('/version')));
      for (const answer of answersOfAll) {
        expect(answer.status).toBe(200);
        await answer.arrayBuffer();
      }
    }
    // 1,500 requests with three spans each exceed the queue of 2,048.
    expect(performance.now() - began).toBeLessThan(15_000);
    const waiting = waitingSpans(server.server.tracing as Tracing);
    expect(waiting).toBeGreaterThan(1_000);
    expect(waiting).toBeLessThanOrEqual(2_048);
    const closing = performance.now();
    await server.stop();
    expect(performance.now() - closing).toBeLessThan(2_000);
  },
  30_000,
);

test('exports that begin to fail are logged once, and so is their success', async () => {
  const collector = await collect();
  const [warn, info] = [vi.fn(), vi.fn()];
  const { ask } = await traced(collector.endpoint, every, { logger: { ...silentLogger, warn, info } });
  collector.code = 400;
  await vi.waitFor(async () => {
    await ask('/version');
    expect(collector.paths.length).toBeGreaterThan(2);
  }, 5_000);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn.mock.calls[0][0]).toBe('spans cannot be sent; those beyond the queue are dropped');
  collector.code = 200;
  await vi.waitFor(async () => {
    await ask('/version');
    expect(info).toHaveBeenCalledWith('spans are sent again', expect.anything());
  }, 5_000);
});

/** Of the queue, which the SDK has no public view of. */
function waitingSpans(tracing: Tracing): number {
  const { _activeSpanProcessor: all } = (tracing as any).provider;
  return all._spanProcessors[0]._finishedSpans.length;
}
