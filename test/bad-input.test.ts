// Responses to bad input over HTTPS: always Kubernetes' Status, and no change.

import https from 'node:https';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadKubeconfig } from '../src/client/client.ts';
import { startCluster, type TestCluster } from '../src/testing/testing.ts';

let cluster: TestCluster;
let server: URL;
let admin: https.AgentOptions;

beforeAll(async () => {
  cluster = await startCluster({ https: true, time: 'real', components: ['kube-apiserver'] });
  const config = await loadKubeconfig(cluster.kubeconfig!);
  server = new URL(config.server);
  admin = { ca: config.ca, cert: config.cert, key: config.key };
  await cluster.client.create('serviceaccounts', { metadata: { name: 'default', namespace: 'default' } });
  await cluster.client.create('configmaps', {
    metadata: { name: 'kept', namespace: 'default' },
    data: { a: '1' },
  } as any);
});
afterAll(() => cluster?.stop());

interface Answer {
  readonly code: number;
  readonly body: any;
}

function send(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
  agent: https.AgentOptions = admin,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.request(
      new URL(path, server),
      { method, headers: { accept: 'application/json', 'content-type': 'application/json', ...headers }, ...agent },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ code: response.statusCode ?? 0, body: text.startsWith('{') ? JSON.parse(text) : text });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const configMaps = '/api/v1/namespaces/default/configmaps';
const yaml = { 'content-type': 'application/yaml' };
const merge = { 'content-type': 'application/merge-patch+json' };
const jsonPatch = { 'content-type': 'application/json-patch+json' };
const strict = `${configMaps}?fieldValidation=Strict`;
const pod = (spec: object) => JSON.stringify({ metadata: { name: 'p' }, spec });

describe('bad input is answered with a Status', () => {
  test.each<[string, () => Promise<Answer>, number, string, RegExp]>([
    [
      'broken JSON',
      () => send('POST', configMaps, '{"metadata": {'),
      400,
      'BadRequest',
      /unexpected (end of JSON input|EOF)|couldn't|invalid/i,
    ],
    [
      'broken YAML',
      () => send('POST', configMaps, 'metadata:\n  name: [x', yaml),
      400,
      'BadRequest',
      /yaml|json|decod/i,
    ],
    [
      'an unknown field, strictly',
      () => send('POST', strict, '{"metadata":{"name":"x"},"shade":1}'),
      400,
      'BadRequest',
      /strict decoding error: unknown field "shade"/,
    ],
    [
      'a field of another type',
      () => send('POST', configMaps, '{"metadata":{"name":"x"},"data":{"a":1}}'),
      400,
      'BadRequest',
      /cannot unmarshal number into Go struct field ConfigMap\.data of type string/,
    ],
    [
      'a name out of rule',
      () => send('POST', configMaps, '{"metadata":{"name":"No Good"}}'),
      422,
      'Invalid',
      /metadata\.name: Invalid value: "No Good": a lowercase RFC 1123 subdomain/,
    ],
    [
      'a missing field',
      () => send('POST', '/api/v1/namespaces/default/pods', pod({})),
      422,
      'Invalid',
      /spec\.containers: Required value/,
    ],
    [
      'a pod of an unknown service account',
      () =>
        send(
          'POST',
          '/api/v1/namespaces/default/pods',
          pod({ serviceAccountName: 'nobody', containers: [{ name: 'c', image: 'i' }] }),
        ),
      403,
      'Forbidden',
      /service account default\/nobody: serviceaccount "nobody" not found/,
    ],
    [
      'a merge patch that is no object',
      () => send('PATCH', `${configMaps}/kept`, '[]', merge),
      400,
      'BadRequest',
      /cannot unmarshal array into Go value of type map/,
    ],
    [
      'a JSON patch that does not apply',
      () => send('PATCH', `${configMaps}/kept`, '[{"op":"remove","path":"/data/none"}]', jsonPatch),
      422,
      'Invalid',
      /the server rejected our request due to an error in our request/,
    ],
    [
      'a patch of an unknown kind',
      () => send('PATCH', `${configMaps}/kept`, '{}', { 'content-type': 'application/bend+json' }),
      415,
      'UnsupportedMediaType',
      /./,
    ],
    [
      'an update of an older state',
      () => send('PUT', `${configMaps}/kept`, '{"metadata":{"name":"kept","resourceVersion":"1"},"data":{"a":"2"}}'),
      409,
      'Conflict',
      /the object has been modified; please apply your changes to the latest version and try again/,
    ],
    [
      'a second object of the name',
      () => send('POST', configMaps, '{"metadata":{"name":"kept"}}'),
      409,
      'AlreadyExists',
      /configmaps "kept" already exists/,
    ],
    [
      'an object that does not exist',
      () => send('GET', `${configMaps}/none`),
      404,
      'NotFound',
      /configmaps "none" not found/,
    ],
    [
      'a kind that does not exist',
      () => send('GET', '/api/v1/namespaces/default/things'),
      404,
      'NotFound',
      /could not find the requested resource/,
    ],
    [
      'a namespace that does not exist',
      () => send('POST', '/api/v1/namespaces/none/configmaps', '{"metadata":{"name":"x"}}'),
      404,
      'NotFound',
      /namespaces "none" not found/,
    ],
    [
      'a body that is too large',
      () => send('POST', configMaps, JSON.stringify({ metadata: { name: 'big' }, data: { a: 'x'.repeat(4 << 20) } })),
      413,
      'RequestEntityTooLarge',
      /./,
    ],
    [
      'an object that is too large',
      () =>
        send(
          'POST',
          configMaps,
          JSON.stringify({ metadata: { name: 'big' }, data: { a: 'x'.repeat(1 << 20), b: 'y' } }),
        ),
      422,
      'Invalid',
      /Too long: may not be more than 1048576 bytes/,
    ],
    [
      'a format that no header names',
      () => send('GET', configMaps, undefined, { accept: 'image/png' }),
      406,
      'NotAcceptable',
      /./,
    ],
    [
      'a selector that is none',
      () => send('GET', `${configMaps}?labelSelector=a%3D%3D%3Db`),
      400,
      'BadRequest',
      /unable to parse requirement|found/,
    ],
    [
      'a continue token that is none',
      () => send('GET', `${configMaps}?limit=1&continue=nonsense`),
      400,
      'BadRequest',
      /continue key is not valid/,
    ],
    [
      'a user without rights',
      () => send('GET', configMaps, undefined, { 'impersonate-user': 'jane' }),
      403,
      'Forbidden',
      /User "jane" cannot list resource "configmaps" in API group "" in the namespace "default"/,
    ],
    [
      'without credentials',
      () => send('GET', configMaps, undefined, {}, { ca: admin.ca }),
      403,
      'Forbidden',
      /User "system:anonymous" cannot list/,
    ],
    [
      'a wrong token',
      () => send('GET', configMaps, undefined, { authorization: 'Bearer rubbish' }, { ca: admin.ca }),
      401,
      'Unauthorized',
      /Unauthorized/,
    ],
  ])('%s', async (_name, request, code, reason, message) => {
    const answer = await request();
    expect(answer.body).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason });
    expect(answer.code).toBe(code);
    expect(answer.body.message).toMatch(message);
  });

  test('and no object was changed', async () => {
    const { items } = await cluster.client.list('configmaps', { namespace: 'default' });
    expect(items.map(({ metadata, data }) => [metadata.name, data])).toEqual([['kept', { a: '1' }]]);
  });
});
