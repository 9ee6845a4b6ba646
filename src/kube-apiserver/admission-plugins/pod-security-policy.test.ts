import { describe, expect, test } from 'vitest';
import type { Namespace } from '../../api/api.ts';
import { parsePodSecurity, policyOf } from './pod-security-policy.ts';
import { admissionServer, box, ns } from './test-admission.ts';

const { call, create, merge, start } = admissionServer();

test.each([
  ['no label', {}, { enforce: 'privileged', audit: 'privileged', warn: 'privileged' }],
  [
    'the level that is enforced',
    { enforce: 'baseline' },
    { enforce: 'baseline', audit: 'privileged', warn: 'baseline' },
  ],
  [
    'an own level',
    { enforce: 'baseline', warn: 'privileged' },
    { enforce: 'baseline', audit: 'privileged', warn: 'privileged' },
  ],
  [
    'levels that cannot be read',
    { enforce: 'x', audit: 'x', warn: 'x' },
    { enforce: 'restricted', audit: 'privileged', warn: 'privileged' },
  ],
])('PodSecurity warns by %s', (_, labels, expected) => {
  const named = Object.fromEntries(
    Object.entries(labels).map(([mode, level]) => [`pod-security.kubernetes.io/${mode}`, level]),
  );
  const { policy } = policyOf({ metadata: { labels: named } } as Namespace, parsePodSecurity().defaults);
  expect({ enforce: policy.enforce.level, audit: policy.audit.level, warn: policy.warn.level }).toEqual(expected);
});

describe('PodSecurity with a configuration', () => {
  const configuration = (fields: object) =>
    parsePodSecurity(
      JSON.stringify({
        apiVersion: 'pod-security.admission.config.k8s.io/v1',
        kind: 'PodSecurityConfiguration',
        defaults: { enforce: 'baseline' },
        ...fields,
      }),
    );
  const privileged = { containers: [box({ securityContext: { privileged: true } })] };

  test.each([
    ['no exemption', {}, {}, 403],
    ['an exempt namespace', { namespaces: ['default'] }, {}, 201],
    ['an exempt user', { usernames: ['system:admin'] }, {}, 201],
    ['an exempt runtime class', { runtimeClasses: ['vm'] }, { runtimeClassName: 'vm' }, 201],
  ])('%s', async (_, exemptions, spec, code) => {
    await start({ configuration: { podSecurity: configuration({ exemptions }) } });
    await call('POST', '/apis/node.k8s.io/v1/runtimeclasses', { metadata: { name: 'vm' }, handler: 'vm' });
    expect((await create('p', { ...privileged, ...spec })).code).toBe(code);
  });

  test('a label comes before the default', async () => {
    await start({ configuration: { podSecurity: configuration({}) } });
    await merge(ns, { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } });
    expect((await create('p', privileged)).code).toBe(201);
  });
});
