import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../api/api.ts';
import { seededRandom } from '../../machinery/random.ts';
import { SchedulerCache } from '../cache.ts';
import { SchedulingCycle } from '../cycle.ts';
import { podInfo } from '../pod-info.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';

let serial = 0;
const node = (name: string, zone: string) =>
  ({
    metadata: { name, labels: { 'kubernetes.io/hostname': name, zone } },
    spec: {},
    status: { allocatable: { cpu: '8', memory: '8Gi', pods: '110' } },
  }) as unknown as Node;
const pod = (app: string, affinity?: object, namespace = 'default') =>
  ({
    metadata: { name: `p${serial}`, namespace, uid: `u${serial++}`, labels: { app } },
    spec: { containers: [], ...(affinity && { affinity }) },
  }) as unknown as Pod;
const term = (app: string, topologyKey: string, more: object = {}) => ({
  labelSelector: { matchLabels: { app } },
  topologyKey,
  ...more,
});
const must = (kind: 'podAffinity' | 'podAntiAffinity', t: object) => ({
  [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [t] },
});
const rather = (kind: 'podAffinity' | 'podAntiAffinity', t: object) => ({
  [kind]: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: t }] },
});

/** Three nodes, a and b in zone one, c in zone two; `there` are on them already. Where may the pod go? */
function place(there: readonly (readonly [string, Pod])[], coming: Pod): { node?: string; reasons: string[] } {
  const cache = new SchedulerCache();
  for (const [name, zone] of [
    ['a', 'one'],
    ['b', 'one'],
    ['c', 'two'],
  ])
    cache.setNode(node(name, zone));
  cache.setNamespace('default', { team: 'x' });
  cache.setNamespace('other', { team: 'y' });
  for (const [name, one] of there) cache.place(podInfo(one), name);
  const result = new SchedulingCycle([interPodAffinity], seededRandom(1)).run(podInfo(coming), cache);
  return { ...(result.ok && { node: result.node }), reasons: [...new Set(result.filtered.flatMap((f) => f.reasons))] };
}

test.each([
  {
    case: 'affinity by zone',
    there: [['c', pod('db')]],
    coming: pod('web', must('podAffinity', term('db', 'zone'))),
    goes: ['c'],
  },
  {
    case: 'affinity by host',
    there: [['b', pod('db')]],
    coming: pod('web', must('podAffinity', term('db', 'kubernetes.io/hostname'))),
    goes: ['b'],
  },
  {
    case: 'affinity to a pod that does not exist',
    there: [],
    coming: pod('web', must('podAffinity', term('db', 'zone'))),
    goes: [],
  },
  {
    case: 'the first of its own group',
    there: [],
    coming: pod('web', must('podAffinity', term('web', 'zone'))),
    goes: ['a', 'b', 'c'],
  },
  {
    case: 'anti-affinity by zone',
    there: [['a', pod('web')]],
    coming: pod('web', must('podAntiAffinity', term('web', 'zone'))),
    goes: ['c'],
  },
  {
    case: 'anti-affinity of a pod that is there',
    there: [['a', pod('db', must('podAntiAffinity', term('web', 'zone')))]],
    coming: pod('web'),
    goes: ['c'],
  },
  {
    case: 'another namespace is not meant',
    there: [['c', pod('db', undefined, 'other')]],
    coming: pod('web', must('podAffinity', term('db', 'zone'))),
    goes: [],
  },
  {
    case: 'a namespace that is named',
    there: [['c', pod('db', undefined, 'other')]],
    coming: pod('web', must('podAffinity', term('db', 'zone', { namespaces: ['other'] }))),
    goes: ['c'],
  },
  {
    case: 'a namespace that is selected',
    there: [['c', pod('db', undefined, 'other')]],
    coming: pod('web', must('podAffinity', term('db', 'zone', { namespaceSelector: { matchLabels: { team: 'y' } } }))),
    goes: ['c'],
  },
  {
    case: 'a preference for company',
    there: [['c', pod('db')]],
    coming: pod('web', rather('podAffinity', term('db', 'zone'))),
    goes: ['c'],
  },
  {
    case: 'a preference for distance',
    there: [
      ['a', pod('web')],
      ['b', pod('web')],
    ],
    coming: pod('web', rather('podAntiAffinity', term('web', 'kubernetes.io/hostname'))),
    goes: ['c'],
  },
] as { case: string; there: [string, Pod][]; coming: Pod; goes: string[] }[])(
  'InterPodAffinity: $case',
  ({ there, coming, goes }) => {
    const { node: chosen } = place(there, coming);
    if (goes.length === 0) expect(chosen).toBeUndefined();
    else expect(goes).toContain(chosen);
  },
);

