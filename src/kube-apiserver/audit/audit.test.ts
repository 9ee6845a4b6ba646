import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { createClient } from '../../client/client.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { podSecurity } from '../admission-plugins/pod-security.ts';
import { configMap, pod, startTestServer, type TestServer } from '../testing/test-server.ts';
import { openAuditLog } from './log-backend.ts';
import { parseAuditPolicy } from './policy.ts';
import { auditWebhook } from './webhook-backend.ts';

let server: TestServer;
let events: any[];
afterEach(() => server.stop());

async function start(rules: string, options: object = {}): Promise<void> {
  events = [];
  const policy = parseAuditPolicy(`apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n${rules}`);
  const backend = {
    name: 'log' as const,
    lost: 0,
    write: (event: string) => void events.push(JSON.parse(event)),
    close: async () => {},
  };
  server = await startTestServer({ auditor: { policy, backends: [backend] }, ...options });
  events = [];
}
const maps = '/api/v1/namespaces/default/configmaps';
const stages = () => events.map(({ stage }) => stage);

test('metadata of a write: user, object, times and response', async () => {
  await start('- level: Metadata');
  await server.call('POST', `${maps}?fieldManager=me`, configMap('a'));
  expect(stages()).toEqual(['RequestReceived', 'ResponseComplete']);
  const [received, complete] = events;
  expect(complete).toEqual({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: expect.stringMatching(/^[0-9a-f-]{36}$/),
    stage: 'ResponseComplete',
    requestURI: `${maps}?fieldManager=me`,
    verb: 'create',
    user: { username: 'system:admin', groups: ['system:masters', 'system:authenticated'] },
    sourceIPs: [],
    userAgent: 'admin',
    objectRef: { resource: 'configmaps', namespace: 'default', name: 'a', apiVersion: 'v1' },
    responseStatus: { metadata: {}, code: 201 },
    requestReceivedTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    stageTimestamp: expect.any(String),
    annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
  });
  expect(received.auditID).toBe(complete.auditID);
});

test('objects of the request and of the answer, without managed fields', async () => {
  await start('- {level: RequestResponse, omitManagedFields: true, omitStages: [RequestReceived]}');
  await server.call('POST', maps, configMap('a'));
  await server.call('PATCH', `${maps}/a`, { data: { b: '2' } }, { contentType: 'application/merge-patch+json' });
  await server.call('GET', maps);
  await server.call('DELETE', `${maps}/a`, { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0 });
  expect(events.map(({ verb }) => verb)).toEqual(['create', 'patch', 'list', 'delete']);
  const [create, patch, list, remove] = events;
  expect(create.requestObject).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'a' }, data: { a: '1' } });
  expect(create.responseObject).toMatchObject({ metadata: { name: 'a', uid: expect.any(String) } });
  expect(create.responseObject.metadata.managedFields).toBeUndefined();
  expect(patch.requestObject).toEqual({ data: { b: '2' } });
  expect(list.responseObject.items[0].metadata.managedFields).toBeUndefined();
  expect(remove.requestObject).toMatchObject({ gracePeriodSeconds: 0 });
});

test('a refusal is recorded with its status', async () => {
  await start('- level: Request');
  await server.call('GET', `${maps}/missing`);
  expect(events[1].responseStatus).toMatchObject({ code: 404, status: 'Failure', reason: 'NotFound' });
  expect(events[1].responseObject).toBeUndefined();
});

test('a watch is recorded when it begins and when it ends', async () => {
  await start('- {level: Metadata, verbs: [watch]}');
  await server.call('POST', maps, configMap('a'));
  expect(await server.watched(maps, 1)).toEqual(['ADDED a']);
  await vi.waitFor(() => expect(stages()).toEqual(['RequestReceived', 'ResponseStarted', 'ResponseComplete']));
});

test("Pod Security's annotations for a pod", async () => {
  await start('- {level: Metadata, omitStages: [RequestReceived]}', {
    admission: [podSecurity(() => createClient(server.transport({ name: 'reader', groups: ['system:masters'] })))],
  });
  const labels = {
    'pod-security.kubernetes.io/enforce': 'baseline',
    'pod-security.kubernetes.io/audit': 'restricted',
    'pod-security.kubernetes.io/audit-version': 'v1.30',
  };
  await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'held', labels } });
  await server.call('POST', '/api/v1/namespaces/held/pods', pod('p'));
  const { annotations } = events.find(({ objectRef }) => objectRef.resource === 'pods');
  expect(annotations).toMatchObject({
    'pod-security.kubernetes.io/enforce-policy': 'baseline:latest',
    'pod-security.kubernetes.io/audit-violations': expect.stringMatching(
      /^would violate PodSecurity "restricted:v1\.30": allowPrivilegeEscalation != false \(/,
    ),
  });
});

test('level None records no events', async () => {
  await start('- {level: None, resources: [{resources: [configmaps]}]}\n- level: Metadata');
  await server.call('GET', maps);
  expect(events).toEqual([]);
});

test('requests whose user could not be authenticated', async () => {
  const nobody = { name: 'nobody', authenticate: async () => undefined };
  await start('- level: Metadata', { authenticators: [nobody] });
  const listener = await server.listen({ port: 0 });
  const answer = await fetch(`${listener.url}${maps}`, { headers: { 'Audit-ID': 'mine' } });
  expect([answer.status, answer.headers.get('Audit-Id')]).toEqual([401, 'mine']);
  expect(events).toMatchObject([
    { stage: 'ResponseStarted', auditID: 'mine', user: {}, responseStatus: { code: 401 }, sourceIPs: ['127.0.0.1'] },
  ]);
});

test('a user who acts as another', async () => {
  const jane = { name: 'x', authenticate: async () => ({ name: 'jane', groups: [] }) };
  await start('- {level: Metadata, users: [jane]}', { authenticators: [jane] });
  const listener = await server.listen({ port: 0 });
  await fetch(`${listener.url}${maps}`, { headers: { 'Impersonate-User': 'bob' } });
  expect(events.at(-1)).toMatchObject({ user: { username: 'jane' }, impersonatedUser: { username: 'bob' } });
});

test('a full log file is rotated without a lost event', async () => {
  await start('- level: None');
  const directory = mkdtempSync(join(tmpdir(), 'coracle-audit-'));
  try {
    const file = join(directory, 'audit.log');
    const log = await openAuditLog({ file, maxSize: 0.001, clock: systemClock, logger: silentLogger });
    for (let i = 0; i < 200; i++) {
      log.write(JSON.stringify({ i, text: 'x'.repeat(20) }));
      if (i % 20 === 0) await systemClock.sleep(5);
    }
    await log.close();
    const files = readdirSync(directory).sort();
    expect(files.length).toBeGreaterThan(1);
    const lines = files.flatMap((name) => readFileSync(join(directory, name), 'utf8').trim().split('\n'));
    expect(
      lines
        .filter(Boolean)
        .map((line) => JSON.parse(line).i)
        .sort((a, b) => a - b),
    ).toEqual([...Array(200).keys()]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('a webhook gets lists of events', async () => {
  await start('- level: None');
  const received: any[] = [];
  const sink = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    received.push(JSON.parse(Buffer.concat(parts).toString()));
    response.end();
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/audit`;
  const webhook = auditWebhook({ url, clock: systemClock, logger: silentLogger });
  for (let i = 0; i < 450; i++) webhook.write(JSON.stringify({ i }));
  await webhook.close();
  sink.close();
  expect(received.map(({ kind, items }) => [kind, items.length])).toEqual([
    ['EventList', 400],
    ['EventList', 50],
  ]);
});
