import { describe, expect, test } from 'vitest';
import { maskOf, nodesIn } from './numa.ts';
import { StaticMemory } from './static-memory.ts';
import { container, podOf, sidecar } from './test-pods.ts';

const gi = 2 ** 30;
const layout = [0, 1].map((node) => ({
  ...{ node, memoryBytes: 10 * gi },
  hugePages: new Map([['hugepages-1Gi', 2 * gi]]),
}));
const reserved = new Map([[0, new Map([['memory', gi]])]]);
// Free: 7 GiB of memory on node 0 and 8 GiB on node 1; 2 GiB of huge pages on each.
const start = () => new StaticMemory(layout, reserved);
const anywhere = { isPreferred: false };
const on = (...nodes: number[]) => ({ affinity: maskOf(nodes), isPreferred: true });

const free = (memory: StaticMemory, resource = 'memory') =>
  [...memory.machine.values()].map(({ memoryMap }) => (memoryMap.get(resource)?.free ?? 0) / gi);
const podWith = (uid: string, memory: string, more: object = {}) =>
  podOf(uid, [container('c', { cpu: '1', memory, ...more })]);
const give = (
  memory: StaticMemory,
  pod: ReturnType<typeof podOf>,
  hint: Parameters<StaticMemory['allocate']>[2] = anywhere,
) => memory.allocate(pod, pod.spec.containers[0], hint);
const hints = (memory: StaticMemory, pod: ReturnType<typeof podOf>, resource = 'memory') =>
  memory
    .hints(pod, pod.spec.containers[0])
    .get(resource)
    ?.map(({ affinity = 0, isPreferred }) => `${nodesIn(affinity)}${isPreferred ? '!' : ''}`);

test('the machine without containers', () => {
  const memory = start();
  expect([free(memory), free(memory, 'hugepages-1Gi')]).toEqual([
    [7, 8],
    [2, 2],
  ]);
  expect(memory.allocatable.filter(({ type }) => type === 'memory')).toEqual([
    { numaAffinity: [0], type: 'memory', size: 7 * gi },
    { numaAffinity: [1], type: 'memory', size: 8 * gi },
  ]);
});

describe('memory of a container', () => {
  test.each<[string, Parameters<typeof give>[2], string, number[], number[]]>([
    ['without a hint is on the first node that suffices', anywhere, '2Gi', [5, 8], [0]],
    ['without a hint is on a node that suffices', anywhere, '8Gi', [7, 0], [1]],
    ['is on the node of the hint', on(1), '2Gi', [7, 6], [1]],
    ['is on two nodes if one does not suffice', anywhere, '10Gi', [0, 5], [0, 1]],
    [
      'is on more nodes than the hint if they do not suffice',
      { affinity: 1, isPreferred: false },
      '10Gi',
      [0, 5],
      [0, 1],
    ],
  ])('%s', (_, hint, amount, left, nodes) => {
    const memory = start();
    expect(give(memory, podWith('u', amount), hint)).toBe(true);
    expect(free(memory)).toEqual(left);
    expect(memory.of('u', 'c').map(({ numaAffinity }) => numaAffinity)).toEqual([nodes]);
    expect(memory.release('u')).toBe(true);
    expect([free(memory), memory.assignments.size]).toEqual([[7, 8], 0]);
  });

  test('and its huge pages are on the same node', () => {
    const memory = start();
    give(memory, podWith('u', '1Gi', { 'hugepages-1Gi': '2Gi' }), on(1));
    expect([free(memory), free(memory, 'hugepages-1Gi')]).toEqual([
      [7, 7],
      [2, 0],
    ]);
    expect(hints(memory, podWith('v', '1Gi', { 'hugepages-1Gi': '1Gi' }), 'hugepages-1Gi')).toEqual(['0!']);
  });

  test.each<[string, Parameters<typeof give>[2], string, string]>([
    [
      'that does not exist',
      anywhere,
      '16Gi',
      'failed to get the default NUMA affinity, no NUMA nodes with enough memory',
    ],
    [
      'that the preferred nodes do not have',
      on(0),
      '20Gi',
      'failed to find NUMA nodes to extend the current topology hint',
    ],
  ])('%s is refused', (_, hint, amount, why) => {
    expect(() => give(start(), podWith('u', amount), hint)).toThrow(`[memorymanager] ${why}`);
  });

  test.each([{ status: { qosClass: 'Burstable' } }, { status: {} }])('of a pod with %j is not placed', (more) => {
    const memory = start();
    expect(give(memory, podOf('u', [container('c', { memory: '1Gi' })], [], more))).toBe(false);
    expect(free(memory)).toEqual([7, 8]);
  });
});

