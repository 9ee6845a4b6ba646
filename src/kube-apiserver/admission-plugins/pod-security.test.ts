import { beforeEach, describe, expect, test } from 'vitest';
import { podSecurity } from './pod-security.ts';
import { admissionServer, box, ns } from './test-admission.ts';

const { call, create, merge, start } = admissionServer();
beforeEach(() => start());

interface PodSpec {
  [field: string]: unknown;
}
const label = (labels: object) => merge(ns, { metadata: { labels } });

describe('PodSecurity', () => {
  const restricted = {
    containers: [
      box({
        securityContext: {
          allowPrivilegeEscalation: false,
          runAsNonRoot: true,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
      }),
    ],
  };
  const context = (securityContext: object) => ({ containers: [box({ securityContext })] });
  test.each<[string, string, PodSpec, string]>([
    ['a plain pod', 'baseline', {}, ''],
    ['a careful pod', 'restricted', restricted, ''],
    ['the host network', 'baseline', { hostNetwork: true }, 'host namespaces (hostNetwork=true)'],
    [
      'a privileged container',
      'baseline',
      context({ privileged: true }),
      'privileged (container "box" must not set securityContext.privileged=true)',
    ],
    ['a host path', 'baseline', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'hostPath volumes (volume "v")'],
    [
      'a host path, restricted',
      'restricted',
      { ...restricted, volumes: [{ name: 'v', hostPath: { path: '/' } }] },
      'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    ],
    [
      'a host port',
      'baseline',
      { containers: [box({ ports: [{ containerPort: 80, hostPort: 80 }] })] },
      'hostPort (container "box" uses hostPort 80)',
    ],
    [
      'a capability',
      'baseline',
      context({ capabilities: { add: ['NET_RAW'] } }),
      'non-default capabilities (container "box" must not include "NET_RAW" in securityContext.capabilities.add)',
    ],
    [
      'no seccomp',
      'baseline',
      { securityContext: { seccompProfile: { type: 'Unconfined' } } },
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      'a sysctl',
      'baseline',
      { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } },
      'forbidden sysctls (kernel.msgmax)',
    ],
    [
      'root',
      'restricted',
      { ...restricted, securityContext: { runAsUser: 0 } },
      'runAsUser=0 (pod must not set runAsUser=0)',
    ],
    [
      'a foreign SELinux type',
      'baseline',
      { securityContext: { seLinuxOptions: { type: 'spc_t', user: 'u' } } },
      'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
    ],
  ])('%s, %s', async (_, level, spec, why) => {
    await label({ 'pod-security.kubernetes.io/enforce': level });
    const { code, body } = await create('p', spec);
    if (!why) return expect(code).toBe(201);
    expect(code).toBe(403);
    expect(body.message).toBe(`pods "p" is forbidden: violates PodSecurity "${level}:latest": ${why}`);
  });

  test('an unknown level is refused', async () => {
    const { code, body } = await label({ 'pod-security.kubernetes.io/enforce': 'strict' });
    expect(code).toBe(422);
    expect(body.message).toContain('must be one of privileged, baseline, restricted');
  });

  test('templates are never refused', async () => {
    await label({
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
    });
    const { code } = await call('POST', '/apis/apps/v1/namespaces/default/deployments', {
      metadata: { name: 'd' },
      spec: {
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [box()] } },
      },
    });
    expect(code).toBe(201);
  });

  test('custom resources with the name of a workload have no pods', () => {
    const object = { metadata: { name: 'a' }, spec: { template: { spec: { hostNetwork: true } } } };
    const attributes = { operation: 'CREATE', subresource: '', kind: { group: 'acme.io', resource: 'jobs' }, object };
    const plugin = podSecurity(() => {
      throw new Error('the namespace is not read');
    });
    expect(plugin.validate?.(attributes as never)).toBeUndefined();
  });
});
