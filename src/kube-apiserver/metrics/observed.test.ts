// Metrics of parts other than requests, each after an event that must count.

import { expect, test } from 'vitest';
import { forbidden } from '../../api/api.ts';
import { Metrics } from '../../machinery/metrics.ts';
import { anonymous, clientCertificates } from '../access/authentication.ts';
import type { Authorizer } from '../access/authorization.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const maps = '/api/v1/namespaces/default/configmaps';
const map = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
const sample = (server: TestServer, name: string, labels = '') =>
  Number(new RegExp(`^${name}${labels && `\\{${labels}\\}`} (\\S+)$`, 'm').exec(server.server.metrics.text())?.[1]);

test('admission counts both phases and each plugin, by outcome', async () => {
  const refusing: AdmissionPlugin = {
    name: 'Refusing',
    admit: () => undefined,
    async validate({ kind, name }) {
      if (name === 'bad') throw forbidden(kind, name, 'because');
    },
  };
  const mutating: AdmissionPlugin = { name: 'Mutating', admit: async () => {} };
  const server = await startTestServer({ admission: [refusing, mutating] });
  await server.call('POST', maps, map('good'));
  expect((await server.call('POST', maps, map('bad'))).code).toBe(403);
  await server.call('DELETE', `${maps}/good`);
  const prefix = 'apiserver_admission_';
  const counted = (metric: string, labels: string) => sample(server, `${prefix}${metric}_count`, labels);
  const [step, controller] = ['step_admission_duration_seconds', 'controller_admission_duration_seconds'];
  expect({
    admitted: counted(step, 'operation="CREATE",rejected="false",type="admit"'),
    validated: counted(step, 'operation="CREATE",rejected="false",type="validate"'),
    rejected: counted(step, 'operation="CREATE",rejected="true",type="validate"'),
    deleted: counted(step, 'operation="DELETE",rejected="false",type="validate"'),
    summary: counted(`${step}_summary`, 'operation="CREATE",rejected="true",type="validate"'),
    ofPlugin: counted(controller, 'name="Refusing",operation="CREATE",rejected="true",type="validate"'),
    ofOther: counted(controller, 'name="Mutating",operation="CREATE",rejected="false",type="admit"'),
    withoutPhase: counted(controller, 'name="Mutating",operation="CREATE",rejected="false",type="validate"'),
    // The namespace of the test is created, too.
  }).toEqual({
    ...{ admitted: 3, validated: 2, rejected: 1, deleted: 1, summary: 1 },
    ...{ ofPlugin: 1, ofOther: 3, withoutPhase: Number.NaN },
  });
  await server.stop();
});

test('authentication and authorization count by result, and users by a few categories', async () => {
  const authorizer: Authorizer = {
    name: 'test',
    authorize: ({ path }) => {
      if (path === '/version') return { decision: 'allow' };
      if (path === '/healthz') throw new Error('a broken authorizer');
      return { decision: path === '/livez' ? 'deny' : 'no-opinion' };
    },
  };
  const server = await startTestServer({ authenticators: [clientCertificates, anonymous], authorizers: [authorizer] });
  const { url } = await server.listen({ port: 0 });
  for (const path of ['/version', '/livez', '/readyz', '/healthz']) await fetch(url + path);
  await fetch(`${url}/version`, { headers: { authorization: 'Bearer made-up' } });
  const results = (name: string, values: readonly string[]) =>
    values.map((result) => sample(server, name, `result="${result}"`));
  expect(results('authentication_attempts', ['success', 'failure', 'error'])).toEqual([4, 0, 1]);
  expect(results('authentication_duration_seconds_count', ['success', 'failure', 'error'])).toEqual([4, 0, 1]);
  const outcomes = ['allowed', 'denied', 'error'];
  expect(results('authorization_attempts_total', outcomes)).toEqual([1, 1, 1]);
  expect(results('authorization_duration_seconds_count', outcomes)).toEqual([1, 1, 1]);
  expect(sample(server, 'authenticated_user_requests', 'username="other"')).toBe(4);
  expect(sample(server, 'apiserver_request_filter_duration_seconds_count', 'filter="authorization"')).toBeGreaterThan(
    3,
  );
  await server.stop();
});

