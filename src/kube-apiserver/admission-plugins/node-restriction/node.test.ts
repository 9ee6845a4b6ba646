// The test cases of Kubernetes for NodeRestriction, and other attempts of a node.

import { describe, test } from 'vitest';
import type { ApiObject } from '../../../api/api.ts';
import { type Case, check } from './test-requests.ts';

describe('nodes', () => {
  const nodeWith = (labels: object = {}, spec: object = {}, metadata: object = {}): ApiObject => ({
    metadata: { name: 'mynode', labels, ...metadata } as ApiObject['metadata'],
    spec,
  });
  const allowed = Object.fromEntries(
    [
      'kubernetes.io/hostname',
      'topology.kubernetes.io/zone',
      'topology.kubernetes.io/region',
      'kubernetes.io/os',
      'failure-domain.beta.kubernetes.io/zone',
      'failure-domain.beta.kubernetes.io/region',
      'kubernetes.io/arch',
      'beta.kubernetes.io/instance-type',
      'node.kubernetes.io/instance-type',
      'beta.kubernetes.io/os',
      'beta.kubernetes.io/arch',
      'kubelet.kubernetes.io/foo',
      'foo.kubelet.kubernetes.io/foo',
      'node.kubernetes.io/foo',
      'foo.node.kubernetes.io/foo',
      'example.com/foo',
      'plain',
      'xkubernetes.io/a',
    ].map((key) => [key, 'x']),
  );
  const forbidden = Object.fromEntries(
    [
      'node-restriction.kubernetes.io/foo',
      'foo.node-restriction.kubernetes.io/foo',
      'other.kubernetes.io/foo',
      'other.k8s.io/foo',
      'kubernetes.io/x',
      'node-role.kubernetes.io/control-plane',
    ].map((key) => [key, 'x']),
  );
  const names =
    'foo.node-restriction.kubernetes.io/foo, kubernetes.io/x, node-restriction.kubernetes.io/foo, node-role.kubernetes.io/control-plane, other.k8s.io/foo, other.kubernetes.io/foo';
  const changed = Object.fromEntries(Object.keys(forbidden).map((key) => [key, 'y']));
  const plain = nodeWith();
  const tainted = (value: string) => nodeWith({}, { taints: [{ key: 'k', value, effect: 'NoSchedule' }] });
  const ownedBy = (name: string) =>
    nodeWith({}, {}, { ownerReferences: [{ kind: 'Pod', name, uid: 'u', apiVersion: 'v1' }] });
  const configured = (name: string) => nodeWith({}, { configSource: { configMap: { name } } });
  const labels = `is not allowed to modify labels: ${names}`;
  const taints = 'node "mynode" is not allowed to modify taints';
  const owners = 'node "mynode" is not allowed to modify ownerReferences';
  const config = 'update configSource to a new non-nil configSource';

  test.each<[string, string, Case, string?]>([
    ['its own', 'CREATE', { object: plain }],
    [
      'one whose name begins with its own',
      'CREATE',
      { object: nodeWith({}, {}, { name: undefined, generateName: 'mynode' }), name: 'mynode' },
      'node "mynode" is not allowed to modify node ""',
    ],
    ['its own, with taints', 'CREATE', { object: tainted('a') }],
    ['its own, with labels', 'CREATE', { object: nodeWith(allowed) }],
    [
      'its own, with forbidden labels',
      'CREATE',
      { object: nodeWith({ ...allowed, ...forbidden }) },
      `node "mynode" is not allowed to set the following labels: ${names}`,
    ],
    [
      'its own, with a configuration',
      'CREATE',
      { object: configured('a') },
      'is not allowed to create pods with a non-nil configSource',
    ],
    [
      'another',
      'CREATE',
      { object: nodeWith({}, {}, { name: 'othernode' }) },
      'node "mynode" is not allowed to modify node "othernode"',
    ],
    [
      'another',
      'UPDATE',
      { object: nodeWith({}, {}, { name: 'othernode' }), old: plain },
      'is not allowed to modify node',
    ],
    ['another', 'DELETE', { old: nodeWith({}, {}, { name: 'othernode' }) }, 'is not allowed to modify node'],
    ['its own', 'DELETE', { old: plain }],
    ['no change', 'UPDATE', { object: plain, old: plain }],
    ['allowed labels added', 'UPDATE', { object: nodeWith(allowed), old: plain }],
    ['allowed labels removed', 'UPDATE', { object: plain, old: nodeWith(allowed) }],
    ['forbidden labels kept', 'UPDATE', { object: nodeWith({ ...allowed, ...forbidden }), old: nodeWith(forbidden) }],
    ['forbidden labels added', 'UPDATE', { object: nodeWith(forbidden), old: plain }, labels],
    ['forbidden labels removed', 'UPDATE', { object: plain, old: nodeWith(forbidden) }, labels],
    ['forbidden labels changed', 'UPDATE', { object: nodeWith(changed), old: nodeWith(forbidden) }, labels],
    ['taints kept', 'UPDATE', { object: tainted('a'), old: tainted('a') }],
    ['taints added', 'UPDATE', { object: tainted('a'), old: plain }, taints],
    ['taints removed', 'UPDATE', { object: plain, old: tainted('a') }, taints],
    ['taints changed', 'UPDATE', { object: tainted('b'), old: tainted('a') }, taints],
    ['an owner added', 'UPDATE', { object: ownedBy('a'), old: plain }, owners],
    ['an owner removed', 'UPDATE', { object: plain, old: ownedBy('a') }, owners],
    ['an owner changed', 'UPDATE', { object: ownedBy('b'), old: ownedBy('a') }, owners],
    ['a configuration added', 'UPDATE', { object: configured('a'), old: plain }, config],
    ['a configuration changed', 'UPDATE', { object: configured('b'), old: configured('a') }, config],
    ['a configuration kept', 'UPDATE', { object: configured('a'), old: configured('a') }],
    ['a configuration removed', 'UPDATE', { object: plain, old: configured('a') }],
  ])('%s: %s', async (_, operation, given, refusal) => {
    await check(`${operation} nodes`, given, refusal);
    if (operation === 'UPDATE') await check('UPDATE nodes/status', given, refusal);
  });
});
