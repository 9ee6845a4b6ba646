// The test cases of Kubernetes for NodeRestriction, and other attempts of a node.

import { describe, test } from 'vitest';
import { type Case, check } from './test-requests.ts';

describe('tokens', () => {
  const request = (name: string, uid = `${name}-uid`, ...audiences: string[]): Case => ({
    name: 'account',
    object: {
      metadata: {} as never,
      spec: { audiences, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } },
    },
  });
  const bound = (boundObjectRef?: object): Case => ({
    name: 'account',
    object: { metadata: {} as never, spec: { boundObjectRef } },
  });
  const refused = (audience: string) =>
    `serviceaccounts "account" is forbidden: audience "${audience}" not found in pod spec volume, system:node:mynode is not authorized to request tokens for this audience`;

  test.each<[string, Case, string?]>([
    ['bound to nothing', bound(), 'node requested token not bound to a pod'],
    ['bound to a secret', bound({ apiVersion: 'v1', kind: 'Secret', name: 's', uid: 'u' }), 'not bound to a pod'],
    ['bound to a node', bound({ apiVersion: 'v1', kind: 'Node', name: 'mynode', uid: 'u' }), 'not bound to a pod'],
    [
      'bound to a pod of a group',
      bound({ apiVersion: 'x/v1', kind: 'Pod', name: 'mypod', uid: 'mypod-uid' }),
      'not bound to a pod',
    ],
    ['bound to a pod without a name', bound({ apiVersion: 'v1', kind: 'Pod', uid: 'u' }), 'not bound to a pod'],
    ['bound to a pod without a uid', request('mypod', ''), 'node requested token with a pod binding without a uid'],
    [
      'bound to a pod of before',
      request('mypod', 'x'),
      'the UID in the bound object reference (x) does not match the UID in record',
    ],
    ['bound to no pod', request('nothing'), 'pods "nothing" not found'],
    [
      'bound to another node’s pod',
      request('otherpod', undefined, 'foo'),
      'node requested token bound to a pod scheduled on a different node',
    ],
    ['for an audience of a projected volume', request('tokens', undefined, 'foo')],
    ['for the default audience', request('default')],
    ['for the default audience, of another volume', request('tokens'), refused('')],
    ['for two audiences', request('tokens', undefined, 'foo', 'bar'), 'node may only request 0 or 1 audiences'],
    ['for an audience of nothing', request('mypod', undefined, 'foo'), refused('foo')],
    ['for an audience that RBAC gives', { ...request('mypod', undefined, 'foo'), granted: ['foo'] }],
    [
      'for an audience that RBAC does not give',
      { ...request('mypod', undefined, 'foo'), granted: ['bar'] },
      refused('foo'),
    ],
    ['for an audience of a CSI driver', request('csi', undefined, 'foo')],
    ['for another audience of a CSI driver', request('csi', undefined, 'bar'), refused('bar')],
    [
      'of an unknown driver',
      request('nodriver', undefined, 'foo'),
      'error validating audience "foo": csidriver.storage.k8s.io "nowhere" not found',
    ],
    ['for an audience of a claim’s driver', request('claimed', undefined, 'foo')],
    ['for another audience of a claim’s driver', request('claimed', undefined, 'bar'), refused('bar')],
    [
      'of an unknown claim',
      request('lost', undefined, 'foo'),
      'error validating audience "foo": persistentvolumeclaim "nowhere" not found',
    ],
    [
      'of an unknown volume',
      request('volumeless', undefined, 'foo'),
      'error validating audience "foo": persistentvolume "gone" not found',
    ],
    ['of an unknown claim beside a driver', request('both', undefined, 'foo')],
    ['for an audience of an ephemeral volume', request('ephemeral', undefined, 'foo')],
    ['for an audience of a migrated volume', request('intree', undefined, 'foo')],
    ['for an audience of a migrated claim', request('intreeclaim', undefined, 'foo')],
  ])('%s', (_, given, refusal) => check('CREATE serviceaccounts/token', given, refusal));
});
