import { describe, expect, test } from 'vitest';
import { formatCpuSet, parseCpuSet } from './cpu-set.ts';
import type { CpuTopology } from './cpu-topology.ts';
import { maskOf, nodesIn } from './numa.ts';
import { staticCpuOptions } from './policy-options.ts';
import { containersOf } from './requests.ts';
import { StaticCpus } from './static-cpus.ts';
import { machineOf } from './test-machines.ts';
import { container, podOf, sidecar } from './test-pods.ts';

const single = machineOf({ sockets: 1, cores: 4, threads: 2 });
const dual = machineOf({ sockets: 2, cores: 4, threads: 2 }); // nodes 0-3,8-11 and 4-7,12-15

const start = (topology: CpuTopology = single, options: Record<string, string> = {}, reserved?: string) =>
  new StaticCpus({
    ...{ topology, options: staticCpuOptions(options) },
    ...(reserved
      ? { reserved: parseCpuSet(reserved), reservedCount: parseCpuSet(reserved).size }
      : { reservedCount: 1 }),
  });
const anywhere = { isPreferred: false };
const shared = (cpus: StaticCpus) => formatCpuSet(cpus.assignments.shared);

function run(cpus: StaticCpus, pod = podOf('u', [container('c', { cpu: '2', memory: '1Gi' })])): string[] {
  for (const each of containersOf(pod)) cpus.allocate(pod, each, anywhere);
  return containersOf(pod).map(({ name }) => formatCpuSet(cpus.own('u', name) ?? new Set()));
}

describe('CPUs of a container', () => {
  test.each<[string, ReturnType<typeof podOf>, string[], string]>([
    ['whole ones', podOf('u', [container('c', { cpu: '2' })]), ['1,5'], '0,2-4,6-7'],
    ['a fraction', podOf('u', [container('c', { cpu: '1500m' })]), [''], '0-7'],
    ['none', podOf('u', [container('c', {})]), [''], '0-7'],
    [
      'of a Burstable pod',
      podOf('u', [container('c', { cpu: '2' })], [], { status: { qosClass: 'Burstable' } }),
      [''],
      '0-7',
    ],
    ['of two', podOf('u', [container('a', { cpu: '1' }), container('b', { cpu: '2' })]), ['4', '1,5'], '0,2-3,6-7'],
    [
      'of an init container, which the next one takes over',
      podOf('u', [container('c', { cpu: '3' })], [container('i', { cpu: '2' })]),
      ['1,5', '1,4-5'],
      '0,2-3,6-7',
    ],
    [
      'of a sidecar, which stay',
      podOf('u', [container('c', { cpu: '2' })], [container('s', { cpu: '2' }, sidecar)]),
      ['1,5', '2,6'],
      '0,3-4,7',
    ],
  ])('%s', (_, pod, own, rest) => {
    const cpus = start();
    expect([run(cpus, pod), shared(cpus)]).toEqual([own, rest]);
    cpus.release('u');
    expect(shared(cpus)).toBe('0-7');
  });

  test('of a pod with resources for the whole pod are shared', () => {
    const pod = podOf('u', [container('c', { cpu: '2' })]);
    Object.assign(pod.spec, { resources: { requests: { cpu: '2' } } });
    expect(run(start(), pod)).toEqual(['']);
  });

  test('are kept, and follow the NUMA nodes', () => {
    const cpus = start(dual);
    const pod = podOf('u', [container('c', { cpu: '2' })]);
    const near = { affinity: maskOf([1]), isPreferred: true };
    expect(cpus.allocate(pod, pod.spec.containers[0], near)).toBe(true);
    expect(cpus.allocate(pod, pod.spec.containers[0], anywhere)).toBe(false);
    expect(formatCpuSet(cpus.of('u', 'c'))).toBe('4,12');
  });

  test('beyond the free ones are an error', () => {
    const pod = podOf('u', [container('c', { cpu: '8' })]);
    expect(() => run(start(), pod)).toThrow('not enough cpus available to satisfy request: requested=8, available=7');
  });
});

describe('reserved CPUs', () => {
  test('are shared, and not for one container', () => {
    const cpus = start(single, {}, '0,4');
    expect([formatCpuSet(cpus.allocatable), shared(cpus)]).toEqual(['1-3,5-7', '0-7']);
  });
  test('are strictly for the machine, if so configured', () => {
    const cpus = start(single, { 'strict-cpu-reservation': 'true' }, '0,4');
    expect([run(cpus), shared(cpus)]).toEqual([['1,5'], '2-3,6-7']);
  });
  test.each([
    [{ reservedCount: 0 }, 'requires systemreserved.cpu + kubereserved.cpu to be greater than zero'],
    [{ reservedCount: 9 }, 'unable to reserve the required amount of CPUs (size of 0-7 did not equal 9)'],
    [{ reservedCount: 1, reserved: parseCpuSet('8') }, 'unable to reserve the required amount of CPUs'],
  ])('%j is refused', (reservation, why) => {
    const make = () => new StaticCpus({ topology: single, options: staticCpuOptions(), ...reservation });
    expect(make).toThrow(why);
  });
});

