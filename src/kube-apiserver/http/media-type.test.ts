// Cases after negotiate_test.go of Kubernetes' apiserver, and its parser's order of clauses.

import { describe, expect, test } from 'vitest';
import type { ApiRequest } from '../request/request.ts';
import { acceptedBy } from './encode.ts';
import { type Accepted, acceptedClauses, discoveryForm, firstAccepted, negotiate } from './media-type.ts';

const protobuf = 'application/vnd.kubernetes.protobuf';
const tableOf = (version: string) => ({ kind: 'Table', group: 'meta.k8s.io', version });

describe('the order of clauses', () => {
  test.each([
    ['a/a,b/b', 'a/a b/b'],
    ['a/a;q=0.5,b/b', 'b/b a/a'],
    ['a/a;q=0.5,b/b;q=0.9,c/c;q=0.7', 'b/b c/c a/a'],
    ['*/*,a/a', 'a/a */*'],
    ['a/*,a/a', 'a/a a/*'],
    ['*/*,a/*', 'a/* */*'],
    ['*/*,a/a;q=0.1', 'a/a */*'],
    ['a/a;q=x,b/b;q=0.1', 'b/b a/a'],
    ['*,a/a', 'a/a */*'],
    ['a, a/b/c, ,/, a/a', 'a/a'],
    [' a/a ; q=0.5 , b/b', 'b/b a/a'],
  ])('%s: %s', (accept, wanted) =>
    expect(
      acceptedClauses(accept)
        .map(({ type }) => type)
        .join(' '),
    ).toBe(wanted),
  );

  test('parameters have a name and one value', () =>
    expect(acceptedClauses('a/a; b = c ;d;e=;f=g=h;q=0.5')).toEqual([
      { type: 'a/a', parameters: { b: 'c' }, quality: 0.5 },
    ]));
});

describe('an object', () => {
  test.each<[string | undefined, Accepted]>([
    [undefined, { format: 'json' }],
    ['', { format: 'json' }],
    ['*/*', { format: 'json' }],
    ['application/json', { format: 'json' }],
    ['application/yaml', { format: 'yaml' }],
    [protobuf, { format: 'protobuf' }],
    [`${protobuf},application/json`, { format: 'protobuf' }],
    [`application/json;q=0.1,${protobuf}`, { format: 'protobuf' }],
    ['*/*,application/yaml', { format: 'yaml' }],
    ['application/*,application/yaml', { format: 'yaml' }],
    ['application/*,*/*', { format: 'json' }],
    ['application/json; pretty=1', { format: 'json', pretty: true }],
    ['application/json;pretty=true', { format: 'json' }],
    ['unrecognized/stuff,application/json; pretty=1', { format: 'json', pretty: true }],
    ['application/BOGUS, application/json', { format: 'json' }],
    ['application/json;as=BOGUS;v=v1beta1;g=meta.k8s.io, application/json', { format: 'json' }],
    ['application/json;v=v1;g=meta.k8s.io, application/yaml', { format: 'yaml' }],
    ['application/json;stream=watch', { format: 'json' }],
    ['application/json;stream=other, application/yaml', { format: 'yaml' }],
    ['application/json;sv=v1', { format: 'json' }],
    ['application/json;sv=v2, application/yaml', { format: 'yaml' }],
    ['application/json;as=Table;g=meta.k8s.io;v=v1', { format: 'json', as: tableOf('v1') }],
    ['application/json;as=Table;g=meta.k8s.io;v=v1beta1', { format: 'json', as: tableOf('v1beta1') }],
    ['application/json;as=Table;g=meta.k8s.io;v=v2, application/json', { format: 'json' }],
    ['application/json;as=Table;g=other;v=v1, application/json', { format: 'json' }],
    [`${protobuf};as=Table;g=meta.k8s.io;v=v1,application/json`, { format: 'json' }],
    [
      `${protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`,
      { format: 'protobuf', as: { kind: 'PartialObjectMetadata', group: 'meta.k8s.io', version: 'v1' } },
    ],
  ])('%s', (accept, wanted) => expect(negotiate(accept, () => true)).toEqual(wanted));

  test('without a protobuf form is sent in the next one', () =>
    expect(negotiate(`${protobuf},application/yaml`, () => false)).toEqual({ format: 'yaml' }));

  const only = 'only the following media types are accepted: application/json, application/yaml';
  const router = '406: Not Acceptable';
  test.each<[string, boolean, string]>([
    ['text/html', true, router],
    ['application', true, router],
    ['application/*', true, router],
    ['application/json;as=BOGUS;g=meta.k8s.io;v=v1', true, `${only}, ${protobuf}`],
    ['application/json;stream=other', true, `${only}, ${protobuf}`],
    [protobuf, false, only],
  ])('%s is refused', (accept, hasProtobuf, message) =>
    expect(() => negotiate(accept, () => hasProtobuf)).toThrow(
      expect.objectContaining({ code: 406, message: expect.stringMatching(new RegExp(`^${message}(\n|$)`)) }),
    ),
  );
});

