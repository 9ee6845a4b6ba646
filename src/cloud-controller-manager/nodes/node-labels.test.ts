import { expect, test } from 'vitest';
import type { Instance } from '../provider.ts';
import { initialLabels, reconciledLabels } from './node-labels.ts';

const instance = (more: Partial<Instance>): Instance => ({
  providerID: 'x://1',
  isShutDown: false,
  addresses: [],
  ...more,
});

test('zone, region and type are labels of both generations', () =>
  expect(initialLabels(instance({ zone: 'z', region: 'r', type: 't' }), {}).labels).toEqual({
    'failure-domain.beta.kubernetes.io/zone': 'z',
    'topology.kubernetes.io/zone': 'z',
    'failure-domain.beta.kubernetes.io/region': 'r',
    'topology.kubernetes.io/region': 'r',
    'beta.kubernetes.io/instance-type': 't',
    'node.kubernetes.io/instance-type': 't',
  }));

test.each<[string, Record<string, string>, Record<string, string>, string[]]>([
  ['more labels are added', { rack: '7' }, { rack: '7' }, []],
  ['labels of the node stay', { disk: 'ssd' }, {}, ['disk: the node has the value "hdd"']],
  ['the same value is no conflict', { disk: 'hdd' }, {}, []],
  [
    "Kubernetes' domains are refused",
    { 'x.kubernetes.io/a': '1' },
    {},
    ["x.kubernetes.io/a: its domain is Kubernetes' own"],
  ],
  ['also the short one', { 'k8s.io/a': '1' }, {}, ["k8s.io/a: its domain is Kubernetes' own"]],
  ['a similar domain is allowed', { 'mykubernetes.io/a': '1' }, { 'mykubernetes.io/a': '1' }, []],
])('%s', (_, labels, added, discarded) =>
  expect(initialLabels(instance({ labels }), { disk: 'hdd' })).toEqual({ labels: added, discarded }),
);

test.each<[string, Record<string, string>, Record<string, string>]>([
  ['nothing without labels', {}, {}],
  [
    'nothing when both are the same',
    { 'beta.kubernetes.io/instance-type': 'a', 'node.kubernetes.io/instance-type': 'a' },
    {},
  ],
  [
    'the new one from the old one',
    { 'failure-domain.beta.kubernetes.io/zone': 'z' },
    { 'topology.kubernetes.io/zone': 'z' },
  ],
  [
    'the old one wins',
    { 'failure-domain.beta.kubernetes.io/region': 'r', 'topology.kubernetes.io/region': 'other' },
    { 'topology.kubernetes.io/region': 'r' },
  ],
  ['a new one alone stays alone', { 'topology.kubernetes.io/region': 'r' }, {}],
])('labels are made the same: %s', (_, labels, wanted) => expect(reconciledLabels(labels)).toEqual(wanted));
