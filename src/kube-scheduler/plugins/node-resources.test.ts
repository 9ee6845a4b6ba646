// Scores are those of Kubernetes 1.36's scheduler for the same pods and nodes.

import { describe, expect, test } from 'vitest';
import { defaultArguments, readArguments } from '../configuration/arguments.ts';
import { cacheOf, node, pod, scoresOf, verdictsOf } from '../test-objects.ts';
import {
  nodeResourcesBalancedAllocation,
  nodeResourcesBalancedAllocationWith,
  nodeResourcesFit,
  nodeResourcesFitWith,
} from './node-resources.ts';

const sized = (name: string, cpu: number, memory: number, more: object = {}) =>
  node(name, { allocatable: { cpu: `${cpu}m`, memory: String(memory), ...more } });
const wants = (cpu: number, memory: number, more: object = {}) =>
  pod({ ...(cpu && { cpu: `${cpu}m` }), ...(memory && { memory: String(memory) }), ...more });

const noRequests = { cpuMillis: 0, memoryBytes: 0, ephemeralStorageBytes: 0, scalars: new Map() };
const scaledDown = (before: object) => ({
  ...{ type: 'pod-scaled-down', pod: pod() },
  ...{ before: { ...noRequests, ...before }, after: noRequests },
});

describe('NodeResourcesFit', () => {
  const n = () => node('n', { allocatable: { 'example.com/gpu': '2' } });
  test.each([
    { case: 'room for all', coming: wants(4000, 0), there: [], verdict: 'fits' },
    { case: 'no requests on a full node', coming: wants(0, 0), there: [wants(4000, 0)], verdict: 'fits' },
    { case: 'too little CPU', coming: wants(3001, 0), there: [wants(1000, 0)], verdict: 'Insufficient cpu' },
    {
      case: 'too little of several',
      coming: wants(4001, 2 ** 34, { 'ephemeral-storage': '20Gi' }),
      there: [],
      verdict: 'Insufficient cpu, Insufficient memory, Insufficient ephemeral-storage',
    },
    { case: 'devices', coming: wants(0, 0, { 'example.com/gpu': '2' }), there: [], verdict: 'fits' },
    {
      case: 'too few devices',
      coming: wants(0, 0, { 'example.com/gpu': '2' }),
      there: [wants(0, 0, { 'example.com/gpu': '1' })],
      verdict: 'Insufficient example.com/gpu',
    },
    {
      case: 'devices that no node has',
      coming: wants(0, 0, { 'example.com/x': '1' }),
      there: [],
      verdict: 'Insufficient example.com/x',
    },
    {
      case: 'as many pods as allowed',
      coming: wants(0, 0),
      there: Array.from({ length: 10 }, () => wants(0, 0)),
      verdict: 'Too many pods',
    },
  ])('$case: $verdict', ({ coming, there, verdict }) =>
    expect(
      verdictsOf(
        nodeResourcesFit,
        coming,
        cacheOf(
          [n()],
          there.map((one) => ['n', one] as const),
        ),
      ),
    ).toEqual({ n: verdict }),
  );

  test.each([
    { case: 'an empty node', coming: wants(1000, 2 ** 31), there: [], score: 75 },
    { case: 'a node with other pods', coming: wants(1000, 2 ** 31), there: [wants(1000, 2 ** 31)], score: 50 },
    { case: 'no requests: they count as 100m and 200 MB', coming: wants(0, 0), there: [], score: 97 },
  ])('least allocated, $case: $score', ({ coming, there, score }) =>
    expect(
      scoresOf(
        nodeResourcesFit,
        coming,
        cacheOf(
          [node('n')],
          there.map((one) => ['n', one] as const),
        ),
      ),
    ).toEqual({ n: score }),
  );

  test.each([
    { case: 'a new node', event: { type: 'node-added', node: node('x') }, wakes: true },
    { case: 'a pod that ended', event: { type: 'pod-gone', pod: wants(1, 1) }, wakes: true },
    {
      case: 'a node with other labels',
      event: { type: 'node-changed', node: node('x'), old: node('x'), aspects: ['labels'] },
      wakes: false,
    },
    {
      case: 'a node with more room',
      event: {
        ...{ type: 'node-changed', node: node('x'), old: node('x', { allocatable: { cpu: '2' } }) },
        aspects: ['allocatable'],
      },
      wakes: true,
    },
    {
      case: 'a node with less room',
      event: {
        ...{ type: 'node-changed', node: node('x', { allocatable: { cpu: '2' } }), old: node('x') },
        aspects: ['allocatable'],
      },
      wakes: false,
    },
    {
      case: 'a node with more of another resource',
      event: {
        ...{ type: 'node-changed', node: node('x', { allocatable: { 'ephemeral-storage': '1Ti' } }), old: node('x') },
        aspects: ['allocatable'],
      },
      wakes: false,
    },
    {
      case: 'a node with more room, and not enough',
      event: {
        ...{ type: 'node-changed', node: node('x', { allocatable: { cpu: '500u' } }) },
        ...{ old: node('x', { allocatable: { cpu: '100u' } }), aspects: ['allocatable'] },
      },
      wakes: false,
    },
    {
      case: 'a new node that is too small',
      event: { type: 'node-added', node: node('x', { allocatable: { cpu: '0' } }) },
      wakes: false,
    },
    { case: 'another pod that got less CPU', event: scaledDown({ cpuMillis: 5 }), wakes: true },
    { case: 'another pod that got less storage', event: scaledDown({ ephemeralStorageBytes: 5 }), wakes: false },
  ])('looks again after $case: $wakes', ({ event, wakes }) => {
    const info = [...cacheOf([node('n')], [['n', wants(1, 1)]]).nodes][0]?.pods.values().next().value;
    expect(nodeResourcesFit.wakes?.(event as never, info as never, cacheOf([]))).toBe(wakes);
  });
});

