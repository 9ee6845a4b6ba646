// The labels that a job gets for its pods, and their faults when its name is no label value.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const jobs = '/apis/batch/v1/namespaces/default/jobs';
const create = (name: string, labels: object | undefined, own: object | undefined = undefined) =>
  server.call('POST', `${jobs}?dryRun=All`, {
    metadata: { name, ...(own && { labels: own }) },
    spec: {
      template: {
        ...(labels && { metadata: { labels } }),
        spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'registry.test/c:1' }] },
      },
    },
  });

const generated = ['batch.kubernetes.io/controller-uid', 'batch.kubernetes.io/job-name', 'controller-uid', 'job-name'];

test.each<[string, object | undefined, object | undefined, readonly string[]]>([
  ['no labels', undefined, undefined, generated],
  ['labels of the template', { app: 'a' }, undefined, ['app', ...generated]],
  ['own labels', undefined, { app: 'a' }, ['app']],
])('a job with %s', async (_, template, own, wanted) => {
  const { body } = await create('web', template, own);
  expect(Object.keys(body.metadata.labels).sort()).toEqual([...wanted].sort());
  expect(Object.keys(body.spec.template.metadata.labels).sort()).toEqual(
    [...(template ? ['app'] : []), ...generated].sort(),
  );
});

const longName = 'x'.repeat(64);
const long = ['spec.template.labels', 'spec.template.labels'];
test.each<[string, string, object | undefined, object | undefined, readonly string[]]>([
  ['too long a name', longName, undefined, undefined, long],
  [
    'too long a name, which the job shares with its template',
    longName,
    { a: 'b' },
    undefined,
    [...two('metadata.labels'), ...long],
  ],
  ['too long a name and own labels', longName, { a: 'b' }, { c: 'd' }, long],
  ['an invalid name', 'A_b!', undefined, undefined, ['metadata.name', ...long]],
])('a job with %s', async (_, name, template, own, wanted) => {
  const { code, body } = await create(name, template, own);
  expect(code).toBe(422);
  expect(body.details.causes.map(({ field }: { field: string }) => field)).toEqual(wanted);
});

function two(field: string): readonly string[] {
  return [field, field];
}
