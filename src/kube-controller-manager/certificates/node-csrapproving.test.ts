import { beforeEach, describe, expect, test } from 'vitest';
import type { UserInfo } from '../../kube-apiserver/kube-apiserver.ts';
import {
  type Asked,
  clientUsages,
  kubeletSigner,
  servingSigner,
  servingUsages,
  signingCluster,
} from './test-signing.ts';

const cluster = signingCluster();
const { ask, signed, quiet } = cluster;

describe('approving requests of nodes', () => {
  const node = (name: string): UserInfo => ({ name: `system:node:${name}`, groups: ['system:nodes'] });
  const subjectOf = (name: string) => [{ O: ['system:nodes'] }, { CN: [`system:node:${name}`] }];
  const dns = (...values: string[]) => values.map((value) => ({ type: 'dns', value }) as const);
  const serving = (name: string, more: Asked = {}): Asked => ({
    ...{ signer: servingSigner, usages: servingUsages, subject: subjectOf(name), names: dns(name), by: node(name) },
    ...more,
  });
  const proxy = (more: Asked = {}): Asked => ({ subject: [{ CN: ['system:kube-proxy'] }], by: node('a'), ...more });
  const decision = async (name: string) => (await quiet(name)).conditions?.[0];
  const reserved = ['server-1', 'kubernetes', 'x.svc', 'localhost'];
  const invalid = ['*', '*.example.com', 'KUBERNETES', 'Server-1', 'kubernetes.', 'a b'];
  beforeEach(() => {
    cluster.granted.selfnodeserver = ['a', 'b', ...reserved, ...invalid].map((n) => `system:node:${n}`);
    cluster.granted.nodeproxyclient = ['system:node:a'];
  });

  test('a node gets a serving certificate with its name', async () => {
    const name = await ask(serving('a'));
    expect(await decision(name)).toMatchObject({ type: 'Approved', reason: 'AutoApproved' });
    expect((await signed(name)).subjectAltName).toBe('DNS:a');
  });

  test('and a client certificate for its service proxy', async () => {
    const name = await ask(proxy());
    expect(await decision(name)).toMatchObject({ type: 'Approved', reason: 'AutoApproved' });
    expect((await signed(name)).subject).toBe('CN=system:kube-proxy');
  });

  test('and one for its enforcement of network policies', async () => {
    const name = await ask(proxy({ subject: [{ CN: ['coracle:network-policy'] }] }));
    expect(await decision(name)).toMatchObject({ type: 'Approved', reason: 'AutoApproved' });
  });

  test.each<[string, Asked]>([
    ['an address in a serving certificate', serving('a', { names: [...dns('a'), { type: 'ip', value: '10.0.0.1' }] })],
    ['a second name', serving('a', { names: dns('a', 'b') })],
    ['the name of another node', serving('a', { names: dns('b') })],
    ['the subject of another node', serving('a', { subject: subjectOf('b') })],
    ['a user who is no node', serving('a', { by: { name: 'jane', groups: ['system:nodes'] } })],
    ['a node without the right', serving('c')],
    ['another user for the proxy', proxy({ subject: [{ CN: ['admin'] }] })],
    ['a group for the proxy', proxy({ subject: [{ O: ['system:masters2'] }, { CN: ['system:kube-proxy'] }] })],
    ['a name for the proxy', proxy({ names: dns('a') })],
    ['a proxy of a node without the right', proxy({ by: node('b') })],
    ['a proxy of another user', proxy({ by: { name: 'jane', groups: ['system:nodes'] } })],
  ])('%s waits for a user', async (_, asked) => expect(await decision(await ask(asked))).toBeUndefined());

  test.each(invalid)('"%s", which is no name of a node, is refused: it could match that of a server', async (name) =>
    expect(await decision(await ask(serving(name)))).toMatchObject({ type: 'Denied', reason: 'InvalidName' }),
  );

  test.each(reserved)('%s is a name that no node gets', async (name) =>
    expect(await decision(await ask(serving(name)))).toMatchObject({ type: 'Denied', reason: 'ReservedName' }),
  );

  const bootstrap = (by: string, name = 'a') =>
    ask({ signer: kubeletSigner, subject: subjectOf(name), usages: clientUsages, by: { name: by, groups: [] } });
  const condition = (status: string) => {
    const at = new Date(cluster.clock.now()).toISOString();
    return { type: 'Ready', status, lastHeartbeatTime: at, lastTransitionTime: at };
  };
  const setReady = (name: string, status: string) =>
    cluster.client.patch(
      'nodes',
      { name },
      { type: 'merge', body: { status: { conditions: [condition(status)] } } },
      { subresource: 'status' },
    );

  test.each<[string, object, string]>([
    ['a node that is Ready', {}, 'True'],
    ['a node that is away', {}, 'Unknown'],
    ['a server that is away', { labels: { 'node-role.kubernetes.io/control-plane': '' } }, 'Unknown'],
  ])('a token cannot take over %s', async (_, metadata, status) => {
    cluster.granted.nodeclient = ['system:bootstrap:abcdef', 'jane'];
    await cluster.client.create('nodes', { metadata: { name: 'a', ...metadata } });
    await setReady('a', status);
    expect(await decision(await bootstrap('system:bootstrap:abcdef'))).toMatchObject({
      type: 'Denied',
      reason: 'NodeExists',
      message:
        'the cluster has a node a: choose another name with --node-name, or remove that node first with "coracle node remove a"',
    });
    const name = await bootstrap('jane');
    expect(await decision(name)).toBeUndefined();
    await cluster.client.delete('nodes', { name: 'a' });
    await cluster.clock.advance(60_000);
    expect(await decision(name)).toMatchObject({ type: 'Approved' });
    expect(await decision(await bootstrap('system:bootstrap:abcdef', 'b'))).toMatchObject({ type: 'Approved' });
  });

  test('of two tokens with one name at once, the second waits for the node of the first, and is denied', async () => {
    cluster.granted.nodeclient = ['system:bootstrap:aaaaaa', 'system:bootstrap:bbbbbb'];
    const first = await bootstrap('system:bootstrap:aaaaaa');
    const second = await bootstrap('system:bootstrap:bbbbbb');
    expect(await decision(first)).toMatchObject({ type: 'Approved' });
    expect(await decision(second)).toBeUndefined();
    await cluster.client.create('nodes', { metadata: { name: 'a' } });
    await cluster.clock.advance(1_000);
    expect(await decision(second)).toMatchObject({ type: 'Denied', reason: 'NodeExists' });
  });

  test('the second gets the name when the first registers no node', async () => {
    cluster.granted.nodeclient = ['system:bootstrap:aaaaaa'];
    expect(await decision(await bootstrap('system:bootstrap:aaaaaa'))).toMatchObject({ type: 'Approved' });
    const second = await bootstrap('system:bootstrap:aaaaaa');
    expect(await decision(second)).toBeUndefined();
    await cluster.clock.advance(16_000);
    expect(await decision(second)).toMatchObject({ type: 'Approved' });
  });

  test('a request of more than 64 KiB is left to a user', async () => {
    cluster.granted.selfnodeclient = ['system:node:a'];
    const kubelet = { signer: kubeletSigner, usages: clientUsages, by: node('a') };
    const long = [{ O: ['system:nodes'] }, { ST: ['x'.repeat(100_000)] }, { CN: ['system:node:a'] }];
    expect(await decision(await ask({ ...kubelet, subject: subjectOf('a') }))).toMatchObject({ type: 'Approved' });
    expect(await decision(await ask({ ...kubelet, subject: long }))).toBeUndefined();
  });
});
