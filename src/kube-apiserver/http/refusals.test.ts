// Requests that Kubernetes 1.36 refuses before they have effects, and its words.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let url: string;
beforeAll(async () => {
  server = await startTestServer();
  url = (await server.listen({ port: 0 })).url;
});
afterAll(() => server.stop());

const maps = '/api/v1/namespaces/default/configmaps';
const body = JSON.stringify({ metadata: { name: 'a' } });

async function ask(method: string, path: string, headers: Record<string, string> = {}, text?: string) {
  const init = { method, headers, ...(text !== undefined && { body: text }) };
  const response = await fetch(url + path, init);
  const answer = await response.text();
  const message = answer.startsWith('{') ? (JSON.parse(answer).message ?? '') : answer.trim();
  return { code: response.status, message, headers: response.headers };
}

test.each([
  ['HEAD', maps, 405],
  ['HEAD', `${maps}/a`, 405],
  ['HEAD', '/api/v1/configmaps/a', 404],
  ['PUT', '/api/v1/configmaps/a', 404],
  ['POST', '/api/v1/configmaps', 405],
  ['DELETE', '/api/v1/nodes/a/status/x', 404],
  ['GET', '/api/v1/namespaces/default/namespaces', 404],
  ['GET', '/apis/authorization.k8s.io/v1/subjectaccessreviews/a', 404],
  ['GET', '/apis/authorization.k8s.io/v1/subjectaccessreviews', 405],
])('%s %s', async (method, path, code) => {
  const text = ['PUT', 'POST'].includes(method) ? '{}' : undefined;
  expect((await ask(method, path, {}, text)).code).toBe(code);
});

describe('the type of a body', () => {
  const unknown =
    'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf';
  test.each([
    ['Application/JSON; charset=utf-8', 201, ''],
    ['application/merge-patch+json', 415, unknown],
    ['*/*', 415, unknown],
  ])('%s', async (type, code, message) => {
    const answer = await ask('POST', `${maps}?dryRun=All`, { 'Content-Type': type }, body);
    expect(answer).toMatchObject({ code, message });
  });
});

describe('an accepted type', () => {
  const types = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';
  const router = `406: Not Acceptable\n\nAvailable representations: ${types}`;
  test.each([
    ['POST', maps, 'text/plain', router],
    ['GET', `${maps}/missing`, 'text/plain', router],
    [
      'GET',
      maps,
      'text/plain',
      `${router}, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch`,
    ],
    [
      'GET',
      `${maps}/missing`,
      'application/json;as=Nope;g=meta.k8s.io;v=v1',
      `only the following media types are accepted: ${types}`,
    ],
    [
      'GET',
      `${maps}?watch=true&timeoutSeconds=1`,
      'application/yaml',
      'only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch',
    ],
    [
      'GET',
      maps,
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
      'you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)',
    ],
  ])('of %s %s: %s', async (method, path, accept, message) => {
    const answer = await ask(
      method,
      path,
      { accept, 'Content-Type': 'application/json' },
      method === 'POST' ? body : undefined,
    );
    expect(answer.code).toBe(406);
    if (!accept.includes('yaml')) expect(answer.message).toBe(message);
    else expect(answer.message.replace(/\s+/g, ' ')).toContain(message);
  });

  test('that is missing leaves no object', async () => {
    expect((await ask('GET', `${maps}/a`)).code).toBe(404);
  });
});

