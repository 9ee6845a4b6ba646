// Cases after pkg/apis/rbac/v1/evaluation_helpers_test.go and pkg/registry/rbac/validation of Kubernetes.

import { describe, expect, test } from 'vitest';
import type { PolicyRule, RbacV1Subject } from '../../api/api.ts';
import type { Attributes } from './authorization.ts';
import { allows, appliesTo } from './rbac.ts';

/** "VERB resource[.group][/subresource] [name]", or "VERB /path". */
function request(text: string): Attributes {
  const [verb, target, name = ''] = text.split(' ');
  const base = { verb, group: '', resource: '', subresource: '', name, path: '' };
  if (target.startsWith('/')) return { ...base, isResource: false, path: target } as unknown as Attributes;
  const [full, subresource = ''] = target.split('/');
  const [resource, ...group] = full.split('.');
  return { ...base, isResource: true, group: group.join('.'), resource, subresource } as unknown as Attributes;
}

const rule = (verbs: string, apiGroups: string, resources: string, resourceNames?: string): PolicyRule => ({
  verbs: verbs.split(','),
  apiGroups: apiGroups.split(','),
  resources: resources.split(','),
  ...(resourceNames && { resourceNames: resourceNames.split(',') }),
});
const urls = (verbs: string, nonResourceURLs: string): PolicyRule => ({
  verbs: verbs.split(','),
  nonResourceURLs: nonResourceURLs.split(','),
});

describe('a rule for resources', () => {
  test.each<[PolicyRule, string, boolean]>([
    [rule('get', '', 'pods'), 'get pods', true],
    [rule('get', '', 'pods'), 'list pods', false],
    [rule('list,get', '', 'nodes,pods'), 'get pods', true],
    [rule('*', '', 'pods'), 'delete pods', true],
    [rule('get', '*', 'pods'), 'get pods.metrics.k8s.io', true],
    [rule('get', '', 'pods'), 'get pods.metrics.k8s.io', false],
    [rule('get', 'apps', 'deployments'), 'get deployments', false],
    [rule('get', '', '*'), 'get pods', true],
    [rule('get', '', '*'), 'get pods/log', true],
    [rule('get', '', 'pods'), 'get pods/log', false],
    [rule('get', '', 'pods/log'), 'get pods/log', true],
    [rule('get', '', 'pods/log'), 'get pods', false],
    [rule('get', '', 'pods/*'), 'get pods/log', false],
    [rule('get', '', '*/scale'), 'get pods/scale', true],
    [rule('get', '', '*/scale'), 'get pods', false],
    [rule('get', '', '*/scale'), 'get pods/status', false],
    [rule('get', '', '*/'), 'get pods', false],
    [rule('get', '', 'pods', 'a,b'), 'get pods b', true],
    [rule('get', '', 'pods', 'a,b'), 'get pods c', false],
    [rule('list', '', 'pods', 'a'), 'list pods', false],
    [rule('get', '', 'pods', '*'), 'get pods a', false],
    [rule('get', '', 'po'), 'get pods', false],
    [rule('GET', '', 'pods'), 'get pods', false],
    [urls('get', '*'), 'get pods', false],
  ])('%j and "%s": %j', (given, text, wanted) => expect(allows(given, request(text))).toBe(wanted));
});

describe('a rule for paths', () => {
  test.each<[PolicyRule, string, boolean]>([
    [urls('get', '/healthz'), 'get /healthz', true],
    [urls('get', '/healthz'), 'post /healthz', false],
    [urls('*', '/healthz'), 'post /healthz', true],
    [urls('get', '/healthz'), 'get /healthz/', false],
    [urls('get', '*'), 'get /any/path', true],
    [urls('get', '/apis/*'), 'get /apis/apps', true],
    [urls('get', '/apis/*'), 'get /apis', false],
    [urls('get', '/apis*'), 'get /apis', true],
    [urls('get', '/*/apps'), 'get /apis/apps', false],
    [urls('get', '/a,/b'), 'get /b', true],
    [rule('get', '*', '*'), 'get /healthz', false],
  ])('%j and "%s": %j', (given, text, wanted) => expect(allows(given, request(text))).toBe(wanted));
});

describe('a subject', () => {
  const subject = (kind: string, name: string, namespace?: string): RbacV1Subject => ({
    ...{ kind, name },
    ...(namespace && { namespace }),
  });
  const user = { name: 'foo', groups: ['dev', 'system:authenticated'] };
  const account = { name: 'system:serviceaccount:default:foo', groups: ['system:serviceaccounts'] };

  test.each<[RbacV1Subject, string, typeof user, boolean]>([
    [subject('User', 'foo'), '', user, true],
    [subject('User', 'bar'), '', user, false],
    [subject('User', '*'), '', user, false],
    [subject('Group', 'dev'), '', user, true],
    [subject('Group', 'foo'), '', user, false],
    [subject('Group', 'system:authenticated'), '', user, true],
    [subject('ServiceAccount', 'foo', 'default'), '', account, true],
    [subject('ServiceAccount', 'foo', 'other'), 'default', account, false],
    [subject('ServiceAccount', 'foo'), 'default', account, true],
    [subject('ServiceAccount', 'foo'), 'other', account, false],
    [subject('ServiceAccount', 'foo'), '', account, false],
    [subject('ServiceAccount', 'foo', 'default'), '', user, false],
    [subject('User', 'system:serviceaccount:default:foo'), '', account, true],
    [subject('Other', 'foo'), '', user, false],
  ])('%j of a binding in "%s" is %j: %j', (given, namespace, who, wanted) =>
    expect(appliesTo(who, given, namespace)).toBe(wanted),
  );
});
