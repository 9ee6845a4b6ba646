import { expect, test } from 'vitest';
import { isKubeletLabel } from './kubelet-labels.ts';

// https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction
test.each([
  ['disk', true],
  ['example.com/disk', true],
  ['notkubernetes.io/x', true],
  ['kubernetes.io/hostname', true],
  ['node.kubernetes.io/instance-type', true],
  ['topology.kubernetes.io/zone', true],
  ['kubelet.kubernetes.io/x', true],
  ['a.kubelet.kubernetes.io/x', true],
  ['node.kubernetes.io/x', true],
  ['kubernetes.io/x', false],
  ['k8s.io/x', false],
  ['example.k8s.io/x', false],
  ['node-role.kubernetes.io/control-plane', false],
  ['node-restriction.kubernetes.io/x', false],
  ['a.node-restriction.kubernetes.io/x', false],
])('%s may be set by a kubelet: %j', (key, isAllowed) => expect(isKubeletLabel(key)).toBe(isAllowed));