describe('NodeResourcesBalancedAllocation', () => {
  const cpu = wants(3000, 0);
  const both = wants(3000, 5000);
  test.each([
    {
      case: 'nodes of different sizes',
      coming: both,
      nodes: [sized('a', 4000, 10000), sized('b', 6000, 10000)],
      there: [],
      scores: { a: 68, b: 75 },
    },
    {
      case: 'nodes with pods',
      coming: both,
      nodes: [sized('a', 10000, 20000), sized('b', 10000, 20000)],
      there: [
        ['a', cpu],
        ['b', both],
      ],
      scores: { a: 73, b: 74 },
    },
    {
      case: 'nodes of different sizes with pods',
      coming: both,
      nodes: [sized('a', 10000, 20000), sized('b', 10000, 50000)],
      there: [
        ['a', cpu],
        ['b', both],
      ],
      scores: { a: 73, b: 70 },
    },
    {
      case: 'the best and the worst',
      coming: wants(0, 5000),
      nodes: [sized('a', 3000, 5000), sized('b', 3000, 5000)],
      there: [['a', cpu]],
      scores: { a: 100, b: 50 },
    },
    {
      case: 'full nodes',
      coming: cpu,
      nodes: [sized('a', 6000, 10000), sized('b', 6000, 10000)],
      there: [
        ['a', cpu],
        ['b', both],
      ],
      scores: { a: 62, b: 62 },
    },
  ] as const)('$case', ({ coming, nodes, there, scores }) =>
    expect(scoresOf(nodeResourcesBalancedAllocation, coming, cacheOf(nodes, there))).toEqual(scores),
  );

  test('a pod without requests is the same to all nodes', () =>
    expect(scoresOf(nodeResourcesBalancedAllocation, wants(0, 0), cacheOf([node('n')]))).toBeUndefined());
});

describe('strategies', () => {
  const fitBy = (scoringStrategy: object) =>
    nodeResourcesFitWith(readArguments(new Map([['NodeResourcesFit', { scoringStrategy }]])).NodeResourcesFit);
  const shape = (...points: (readonly [number, number])[]) => ({
    shape: points.map(([utilization, score]) => ({ utilization, score })),
  });
  const cpuAndMemory = (...weights: number[]) =>
    ['cpu', 'memory'].map((name, i) => ({ name, weight: weights[i] ?? 1 }));
  const gpu = [{ name: 'example.com/gpu', weight: 1 }];
  const machines = [sized('small', 4000, 10_000), sized('large', 6000, 10_000, { 'example.com/gpu': '8' })];
  const least = { type: 'LeastAllocated' };
  const most = { type: 'MostAllocated' };
  const ratio = (requestedToCapacityRatio: object) => ({ type: 'RequestedToCapacityRatio', requestedToCapacityRatio });
  test.each([
    { case: 'least', strategy: least, coming: wants(3000, 5000), scores: { small: 37, large: 50 } },
    { case: 'most', strategy: most, coming: wants(3000, 5000), scores: { small: 62, large: 50 } },
    {
      case: 'most, CPU alone',
      strategy: { ...most, resources: cpuAndMemory().slice(0, 1) },
      coming: wants(3000, 5000),
      scores: { small: 75, large: 50 },
    },
    {
      case: 'most, with weights',
      strategy: { ...most, resources: cpuAndMemory(3, 1) },
      coming: wants(3000, 5000),
      scores: { small: 68, large: 50 },
    },
    {
      case: 'least, of devices that the pod requests',
      strategy: { ...least, resources: gpu },
      coming: wants(0, 0, { 'example.com/gpu': '2' }),
      scores: { small: 0, large: 75 },
    },
    {
      case: 'least, of devices that it does not request',
      strategy: { ...least, resources: gpu },
      coming: wants(1000, 0),
      scores: { small: 0, large: 0 },
    },
    {
      case: 'a rising ratio',
      strategy: ratio(shape([0, 0], [100, 10])),
      coming: wants(3000, 5000),
      scores: { small: 63, large: 50 },
    },
    {
      case: 'a falling ratio',
      strategy: ratio(shape([0, 10], [100, 0])),
      coming: wants(3000, 5000),
      scores: { small: 38, large: 50 },
    },
  ])('$case', ({ strategy, coming, scores }) =>
    expect(scoresOf(fitBy(strategy), coming, cacheOf(machines))).toEqual(scores),
  );

  test('ignored resources are left to others', () => {
    const { NodeResourcesFit } = readArguments(
      new Map([['NodeResourcesFit', { ignoredResources: ['a.com/x'], ignoredResourceGroups: ['b.com'] }]]),
    );
    const verdictFor = (name: string) =>
      verdictsOf(nodeResourcesFitWith(NodeResourcesFit), wants(0, 0, { [name]: '1' }), cacheOf([node('n')]))['n'];
    expect(['a.com/x', 'b.com/y', 'a.com/y'].map(verdictFor)).toEqual(['fits', 'fits', 'Insufficient a.com/y']);
  });

  test('balance counts the resources of the arguments', () => {
    const balanced = nodeResourcesBalancedAllocationWith({
      resources: [...defaultArguments.NodeResourcesBalancedAllocation.resources, ...gpu],
    });
    const scores = scoresOf(balanced, wants(3000, 5000, { 'example.com/gpu': '4' }), cacheOf(machines));
    expect(scores?.['large']).toBeGreaterThan(scores?.['small'] ?? 100);
  });
});
