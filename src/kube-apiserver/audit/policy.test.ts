import { describe, expect, test } from 'vitest';
import { mustBeClear, mutatedText } from '../../machinery/test-mutated.ts';
import fc from '../../machinery/test-property.ts';
import { requestInfo } from '../request/request-info.ts';
import { AuditPolicyError, configFor, parseAuditPolicy } from './policy.ts';

const policyOf = (rules: string, more = '') =>
  parseAuditPolicy(`apiVersion: audit.k8s.io/v1\nkind: Policy\n${more}\nrules:\n${rules}`);
const levelOf = (rules: string, method: string, path: string, user: any = { name: 'jane', groups: ['devs'] }) =>
  configFor(policyOf(rules), requestInfo(method, path, new URLSearchParams()), user).level;

const pods = '/api/v1/namespaces/a/pods';

test.each([
  { rule: 'level: Request', method: 'GET', path: pods, level: 'Request' },
  { rule: 'level: Request, users: [jane]', method: 'GET', path: pods, level: 'Request' },
  { rule: 'level: Request, users: [bob]', method: 'GET', path: pods, level: 'None' },
  { rule: 'level: Request, userGroups: [devs]', method: 'GET', path: pods, level: 'Request' },
  { rule: 'level: Request, userGroups: [ops]', method: 'GET', path: pods, level: 'None' },
  { rule: 'level: Request, verbs: [list]', method: 'GET', path: pods, level: 'Request' },
  { rule: 'level: Request, verbs: [watch]', method: 'GET', path: pods, level: 'None' },
  { rule: 'level: Request, namespaces: [a]', method: 'GET', path: pods, level: 'Request' },
  { rule: 'level: Request, namespaces: [""]', method: 'GET', path: '/api/v1/nodes', level: 'Request' },
  { rule: 'level: Request, resources: [{group: ""}]', method: 'GET', path: pods, level: 'Request' },
  { rule: 'level: Request, resources: [{group: apps}]', method: 'GET', path: pods, level: 'None' },
  { rule: 'level: Request, resources: [{group: "*"}]', method: 'GET', path: pods, level: 'Request' },
  { rule: 'level: Request, resources: [{resources: [pods]}]', method: 'GET', path: `${pods}/x/log`, level: 'None' },
  {
    rule: 'level: Request, resources: [{resources: [pods/log]}]',
    method: 'GET',
    path: `${pods}/x/log`,
    level: 'Request',
  },
  {
    rule: 'level: Request, resources: [{resources: ["pods/*"]}]',
    method: 'GET',
    path: `${pods}/x/log`,
    level: 'Request',
  },
  {
    rule: 'level: Request, resources: [{resources: ["*/log"]}]',
    method: 'GET',
    path: `${pods}/x/log`,
    level: 'Request',
  },
  { rule: 'level: Request, resources: [{resources: ["*"]}]', method: 'GET', path: `${pods}/x/log`, level: 'Request' },
  {
    rule: 'level: Request, resources: [{resources: [pods], resourceNames: [x]}]',
    method: 'GET',
    path: `${pods}/x`,
    level: 'Request',
  },
  {
    rule: 'level: Request, resources: [{resources: [pods], resourceNames: [y]}]',
    method: 'GET',
    path: `${pods}/x`,
    level: 'None',
  },
  { rule: 'level: Request, resources: [{}]', method: 'GET', path: '/healthz', level: 'None' },
  { rule: 'level: Request, nonResourceURLs: ["/health*"]', method: 'GET', path: '/healthz', level: 'Request' },
  { rule: 'level: Request, nonResourceURLs: [/healthz]', method: 'GET', path: '/livez', level: 'None' },
  { rule: 'level: Request, nonResourceURLs: ["*"]', method: 'GET', path: pods, level: 'None' },
])('$rule: $method $path is recorded at $level', ({ rule, method, path, level }) => {
  expect(levelOf(`- {${rule}}`, method, path)).toBe(level);
});

test('the first rule that matches decides, and adds to the stages that are left out', () => {
  const policy = policyOf(
    '- {level: None, verbs: [watch]}\n- {level: Metadata, omitStages: [ResponseStarted], omitManagedFields: false}',
    'omitStages: [RequestReceived]\nomitManagedFields: true',
  );
  const info = (query: string) => requestInfo('GET', pods, new URLSearchParams(query));
  expect(configFor(policy, info('watch=1'), undefined)).toMatchObject({ level: 'None', omitManagedFields: true });
  expect(configFor(policy, info(''), undefined)).toEqual({
    level: 'Metadata',
    omitStages: new Set(['RequestReceived', 'ResponseStarted']),
    omitManagedFields: false,
  });
});

describe('refused, with the reason', () => {
  test.each([
    ['', 'it is empty'],
    ['[', 'it is no YAML'],
    ['apiVersion: v1\nkind: Policy', 'apiVersion must be audit.k8s.io/v1'],
    ['apiVersion: audit.k8s.io/v1\nkind: Policy', 'rules: there must be at least one'],
  ])('%j', (text, says) => {
    expect(() => parseAuditPolicy(text)).toThrow(says);
  });
  test.each([
    ['- {}', 'rules[0].level: Required value'],
    ['- {level: Much}', 'rules[0].level: Unsupported value: "Much"'],
    ['- {level: None, user: [a]}', 'unknown field "rules[0].user"'],
    ['- {level: None, users: a}', 'rules[0].users must be a list of strings'],
    ['- {level: None, omitStages: [End]}', 'allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic'],
    ['- {level: None, nonResourceURLs: [x]}', "must begin with a '/'"],
    ['- {level: None, nonResourceURLs: [/a*b]}', 'must be the final character'],
    ['- {level: None, nonResourceURLs: [/a], namespaces: [b]}', 'cannot apply to both'],
    ['- {level: None, resources: [{group: apps/v1}]}', 'group without a version'],
    ['- {level: None, resources: [{resourceNames: [a]}]}', 'requires at least one resource'],
  ])('%s', (rules, says) => {
    expect(() => policyOf(rules)).toThrow(says);
  });
});

test('any policy file is read or refused with a clear message', () => {
  const sample = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    omitManagedFields: true,
    rules: [
      {
        level: 'Request',
        users: ['ann'],
        userGroups: ['dev'],
        verbs: ['get'],
        namespaces: ['default'],
        resources: [{ group: '', resources: ['pods/*'], resourceNames: ['a'] }],
        omitStages: ['ResponseStarted'],
      },
      { level: 'Metadata', nonResourceURLs: ['/healthz*'] },
    ],
  };
  parseAuditPolicy(JSON.stringify(sample));
  fc.assert(
    fc.property(mutatedText(sample), (text) => {
      try {
        parseAuditPolicy(text);
      } catch (error) {
        expect(error).toBeInstanceOf(AuditPolicyError);
        mustBeClear((error as Error).message);
      }
    }),
    { numRuns: 1_500 },
  );
});