describe('full-pcpus-only', () => {
  const options = { 'full-pcpus-only': 'true' };
  test.each([
    ['2', ['1,5']],
    ['4', ['1-2,5-6']],
    ['3', 'SMT Alignment Error: requested 3 cpus not multiple cpus per core = 2'],
    [
      '8',
      'SMT Alignment Error: not enough free physical CPUs: available physical CPUs = 6, requested CPUs = 8, CPUs per core = 2',
    ],
  ])('%s CPUs', (cpu, expected) => {
    const pod = podOf('u', [container('c', { cpu })]);
    if (typeof expected === 'string') expect(() => run(start(single, options), pod)).toThrow(expected);
    else expect(run(start(single, options), pod)).toEqual(expected);
  });
});

describe('hints', () => {
  const hintsOf = (cpus: StaticCpus, cpu: string, init: string[] = []) => {
    const pod = podOf(
      'u',
      [container('c', { cpu })],
      init.map((each, i) => container(`i${i}`, { cpu: each })),
    );
    const text = (hints: ReturnType<StaticCpus['hints']>) =>
      hints.get('cpu')?.map(({ affinity = 0, isPreferred }) => `${nodesIn(affinity)}${isPreferred ? '!' : ''}`);
    return [text(cpus.hints(pod, pod.spec.containers[0])), text(cpus.podHints(pod))];
  };
  test.each<[string, string[], string[] | undefined, string[] | undefined]>([
    ['2', [], ['0!', '1!', '0,1'], ['0!', '1!', '0,1']],
    ['8', [], ['1!', '0,1'], ['1!', '0,1']],
    ['10', [], ['0,1!'], ['0,1!']],
    ['16', [], [], []],
    ['500m', [], undefined, undefined],
    ['2', ['8'], ['0!', '1!', '0,1'], ['1!', '0,1']],
  ])('of %s CPUs after init containers with %j', (cpu, init, ofContainer, ofPod) => {
    expect(hintsOf(start(dual), cpu, init)).toEqual([ofContainer, ofPod]);
  });

  test('of a container that has its CPUs are the nodes of these', () => {
    const cpus = start(dual);
    const pod = podOf('u', [container('c', { cpu: '2' })]);
    cpus.allocate(pod, pod.spec.containers[0], { affinity: maskOf([1]), isPreferred: true });
    expect(hintsOf(cpus, '2')).toEqual([
      ['1!', '0,1'],
      ['1!', '0,1'],
    ]);
    expect(hintsOf(cpus, '4')).toEqual([[], []]);
  });
});

describe('the state of an earlier kubelet', () => {
  const state = (text: string, own: Record<string, string> = {}) => ({
    shared: parseCpuSet(text),
    own: new Map(
      Object.keys(own).length > 0
        ? [['u', new Map(Object.entries(own).map(([name, cpus]) => [name, parseCpuSet(cpus)]))]]
        : [],
    ),
  });
  test('is continued', () => {
    const cpus = start();
    cpus.restore(state('0-4,6-7', { c: '5' }));
    expect([formatCpuSet(cpus.of('u', 'c')), shared(cpus)]).toEqual(['5', '0-4,6-7']);
  });
  test.each<[string, ReturnType<typeof state>, Record<string, string>, string]>([
    ['without shared CPUs', state('', { c: '5' }), {}, 'default cpuset cannot be empty'],
    ['with other reserved CPUs', state('1-7'), {}, 'not all reserved cpus: "0" are present in defaultCpuSet: "1-7"'],
    [
      'that overlaps',
      state('0-7', { c: '5' }),
      {},
      'pod: u, container: c cpuset: "5" overlaps with default cpuset "0-7"',
    ],
    [
      'of another machine',
      state('0-3'),
      {},
      'current set of available CPUs "0-7" doesn\'t match with CPUs in state "0-3"',
    ],
    [
      'without the strict reservation',
      state('0-7'),
      { 'strict-cpu-reservation': 'true' },
      'some of strictly reserved cpus: "0" are present in defaultCpuSet: "0-7"',
    ],
  ])('%s is refused', (_, before, options, why) => {
    expect(() => start(single, options).restore(before)).toThrow(why);
  });
});