describe('hints', () => {
  test.each<[string, string[] | undefined]>([
    ['2Gi', ['0!', '1!', '0,1']],
    ['8Gi', ['1!', '0,1']],
    ['10Gi', ['0,1!']],
    ['16Gi', undefined],
  ])('of %s', (amount, expected) => {
    expect(hints(start(), podWith('u', amount))).toEqual(expected);
  });

  test('a node is used alone or in one group', () => {
    const memory = start();
    give(memory, podWith('u', '1Gi'), on(0));
    expect(hints(memory, podWith('v', '10Gi'))).toBeUndefined();
    expect(hints(memory, podWith('v', '1Gi'))).toEqual(['0!', '1!']);
    memory.release('u');
    give(memory, podWith('u', '10Gi'));
    expect(hints(memory, podWith('v', '1Gi'))).toEqual(['0,1']);
  });

  test('of a container that has its memory are its nodes', () => {
    const memory = start();
    give(memory, podWith('u', '1Gi'), on(1));
    expect(hints(memory, podWith('u', '1Gi'))).toEqual(['1!']);
    expect(hints(memory, podWith('u', '2Gi'))).toBeUndefined();
  });
});

describe('init containers', () => {
  const pod = podOf(
    'u',
    [container('c', { memory: '3Gi' })],
    [container('i', { memory: '2Gi' }), container('s', { memory: '1Gi' }, sidecar)],
  );
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];

  test('leave their memory to later containers, and are freed once those start', () => {
    const memory = start();
    for (const each of all) memory.allocate(pod, each, on(0));
    expect(free(memory)).toEqual([3, 8]);
    expect(all.map(({ name }) => memory.of('u', name)[0].size / gi)).toEqual([0, 1, 3]);
    expect(memory.starts(pod, pod.spec.containers[0])).toBe(true);
    expect(memory.of('u', 'i')).toEqual([]);
    expect(memory.starts(pod, pod.spec.containers[0])).toBe(false);
    memory.release('u');
    expect(free(memory)).toEqual([7, 8]);
  });

  test('count with the sidecars before them', () => {
    expect([...start().podHints(pod).keys()]).toEqual(['memory']);
  });
});

describe('the state of an earlier kubelet', () => {
  test('is continued', () => {
    const before = start();
    give(before, podWith('u', '10Gi'));
    const after = start();
    after.restore(before.machine, before.assignments);
    expect(free(after)).toEqual([0, 5]);
    after.release('u');
    expect(free(after)).toEqual([7, 8]);
  });

  const blocks = (numaAffinity: number[], type = 'memory') =>
    new Map([['u', new Map([['c', [{ numaAffinity, type, size: gi }]]])]]);
  test.each<[string, Parameters<StaticMemory['restore']>, string]>([
    ['of no machine', [new Map(), blocks([0])], 'machine state can not be empty when it has memory assignments'],
    ['of another node', [start().machine, blocks([2])], 'uses the NUMA that does not exist'],
    [
      'of another resource',
      [start().machine, blocks([0], 'hugepages-2Mi')],
      'uses memory resource that does not exist',
    ],
    [
      'that does not add up',
      [start().machine, blocks([0])],
      'the expected machine state is different from the real one',
    ],
  ])('%s is refused', (_, state, why) => {
    expect(() => start().restore(...state)).toThrow(why);
  });

  test('without reserved memory is refused', () => {
    expect(() => new StaticMemory(layout, new Map())).toThrow('you should specify the system reserved memory');
  });
});
