// Random requests to every endpoint: any response is valid except an internal server error. The seed is printed;
// CORACLE_TEST_SEED repeats a run, and `coracle test --long` makes a longer one.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Kind } from '../../src/api/api.ts';
import { startTestServer, type TestServer } from '../../src/kube-apiserver/testing/test-server.ts';
import type { Logger } from '../../src/machinery/logger.ts';
import fc from '../../src/machinery/test-property.ts';
import { bodiesOf, merged } from './fuzz-bodies.ts';
import { rounds, seed } from './long.ts';

const unforeseen: string[] = [];
const logger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error: (message, fields) =>
    void unforeseen.push(`${message} ${fields?.['method']} ${fields?.['path']} ${fields?.['error']}`),
  child: () => logger,
};
let server: TestServer;
let url: string;

beforeAll(async () => {
  server = await startTestServer({ logger });
  url = (await server.listen({ port: 0 })).url;
});
afterAll(() => server.stop());

const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x' }] } };
const selector = { matchLabels: { a: 'b' } };
const crdSchema = { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object' } } } };
/** A minimal valid object per kind. */
const bases: Readonly<Record<string, object>> = {
  Pod: template,
  PodTemplate: { template },
  ReplicationController: { spec: { selector: { a: 'b' }, template } },
  ReplicaSet: { spec: { selector, template } },
  Deployment: { spec: { selector, template } },
  DaemonSet: { spec: { selector, template } },
  StatefulSet: { spec: { selector, template, serviceName: 's' } },
  Job: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } },
  CronJob: {
    spec: {
      schedule: '* * * * *',
      jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } },
    },
  },
  Service: { spec: { ports: [{ port: 80 }], selector: { a: 'b' } } },
  PersistentVolumeClaim: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
  PersistentVolume: {
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } },
  },
  CustomResourceDefinition: {
    spec: {
      group: 'b.test',
      names: { plural: 'n', kind: 'N' },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: crdSchema }],
    },
  },
  ValidatingAdmissionPolicy: {
    spec: {
      validations: [{ expression: 'true' }],
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['x'] }],
      },
    },
  },
  RoleBinding: { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' } },
  ClusterRoleBinding: { roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'r' } },
};

/** The long runs take minutes, of which watches that have nothing to show take two seconds each. */
const mostMs = rounds(120_000, 2_400_000);

const versionOf = ({ group, version }: Kind) => (group ? `${group}/${version}` : version);
const pathOf = (kind: Kind) =>
  `${kind.group ? '/apis' : '/api'}/${versionOf(kind)}${kind.namespaced ? '/namespaces/default' : ''}/${kind.resource}`;

/** Sends this body with every verb that has one; then reads and deletes the result. */
async function tryAll(kind: Kind, name: string, part: any): Promise<void> {
  const path = pathOf(kind);
  const given = { apiVersion: versionOf(kind), kind: kind.kind, metadata: { name } };
  const { metadata: ownMetadata, ...rest } = part;
  const body = merged({ ...given, ...bases[kind.kind] }, rest);
  const as = (type: string) => ({ contentType: `application/${type}` });
  await server.call('POST', path, ownMetadata ? { ...body, metadata: ownMetadata } : body);
  await server.call('POST', path, body);
  for (const type of ['merge-patch+json', 'strategic-merge-patch+json'])
    await server.call('PATCH', `${path}/${name}`, part, as(type));
  await server.call('PATCH', `${path}/${name}?fieldManager=m&force=true`, body, as('apply-patch+yaml'));
  await server.call('PUT', `${path}/${name}`, body);
  for (const { name: subresource } of kind.subresources) {
    if (['exec', 'attach', 'portforward', 'proxy', 'log'].includes(subresource)) continue;
    for (const method of ['PUT', 'POST']) await server.call(method, `${path}/${name}/${subresource}`, body);
    await server.call('PATCH', `${path}/${name}/${subresource}`, part, as('merge-patch+json'));
    await server.call('GET', `${path}/${name}/${subresource}`);
  }
  for (const query of ['', '?limit=1', '?labelSelector=a']) await server.call('GET', `${path}${query}`);
  await server.call('DELETE', `${path}/${name}`, part);
  await server.call('DELETE', `${path}/${name}`, { gracePeriodSeconds: 0 });
}

test(
  `objects of every kind, wrong anywhere (seed ${seed})`,
  async () => {
    let serial = 0;
    for (const kind of server.server.kinds.all()) {
      for (const rarity of [10, 200])
        for (const part of fc.sample(bodiesOf(kind.schema, rarity), { numRuns: rounds(4, 150), seed })) {
          await tryAll(kind, `n${serial++}`, part);
          expect(unforeseen, `${kind.kind} ${String(stringify(part)).slice(0, 2_000)}`).toEqual([]);
        }
      await nextTurn();
    }
  },
  mostMs,
);