test('the store and its caches count by resource', async () => {
  const server = await startTestServer();
  const labels = 'group="",resource="configmaps"';
  const operations = () =>
    ['create', 'update', 'delete', 'list'].map((operation) =>
      sample(server, 'etcd_request_duration_seconds_count', `operation="${operation}",${labels}`),
    );
  const ended = new AbortController();
  void server.watched(maps, 9, 50);
  for (const name of ['a', 'b', 'c']) await server.call('POST', maps, map(name));
  await server.call('PUT', `${maps}/a`, { ...map('a'), data: { a: '1' } });
  await server.call('DELETE', `${maps}/b`);
  expect(operations()).toEqual([3, 1, 1, 1]);
  await server.call('GET', maps);
  await server.call('GET', maps, undefined, { query: { labelSelector: 'a=b' } });
  expect({
    initializations: sample(server, 'apiserver_watch_cache_initializations_total', labels),
    received: sample(server, 'apiserver_watch_cache_events_received_total', labels),
    fromStore: sample(server, 'apiserver_storage_events_received_total', labels),
    dispatched: sample(server, 'apiserver_watch_cache_events_dispatched_total', labels),
    lists: sample(server, 'apiserver_cache_list_total', `${labels},index=""`),
    fetched: sample(server, 'apiserver_cache_list_fetched_objects_total', `${labels},index=""`),
    returned: sample(server, 'apiserver_cache_list_returned_objects_total', labels),
    objects: sample(server, 'apiserver_resource_objects', labels),
  }).toEqual({
    ...{ initializations: 1, received: 5, fromStore: 5, dispatched: 5 },
    ...{ lists: 2, fetched: 4, returned: 2, objects: 2 },
  });
  expect(
    sample(server, 'apiserver_watch_cache_consistent_read_total', `${labels},fallback="false",success="true"`),
  ).toBe(3);
  expect(sample(server, 'apiserver_resource_size_estimate_bytes', labels)).toBeGreaterThan(100);
  ended.abort();
  await server.stop();
});

test('a list by watch has its duration, by scope', async () => {
  const server = await startTestServer();
  await server.call('POST', maps, map('a'));
  const query = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  expect(await server.watched(`${maps}?${query}`, 2)).toEqual(['ADDED a', 'BOOKMARK']);
  const labels = 'group="",version="v1",resource="configmaps",scope="namespace"';
  expect(sample(server, 'apiserver_watch_list_duration_seconds_count', labels)).toBe(1);
  await server.stop();
});

test('audit counts events, levels and losses', async () => {
  const backend = { name: 'webhook' as const, lost: 7, write: () => {}, close: async () => {} };
  const rules = [{ level: 'None' as const, verbs: ['get'] }, { level: 'Metadata' as const }];
  const server = await startTestServer({ auditor: { policy: { rules }, backends: [backend] }, namespaces: [] });
  const events = sample(server, 'apiserver_audit_event_total');
  const logged = sample(server, 'apiserver_audit_level_total', 'level="Metadata"') || 0;
  await server.call('POST', maps, map('a'));
  await server.call('GET', `${maps}/a`);
  expect(sample(server, 'apiserver_audit_event_total')).toBe(events + 2);
  expect(sample(server, 'apiserver_audit_level_total', 'level="Metadata"')).toBe(logged + 1);
  expect(sample(server, 'apiserver_audit_level_total', 'level="None"')).toBeGreaterThanOrEqual(1);
  expect(sample(server, 'apiserver_audit_error_total', 'plugin="webhook"')).toBe(7);
  await server.stop();
});

test('seats count for as long as they are in use', async () => {
  const server = await startTestServer({ metrics: new Metrics() });
  const { url } = await server.listen({ port: 0 });
  await fetch(`${url}/version`);
  const labels = 'phase="executing",priority_level="catch-all"';
  const nanoseconds = sample(server, 'apiserver_flowcontrol_priority_level_seat_utilization_count', labels);
  expect(nanoseconds).toBeGreaterThan(1e5);
  expect(sample(server, 'apiserver_flowcontrol_priority_level_seat_utilization_sum', labels)).toBeGreaterThan(0);
  await server.stop();
});
