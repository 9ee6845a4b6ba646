import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../machinery/random.ts';
import { SchedulingCycle, unschedulableMessage } from '../cycle.ts';
import { podInfo } from '../pod-info.ts';
import { cacheOf, node, pod, scoresOf, verdictsOf } from '../test-objects.ts';
import { nodeAffinity, nodeAffinityWith } from './node-affinity.ts';

const refused = "node(s) didn't match Pod's node affinity/selector";
const must = (...terms: object[]) =>
  pod(
    {},
    { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } } },
  );
const rather = (...preferred: object[]) =>
  pod({}, { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred } } });
const labels = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator, ...(values.length && { values }) }],
});
const field = (operator: string, ...values: string[]) => ({
  matchFields: [{ key: 'metadata.name', operator, values }],
});
const n = node('n', { labels: { zone: 'a', size: '10' } });

describe('NodeAffinity filters', () => {
  test.each([
    { case: 'no rule', coming: pod(), verdict: 'fits' },
    { case: 'a selector that matches', coming: pod({}, { nodeSelector: { zone: 'a' } }), verdict: 'fits' },
    { case: 'a selector that does not', coming: pod({}, { nodeSelector: { zone: 'b' } }), verdict: refused },
    { case: 'In', coming: must(labels('zone', 'In', 'a', 'b')), verdict: 'fits' },
    { case: 'NotIn', coming: must(labels('zone', 'NotIn', 'a')), verdict: refused },
    { case: 'NotIn of an absent label', coming: must(labels('x', 'NotIn', 'a')), verdict: 'fits' },
    { case: 'Exists', coming: must(labels('zone', 'Exists')), verdict: 'fits' },
    { case: 'DoesNotExist', coming: must(labels('zone', 'DoesNotExist')), verdict: refused },
    { case: 'Gt', coming: must(labels('size', 'Gt', '9')), verdict: 'fits' },
    { case: 'Lt', coming: must(labels('size', 'Lt', '10')), verdict: refused },
    {
      case: 'one of several terms',
      coming: must(labels('zone', 'In', 'b'), labels('size', 'Exists')),
      verdict: 'fits',
    },
    { case: 'an empty term', coming: must({}), verdict: refused },
    { case: 'no terms', coming: must(), verdict: refused },
    { case: "the node's name", coming: must(field('In', 'n')), verdict: 'fits' },
    { case: 'another name', coming: must(field('In', 'm')), verdict: refused },
    {
      case: 'labels and fields together',
      coming: must({ ...labels('zone', 'In', 'a'), ...field('NotIn', 'n') }),
      verdict: refused,
    },
  ])('$case: $verdict', ({ coming, verdict }) =>
    expect(verdictsOf(nodeAffinity, coming, cacheOf([n]))).toEqual({ n: verdict }),
  );
});

describe('NodeAffinity scores', () => {
  const nodes = [n, node('m', { labels: { zone: 'b', size: '10' } }), node('o')];
  test.each([
    {
      case: 'one preference',
      coming: rather({ weight: 5, preference: labels('zone', 'In', 'a') }),
      scores: { n: 100, m: 0, o: 0 },
    },
    {
      case: 'weights that add up',
      coming: rather(
        { weight: 10, preference: labels('zone', 'In', 'a') },
        { weight: 30, preference: labels('size', 'Exists') },
      ),
      scores: { n: 100, m: 75, o: 0 },
    },
    {
      case: 'none that matches',
      coming: rather({ weight: 5, preference: labels('zone', 'In', 'c') }),
      scores: { n: 0, m: 0, o: 0 },
    },
    { case: 'no preference', coming: pod(), scores: undefined },
  ])('$case', ({ coming, scores }) => expect(scoresOf(nodeAffinity, coming, cacheOf(nodes))).toEqual(scores));
});

describe('nodes for all pods of a profile', () => {
  const term = (key: string, value: string) => ({ matchExpressions: [{ key, operator: 'In', values: [value] }] });
  const required = (...nodeSelectorTerms: object[]) => ({
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
  });
  const preferred = (weight: number, preference: object) => ({
    preferredDuringSchedulingIgnoredDuringExecution: [{ weight, preference }],
  });
  const nodes = [
    node('a', { labels: { zone: '1' } }),
    node('b', { labels: { zone: '1', disk: 'ssd' } }),
    node('c', { labels: { zone: '2', disk: 'ssd' } }),
  ];
  const pluginWith = (addedAffinity: object) => nodeAffinityWith({ addedAffinity } as never);
  const enforced = "node(s) didn't match scheduler-enforced node affinity";
  test.each([
    { case: 'a pod without rules', coming: pod(), verdicts: ['fits', 'fits', enforced] },
    {
      case: 'a pod with a rule',
      coming: pod({}, { nodeSelector: { disk: 'ssd' } }),
      verdicts: [refused, 'fits', enforced],
    },
  ])('$case', ({ coming, verdicts }) =>
    expect(Object.values(verdictsOf(pluginWith(required(term('zone', '1'))), coming, cacheOf(nodes)))).toEqual(
      verdicts,
    ),
  );

  test('preferred nodes add to those that the pod prefers', () => {
    const coming = pod({}, { affinity: { nodeAffinity: preferred(20, term('disk', 'ssd')) } });
    const plugin = pluginWith(preferred(20, term('zone', '1')));
    expect(scoresOf(plugin, coming, cacheOf(nodes))).toEqual({ a: 50, b: 100, c: 50 });
    expect(scoresOf(plugin, pod(), cacheOf(nodes))).toEqual({ a: 100, b: 100, c: 0 });
  });

  test('a pod that names its node is not compared with others', () => {
    const byName = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] };
    const coming = pod({}, { affinity: { nodeAffinity: required(byName) } });
    const result = new SchedulingCycle([nodeAffinityWith({})], seededRandom(1)).run(podInfo(coming), cacheOf(nodes));
    expect([result.ok && result.node, result.evaluated]).toEqual(['b', 1]);
    const gone = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['z'] }] };
    const lost = pod({}, { affinity: { nodeAffinity: required(gone) } });
    const failure = new SchedulingCycle([nodeAffinityWith({})], seededRandom(1)).run(podInfo(lost), cacheOf(nodes));
    expect(unschedulableMessage(3, failure as never)).toBe(
      "0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [NodeAffinity].",
    );
  });
});
