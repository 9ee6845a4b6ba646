import { describe, expect, test } from 'vitest';
import type { UserInfo } from '../../kube-apiserver/kube-apiserver.ts';
import {
  type Asked,
  kubeletSigner,
  nodeSubject,
  servingSigner,
  servingUsages,
  signingCluster,
} from './test-signing.ts';

const cluster = signingCluster();
const { ask, signed, quiet } = cluster;

describe('approving', () => {
  const node: UserInfo = { name: 'system:node:a', groups: ['system:nodes'] };
  const asked: Asked = { signer: kubeletSigner, subject: nodeSubject, usages: ['digital signature', 'client auth'] };
  const approval = async (name: string) => (await quiet(name)).conditions?.[0];

  test('a node renews its own client certificate', async () => {
    cluster.granted.selfnodeclient = ['system:node:a'];
    const name = await ask({ ...asked, by: node });
    expect(await approval(name)).toMatchObject({
      type: 'Approved',
      reason: 'AutoApproved',
      message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
    });
    expect((await signed(name)).subject).toBe('O=system:nodes\nCN=system:node:a');
  });

  test('a bootstrap user gets one for a node, as soon as it has the right', async () => {
    const name = await ask({ ...asked, by: { name: 'bootstrap', groups: [] } });
    expect(await approval(name)).toBeUndefined();
    cluster.granted.nodeclient = ['bootstrap'];
    await cluster.clock.advance(10_000);
    expect(await approval(name)).toMatchObject({
      message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
    });
  });

  test.each<[string, Asked]>([
    ['another’s name', { ...asked, by: { name: 'system:node:b', groups: ['system:nodes'] } }],
    [
      'a serving certificate',
      { ...asked, signer: servingSigner, usages: servingUsages, names: [{ type: 'dns', value: 'a' }], by: node },
    ],
    ['a client certificate of no node', { subject: nodeSubject, by: node }],
    ['a request that is not that of a kubelet', { ...asked, subject: [{ CN: ['system:node:a'] }], by: node }],
  ])('%s needs a subject', async (_, request) => {
    cluster.granted.selfnodeclient = ['system:node:a', 'system:node:b'];
    expect(await approval(await ask(request))).toBeUndefined();
  });
});