describe('indentation', () => {
  const request = (query: string, agent: string, accept = 'application/json') =>
    ({ query: new URLSearchParams(query), headers: { accept, 'user-agent': agent } }) as unknown as ApiRequest;
  test.each([
    ['', 'kubectl/v1.36', false],
    ['', 'curl/8', true],
    ['', 'Wget/1', true],
    ['', 'Mozilla/5.0 (X11)', true],
    ['', 'Mozilla/4.0', false],
    ['pretty=1', 'kubectl', true],
    ['pretty=true', 'kubectl', true],
    ['pretty=T', 'kubectl', true],
    ['pretty=yes', 'kubectl', false],
    ['pretty=0', 'curl/8', false],
    ['pretty=false', 'curl/8', false],
    ['pretty=yes', 'curl/8', false],
    ['pretty=', 'curl/8', true],
  ])('?%s from %s: %j', (query, agent, wanted) =>
    expect(acceptedBy(request(query, agent), () => true).pretty ?? false).toBe(wanted),
  );

  test('that the type names is not undone by the query', () =>
    expect(acceptedBy(request('pretty=0', 'kubectl', 'application/json;pretty=1'), () => true).pretty).toBe(true));
});

describe('a discovery document', () => {
  const groups = 'as=APIGroupDiscoveryList';
  test.each<[string | undefined, Accepted]>([
    [undefined, { format: 'json' }],
    ['text/html', { format: 'json' }],
    ['application/*', { format: 'json' }],
    ['application/yaml', { format: 'yaml' }],
    [
      `application/json;g=apidiscovery.k8s.io;v=v2;${groups},application/json`,
      { format: 'json', as: { kind: 'APIGroupDiscoveryList', group: 'apidiscovery.k8s.io', version: 'v2' } },
    ],
    ['application/json;as=Other,application/yaml', { format: 'yaml' }],
    [`application/json;g=apidiscovery.k8s.io;v=v2beta1;${groups},application/json`, { format: 'json' }],
    [`application/json;g=apidiscovery.k8s.io;v=v9;${groups},application/yaml`, { format: 'yaml' }],
    [
      `application/json;g=apidiscovery.k8s.io;v=v2beta1;${groups},application/json;g=apidiscovery.k8s.io;v=v2;${groups};profile=nopeer`,
      {
        format: 'json',
        as: { kind: 'APIGroupDiscoveryList', group: 'apidiscovery.k8s.io', version: 'v2' },
        profile: 'nopeer',
      } as Accepted,
    ],
  ])('%s', (accept, wanted) => expect(discoveryForm(accept)).toEqual(wanted));

  test.each([
    `application/json;g=apidiscovery.k8s.io;v=v2beta1;${groups}`,
    `application/json;g=other;v=v2;${groups}`,
    'application/json;as=Other',
  ])('%s is not acceptable', (accept) =>
    expect(() => discoveryForm(accept)).toThrow('only the following media types are accepted'),
  );
});

describe('a document of some types', () => {
  const find = (type: string) => ['application/json', 'text/plain'].indexOf(type) + 1 || undefined;
  test.each([
    [undefined, 1],
    ['', 1],
    ['text/plain', 2],
    ['*/*', 1],
    ['application/*', 1],
    ['*/*, text/plain', 2],
    ['image/png', undefined],
  ])('%s: %j', (accept, wanted) => expect(firstAccepted(accept, find)).toBe(wanted));
});
