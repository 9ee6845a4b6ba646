import { expect, test } from 'vitest';
import { type Kind, KindRegistry } from '../../api/api.ts';
import type { ApiRequest } from '../request/request.ts';
import { requestInfo } from '../request/request-info.ts';
import { actionOf, operationOf } from './from-request.ts';

const kinds = new KindRegistry();
const body = { object: { metadata: { name: 'x' } } };

function request(text: string, { contentType = '', agent = 'kubectl/1.36', hasBody = false } = {}): ApiRequest {
  const [method, uri] = text.split(' ');
  const [path, search] = uri.split('?');
  const query = new URLSearchParams(search);
  return {
    method,
    path,
    query,
    info: requestInfo(method, path, query),
    contentType,
    agent,
    user: { name: 'system:kube-scheduler', groups: [] },
    warnings: [],
    signal: new AbortController().signal,
    body: async () => (hasBody ? body : undefined),
  } as Partial<ApiRequest> as ApiRequest;
}

const kindOf = ({ info }: ApiRequest): Kind => kinds.byResource(info.group, info.version, info.resource)!;
const pods = '/api/v1/namespaces/n/pods';

test.each([
  [`GET ${pods}/p`, { verb: 'get', namespace: 'n', name: 'p', subresource: '' }],
  [`GET ${pods}?watch=1`, { verb: 'watch', namespace: 'n', name: '', subresource: '' }],
  [`PUT ${pods}/p/status`, { verb: 'update', namespace: 'n', name: 'p', subresource: 'status' }],
  ['DELETE /api/v1/namespaces/n', { verb: 'delete', namespace: '', name: 'n', subresource: '' }],
  ['PATCH /api/v1/nodes/m', { verb: 'patch', namespace: '', name: 'm', subresource: '' }],
])('%s is about %o', (text, expected) => {
  const asked = request(text);
  expect(operationOf(asked, kindOf(asked))).toMatchObject({ ...expected, kind: kindOf(asked), user: asked.user });
});

const ignored = { dryRun: false, force: false, fieldValidation: 'Warn', fieldManager: 'kubectl', given: {} };

test.each<[string, Parameters<typeof request>[1], object]>([
  [`GET ${pods}/p?resourceVersion=7`, {}, { verb: 'get', options: { resourceVersion: '7' } }],
  [`GET ${pods}?limit=5&labelSelector=a%3Db`, {}, { verb: 'list', options: { limit: 5, labelSelector: 'a=b' } }],
  [`GET ${pods}?watch=1&allowWatchBookmarks=1`, {}, { verb: 'watch', options: { bookmarks: true } }],
  [`POST ${pods}`, { hasBody: true }, { verb: 'create', content: { body, options: ignored } }],
  [
    `PUT ${pods}/p?dryRun=All&fieldManager=m&fieldValidation=Strict`,
    { hasBody: true },
    {
      verb: 'update',
      content: {
        options: {
          dryRun: true,
          fieldManager: 'm',
          fieldValidation: 'Strict',
          given: { dryRun: ['All'], fieldManager: 'm', fieldValidation: 'Strict' },
        },
      },
    },
  ],
  [
    `PATCH ${pods}/p`,
    { contentType: 'application/merge-patch+json; charset=utf-8' },
    { verb: 'patch', content: { type: 'merge' } },
  ],
  [
    `PATCH ${pods}/p?fieldManager=m&force=true`,
    { contentType: 'application/apply-patch+yaml' },
    { verb: 'apply', content: { type: 'apply', options: { force: true, fieldManager: 'm' } } },
  ],
  [`DELETE ${pods}/p?gracePeriodSeconds=0`, {}, { verb: 'delete', options: { gracePeriodSeconds: 0, dryRun: false } }],
  [
    `DELETE ${pods}?fieldSelector=status.phase%3DFailed`,
    {},
    { verb: 'deletecollection', options: { dryRun: false }, selectors: { fieldSelector: 'status.phase=Failed' } },
  ],
])('%s does %o', async (text, given, expected) => {
  const asked = request(text, given);
  expect(await actionOf(asked, kindOf(asked))).toMatchObject(expected);
});

test('a client without a name manages fields under that of its user', async () => {
  const asked = { ...request(`POST ${pods}`), agent: undefined };
  expect(await actionOf(asked, kindOf(asked))).toMatchObject({
    content: { options: { fieldManager: 'kube-scheduler' } },
  });
});

test.each([
  [`PATCH ${pods}/p`, { contentType: 'text/plain' }, 415],
  [`PATCH ${pods}/p`, { contentType: 'application/apply-patch+yaml' }, 422],
  [`PATCH ${pods}/p?force=true`, { contentType: 'application/json-patch+json' }, 422],
  [`POST ${pods}?dryRun=yes`, {}, 422],
  [`POST ${pods}?fieldValidation=Sometimes`, {}, 422],
  [`GET ${pods}?limit=many`, {}, 400],
  [`DELETE ${pods}/p?propagationPolicy=Sideways`, {}, 422],
])('%s is refused', async (text, given, code) => {
  const asked = request(text, given);
  await expect(actionOf(asked, kindOf(asked))).rejects.toMatchObject({ code });
});