const types = ['json', 'yaml', 'vnd.kubernetes.protobuf', 'json-patch+json', 'merge-patch+json'];
const moreTypes = ['strategic-merge-patch+json', 'apply-patch+yaml', 'xml', 'json;charset=x', ''];
const operation = fc.record({
  op: fc.constantFrom<unknown>('add', 'remove', 'replace', 'move', 'copy', 'test', 'x', 1, null),
  path: fc.constantFrom<unknown>(
    '/metadata',
    '/data/a',
    '/metadata/labels/a',
    '',
    '/',
    '/-',
    '/metadata/finalizers/-',
    1,
  ),
  from: fc.constantFrom<unknown>('/metadata', '/data', '', 1),
  value: fc.jsonValue({ maxDepth: 2 }),
});
const body = fc.oneof(
  fc.json(),
  fc.string(),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.concat([Buffer.from('k8s\0'), bytes])),
  fc.array(operation, { maxLength: 4 }).map((operations) => JSON.stringify(operations)),
  fc.constantFrom(
    'a: &a [*a]',
    'null',
    '[]',
    '"a"',
    '{"metadata":null}',
    '{"kind":1}',
    '{"apiVersion":[]}',
    '- - -',
    '%',
  ),
);
const segment = fc.constantFrom(
  ...[
    'api',
    'apis',
    'v1',
    'apps',
    'watch',
    'namespaces',
    'default',
    'pods',
    'configmaps',
    'deployments',
    'a',
    'status',
  ],
  ...[
    'scale',
    'log',
    'exec',
    'binding',
    'eviction',
    'proxy',
    '%2f',
    '%',
    '..',
    '',
    '__proto__',
    'constructor',
    'openapi',
  ],
  ...[
    'v3',
    'healthz',
    'livez',
    'metrics',
    'version',
    'nodes',
    'services',
    'token',
    'serviceaccounts',
    'customresourcedefinitions',
  ],
);
const path = fc.oneof(
  fc.array(segment, { maxLength: 8 }).map((segments) => `/${segments.join('/')}`),
  fc.constantFrom('/api/v1/namespaces/default/configmaps', '/api/v1/namespaces/default/configmaps/a', '/api/v1/pods'),
);
const value = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    'true',
    '-1',
    '99999999999999999999',
    'null',
    'a in (b,c)',
    '!a',
    'a>1',
    'a=,',
    'metadata.name!=',
    '\\',
  ),
  fc.jsonValue({ maxDepth: 1 }).map((json) => Buffer.from(JSON.stringify(json)).toString('base64url')),
);
const parameter = fc.constantFrom(
  ...['labelSelector', 'fieldSelector', 'limit', 'continue', 'resourceVersion', 'resourceVersionMatch', 'dryRun'],
  ...[
    'fieldValidation',
    'fieldManager',
    'force',
    'pretty',
    'gracePeriodSeconds',
    'propagationPolicy',
    'timeout',
    '',
    'a',
  ],
  ...[
    'sendInitialEvents',
    'allowWatchBookmarks',
    'orphanDependents',
    'includeObject',
    'container',
    'tailLines',
    'sinceTime',
  ],
);
const query = fc.array(fc.tuple(parameter, value), { maxLength: 4 });
const header = fc.constantFrom(
  ...['accept', 'authorization', 'impersonate-user', 'impersonate-group', 'impersonate-uid', 'impersonate-extra-a'],
  ...['accept-encoding', 'audit-id', 'if-none-match', 'user-agent', 'cookie', 'x-forwarded-for'],
);
const headerValue = fc.constantFrom(
  ...[
    '',
    '*/*',
    'application/json;as=Table;g=meta.k8s.io;v=v1',
    'application/json;as=x',
    'application/yaml',
    ';;q=x',
    ',',
  ],
  ...['Bearer', 'Bearer a.b.c', 'Basic e30=', 'system:masters', 'gzip', '%', 'application/vnd.kubernetes.protobuf'],
);

test(
  `requests of every sort (seed ${seed})`,
  async () => {
    const requests = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'),
      path,
      query,
      type: fc.constantFrom(...types, ...moreTypes),
      body,
      headers: fc.array(fc.tuple(header, headerValue), { maxLength: 3 }),
    });
    for (const asked of fc.sample(requests, { numRuns: rounds(800, 30_000), seed })) {
      const search = new URLSearchParams(asked.query.map(([name, text]): [string, string] => [name, String(text)]));
      const hasBody = !['GET', 'HEAD', 'OPTIONS'].includes(asked.method);
      const signal = AbortSignal.timeout(2_000);
      const headers = { 'content-type': `application/${asked.type}`, ...Object.fromEntries(asked.headers) };
      const options = { method: asked.method, headers, signal, ...(hasBody && { body: asked.body as string }) };
      // Only a watch may still be open after two seconds.
      const response = await fetch(`${url}${asked.path}?${search}`, options).catch(() => undefined);
      await response?.body?.cancel().catch(() => {});
      expect(unforeseen, JSON.stringify(asked)).toEqual([]);
    }
  },
  mostMs,
);
