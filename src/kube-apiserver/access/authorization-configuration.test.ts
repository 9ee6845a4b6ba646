import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { parseAuthorizationConfiguration } from './authorization-configuration.ts';

const webhook = {
  timeout: '3s',
  subjectAccessReviewVersion: 'v1',
  failurePolicy: 'Deny',
  connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: '/etc/hook' },
};
const hook = (over: object = {}) => ({ type: 'Webhook', name: 'hook', webhook: { ...webhook, ...over } });
const parse = (authorizers: unknown, more: object = {}) =>
  parseAuthorizationConfiguration(
    stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthorizationConfiguration', authorizers, ...more }),
  );

describe('authorization configuration', () => {
  test('preserves the order of its authorizers', () =>
    expect(
      parse([hook(), { type: 'Node', name: 'node' }, { type: 'RBAC', name: 'rbac' }]).map(({ name }) => name),
    ).toEqual(['hook', 'node', 'rbac']));

  test.each([
    {
      case: 'none',
      authorizers: [],
      why: 'authorizers: Required value: at least one authorization mode must be defined',
    },
    { case: 'no type', authorizers: [{ name: 'x' }], why: 'authorizers[0].type: Required value' },
    {
      case: 'an unknown type',
      authorizers: [{ type: 'X', name: 'x' }],
      why: 'authorizers[0].type: Unsupported value: "X"',
    },
    {
      case: 'a type twice',
      authorizers: [
        { type: 'RBAC', name: 'a' },
        { type: 'RBAC', name: 'b' },
      ],
      why: 'authorizers[1].type: Duplicate value: "RBAC"',
    },
    { case: 'no name', authorizers: [{ type: 'RBAC' }], why: 'authorizers[0].name: Required value' },
    {
      case: 'a name twice',
      authorizers: [
        { type: 'RBAC', name: 'a' },
        { type: 'Node', name: 'a' },
      ],
      why: 'authorizers[1].name: Duplicate value: "a"',
    },
    { case: 'a bad name', authorizers: [{ type: 'RBAC', name: 'A' }], why: /authorizer name is invalid/ },
    {
      case: 'a webhook without its part',
      authorizers: [{ type: 'Webhook', name: 'a' }],
      why: 'authorizers[0].webhook: Required value: required when type=Webhook',
    },
    {
      case: 'RBAC with a webhook',
      authorizers: [{ type: 'RBAC', name: 'a', webhook }],
      why: 'authorizers[0].webhook: Invalid value: "non-null": may only be specified when type=Webhook',
    },
    { case: 'no timeout', authorizers: [hook({ timeout: undefined })], why: 'authorizers[0].timeout: Required value' },
    { case: 'a long timeout', authorizers: [hook({ timeout: '31s' })], why: 'must be > 0s and <= 30s' },
    {
      case: 'a timeout that is none',
      authorizers: [hook({ timeout: 'soon' })],
      why: 'authorizers[0].timeout: Invalid value: "soon"',
    },
    {
      case: 'a negative cache',
      authorizers: [hook({ authorizedTTL: '-1s' })],
      why: 'authorizers[0].authorizedTTL: Invalid value: "-1s": must be > 0s',
    },
    {
      case: 'another version',
      authorizers: [hook({ subjectAccessReviewVersion: 'v2' })],
      why: 'Unsupported value: "v2"',
    },
    {
      case: 'conditions without a version',
      authorizers: [hook({ matchConditions: [{ expression: 'true' }] })],
      why: 'required if match conditions are specified',
    },
    {
      case: 'a condition of another type',
      authorizers: [hook({ matchConditionSubjectAccessReviewVersion: 'v1', matchConditions: [{ expression: '1' }] })],
      why: 'must evaluate to bool but got int',
    },
    {
      case: 'a condition that cannot be read',
      authorizers: [
        hook({ matchConditionSubjectAccessReviewVersion: 'v1', matchConditions: [{ expression: 'request.x' }] }),
      ],
      why: /compilation failed/,
    },
    {
      case: 'no failure policy',
      authorizers: [hook({ failurePolicy: '' })],
      why: 'authorizers[0].failurePolicy: Required value',
    },
    {
      case: 'a relative file',
      authorizers: [hook({ connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: 'x' } })],
      why: 'must be an absolute path',
    },
    {
      case: 'itself as the webhook',
      authorizers: [hook({ connectionInfo: { type: 'InClusterConfig' } })],
      why: 'an API server cannot ask itself',
    },
    { case: 'ABAC', authorizers: [{ type: 'ABAC', name: 'abac' }], why: 'type ABAC is not supported' },
    {
      case: 'an unknown field',
      authorizers: [{ type: 'RBAC', name: 'a', mode: 'x' }],
      why: 'unknown field "authorizers[0].mode"',
    },
    { case: 'no list', authorizers: 'RBAC', why: 'authorizers must be a list' },
  ])('refuses $case', ({ authorizers, why }) => expect(() => parse(authorizers)).toThrow(why));

  test.each([
    { text: '', why: 'it is empty, or no object' },
    { text: '- a', why: 'it is empty, or no object' },
    { text: 'a: [', why: /it is no YAML/ },
    { text: 'kind: Other', why: /kind must be AuthorizationConfiguration/ },
  ])('refuses the text $text', ({ text, why }) => expect(() => parseAuthorizationConfiguration(text)).toThrow(why));
});