test.each([
  [
    [['a', pod('db')]],
    pod('web', must('podAffinity', term('none', 'zone'))),
    "node(s) didn't match pod affinity rules",
  ],
  [
    [
      ['a', pod('web')],
      ['c', pod('web')],
    ],
    pod('web', must('podAntiAffinity', term('web', 'zone'))),
    "node(s) didn't match pod anti-affinity rules",
  ],
  [
    [
      ['a', pod('db', must('podAntiAffinity', term('web', 'zone')))],
      ['c', pod('db', must('podAntiAffinity', term('web', 'zone')))],
    ],
    pod('web'),
    "node(s) didn't satisfy existing pods anti-affinity rules",
  ],
] as [[string, Pod][], Pod, string][])("has Kubernetes' message", (there, coming, reason) =>
  expect(place(there, coming).reasons).toEqual([reason]),
);

describe('wakes', () => {
  const web = pod('web', { ...must('podAffinity', term('db', 'zone')) });
  const lonely = pod('web', must('podAntiAffinity', term('web', 'zone')));
  const moved = { ...node('a', 'two'), metadata: { ...node('a', 'two').metadata } };
  const changed = (aspects: string[], next = moved) => ({
    type: 'node-changed',
    node: next,
    old: node('a', 'one'),
    aspects,
  });
  test.each<[string, Pod, object, boolean]>([
    ['the pod itself changed', web, { type: 'pod-updated' }, true],
    ['a pod of its affinity got a node', web, { type: 'pod-assigned', pod: pod('db') }, true],
    ['another pod got a node', web, { type: 'pod-assigned', pod: pod('cache') }, false],
    ['a pod of its anti-affinity is gone', lonely, { type: 'pod-gone', pod: pod('web') }, true],
    ['another pod is gone', lonely, { type: 'pod-gone', pod: pod('db') }, false],
    [
      'a pod that kept it away is gone',
      pod('web'),
      { type: 'pod-gone', pod: pod('db', must('podAntiAffinity', term('web', 'zone'))) },
      true,
    ],
    ['a pod became one of its affinity', web, { type: 'pod-relabelled', pod: pod('db'), old: pod('cache') }, true],
    [
      'a pod is no longer one of its affinity',
      web,
      { type: 'pod-relabelled', pod: pod('cache'), old: pod('db') },
      false,
    ],
    [
      'a pod is no longer one of its anti-affinity',
      lonely,
      { type: 'pod-relabelled', pod: pod('db'), old: pod('web') },
      true,
    ],
    ['a new node', web, { type: 'node-added', node: node('d', 'one') }, true],
    ['a node in another zone', web, changed(['labels']), true],
    ['a node in the same zone', web, changed(['labels'], node('a', 'one')), false],
    ['other resources of a node', web, changed(['allocatable']), false],
    ['another label of a node, without own terms', pod('web'), changed(['labels']), true],
    ['a volume', web, { type: 'storage-changed' }, false],
  ])('%s', (_, waiting, event, wakes) => {
    const cache = new SchedulerCache();
    expect(interPodAffinity.wakes?.(event as never, podInfo(waiting), cache)).toBe(wakes);
  });
});