describe('options', () => {
  test.each([
    [
      'POST',
      'fieldManager=a%01b',
      'CreateOptions',
      'fieldManager: Invalid value: "a\\x01b": invalid character U+0001 (at position 1)',
    ],
    ['POST', 'dryRun=', 'CreateOptions', 'dryRun: Unsupported value: [""]: supported values: "All"'],
    ['DELETE', 'dryRun=x', 'DeleteOptions', 'dryRun: Unsupported value: ["x"]: supported values: "All"'],
    [
      'DELETE',
      'propagationPolicy=x',
      'DeleteOptions',
      'propagationPolicy: Unsupported value: "x": supported values: "Foreground", "Background", "Orphan", "nil"',
    ],
  ])('%s ?%s', async (method, query, kind, fault) => {
    const path = method === 'POST' ? maps : `${maps}/a`;
    const answer = await ask(
      method,
      `${path}?${query}`,
      { 'Content-Type': 'application/json' },
      method === 'POST' ? body : undefined,
    );
    expect(answer).toMatchObject({ code: 422, message: `${kind}.meta.k8s.io "" is invalid: ${fault}` });
  });

  test.each([
    ['[]', /^couldn't get version\/kind; json parse error: json: cannot unmarshal array into Go value of type struct/],
    [
      '{"gracePeriodSeconds":"x"}',
      /^json: cannot unmarshal string into Go struct field DeleteOptions\.gracePeriodSeconds of type int64$/,
    ],
    ['{"kind":"Status","apiVersion":"v1"}', /^converting \(v1\.Status\) to \(v1\.DeleteOptions\): unknown conversion$/],
    [
      '{"kind":"X"}',
      /^no kind "X" is registered for version "meta\.k8s\.io\/v1" in scheme "k8s\.io\/apimachinery\/pkg\/apis\/meta\/internalversion/,
    ],
  ])('of a deletion: %s', async (text, message) => {
    const answer = await ask('DELETE', `${maps}/a`, { 'Content-Type': 'application/json' }, text);
    expect([answer.code, answer.message]).toEqual([400, expect.stringMatching(message)]);
  });

  test.each([
    ['resourceVersion=99999999999999999999', /value out of range$/],
    ['continue=x', /illegal base64 data at input byte 0$/],
  ])('of a list: %s', async (query, message) => {
    const answer = await ask('GET', `${maps}?${query}`);
    expect([answer.code, answer.message]).toEqual([400, expect.stringMatching(message)]);
  });
});

describe('a patch', () => {
  const path = '/api/v1/namespaces/default';
  test.each([
    ['json', 'null', '', 200, undefined],
    ['strategic-merge', 'null', '', 200, undefined],
    ['strategic-merge', '{"apiVersion":"v9","kind":"Other"}', '', 200, undefined],
    [
      'strategic-merge',
      '{"kind":[]}',
      '',
      422,
      ' "" is invalid: patch: Invalid value: "map[kind:[]]": unrecognized type: string',
    ],
    ['merge', 'null', '', 400, 'Invalid JSON Patch'],
    ['strategic-merge', '[]', '', 400, 'json: cannot unmarshal array into Go value of type map[string]interface {}'],
    [
      'json',
      '{}',
      '',
      400,
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    ],
    [
      'json',
      '{}',
      '?fieldValidation=Ignore',
      400,
      'json: cannot unmarshal object into Go value of type jsonpatch.Patch',
    ],
  ])('%s of %s%s', async (form, text, query, code, message) => {
    const answer = await ask('PATCH', path + query, { 'Content-Type': `application/${form}-patch+json` }, text);
    expect(answer.code, answer.message).toBe(code);
    if (message) expect(answer.message).toBe(message);
  });

  test('of a missing object is not read', async () => {
    const answer = await ask('PATCH', `${maps}/missing`, { 'Content-Type': 'application/json-patch+json' }, '{');
    expect(answer.code).toBe(404);
  });

  const apply = (fields: object, query = '') =>
    ask(
      'PATCH',
      `${path}?fieldManager=m${query}`,
      { 'Content-Type': 'application/apply-patch+yaml' },
      JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', ...fields }),
    );

  test.each([
    [
      { metadata: { name: 'default', labels: { a: 3 } } },
      500,
      /^failed to create typed patch object \(\/default; \/v1, Kind=Namespace\): \.metadata\.labels\.a: expected string, got/,
    ],
    [{ metadata: { labels: { a: 3 } } }, 500, /^failed to create typed patch object \(\/; \/v1, Kind=Namespace\): /],
    [
      { metadata: { name: 5 }, foo: 1 },
      500,
      /^failed to create typed patch object \(\/; .*: errors:\n {2}\.\S+: .*\n {2}\.\S+: /,
    ],
    [{ metadata: { name: null } }, 400, /name/],
    [{ metadata: { name: 'default', uid: 'x' } }, 422, /metadata\.uid: Invalid value: "x": field is immutable$/],
  ])('that applies %j', async (fields, code, message) => {
    const answer = await apply(fields);
    expect([answer.code, answer.message]).toEqual([code, expect.stringMatching(message)]);
  });
});

test.each(['/nowhere', '/apis/none.test/v1/things', '/healthz'])('browsers do not guess the type of %s', async (path) =>
  expect((await ask('GET', path)).headers.get('x-content-type-options')).toBe('nosniff'),
);

test('the data of an unreadable body is shown as text if it may be JSON', async () => {
  const { message } = await ask('POST', maps, { 'Content-Type': 'application/json' }, '{');
  expect(message).toMatch(/unexpected end of JSON input \(\{\)$/);
});

test('browsers do not guess the type of a refusal by an authorizer', async () => {
  const closed = await startTestServer({ authorizers: [{ name: 'test', authorize: () => ({ decision: 'deny' }) }] });
  const { url: at } = await closed.listen({ port: 0 });
  const response = await fetch(`${at}${maps}`);
  await closed.stop();
  expect([response.status, response.headers.get('x-content-type-options')]).toEqual([403, 'nosniff']);
});
