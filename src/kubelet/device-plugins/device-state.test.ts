import { describe, expect, test } from 'vitest';
import { maskOf, nodesIn } from '../resource-managers/numa.ts';
import { deviceHints } from './device-hints.ts';
import { DeviceState, pick, preferable } from './device-state.ts';

const resource = 'vendor.com/device';

/** Devices with their NUMA nodes. */
function stateOf(devices: Record<string, number[]>): DeviceState {
  const state = new DeviceState();
  state.setDevices(
    resource,
    Object.entries(devices).map(([ID, nodes]) => ({
      ...{ ID, health: 'Healthy' },
      topology: nodes.length > 0 ? { nodes: nodes.map((node) => ({ ID: node })) } : null,
    })),
  );
  return state;
}
const answer = { envs: {}, mounts: [], devices: [], annotations: {}, cdiDevices: [] };
const place = { podUid: 'u', container: 'c', resource };

describe('devices of NUMA nodes', () => {
  const devices = { a: [0], b: [1], c: [0, 1], d: [], e: [1] };
  test.each<[number, number[] | undefined, string[], string[], string[], string[]]>([
    // count, nodes, preferred devices: those that the plugin may prefer, the chosen ones
    [1, undefined, [], [], ['a', 'b', 'c', 'd', 'e'], ['a']],
    [1, [1], [], [], ['b', 'c', 'e'], ['b']],
    [2, [1], ['e', 'a'], [], ['b', 'c', 'e'], ['e', 'b']],
    [3, [1], [], [], ['b', 'c', 'e', 'a', 'd'], ['b', 'c', 'e']],
    [4, [1], ['d'], [], ['b', 'c', 'e', 'a', 'd'], ['b', 'c', 'e', 'd']],
    [5, [0], [], [], ['a', 'c', 'b', 'e', 'd'], ['a', 'c', 'b', 'e', 'd']],
    [2, [1], [], ['a'], ['b', 'c', 'e'], ['a', 'b']],
  ])('%d on %j, preferring %j after %j', (count, nodes, preferred, reused, among, chosen) => {
    const choice = stateOf(devices).choose(place, count, new Set(reused), nodes && maskOf(nodes));
    if (!choice) throw new Error('no choice');
    expect([preferable(choice), pick(choice, preferred)]).toEqual([among, chosen]);
  });

  test('numbers that are no NUMA nodes count as none', () => {
    expect(stateOf({ a: [-1], b: [64] }).hasTopology(resource)).toBe(false);
    expect(stateOf({ a: [3] }).hasTopology(resource)).toBe(true);
  });

  test('taken devices are not free', () => {
    const state = stateOf(devices);
    state.add({ ...place, ids: ['a'], answer });
    expect(state.numaNodes(resource)).toEqual({ all: [1, 2, 3, 0, 2], free: [2, 3, 0, 2] });
  });
});

describe('hints', () => {
  const text = (masks: { all: number[]; available?: number[]; reusable?: number[]; count: number }) =>
    deviceHints({ available: masks.all, reusable: [], ...masks }).map(
      ({ affinity = 0, isPreferred }) => `${nodesIn(affinity)}${isPreferred ? '!' : ''}`,
    );
  test.each<[string, Parameters<typeof text>[0], string[]]>([
    ['one of two nodes', { all: [1, 2], count: 1 }, ['0!', '1!', '0,1']],
    ['both', { all: [1, 2], count: 2 }, ['0,1!']],
    ['too many', { all: [1, 2], count: 3 }, []],
    ['a node that suffices when it is free', { all: [1, 1, 2], available: [1, 2], count: 2 }, ['0,1']],
    ['devices of several nodes', { all: [3, 1], count: 2 }, ['0!', '0,1']],
    [
      'with a device that the container takes over',
      { all: [1, 2], available: [2], reusable: [1], count: 1 },
      ['0!', '0,1'],
    ],
  ])('%s', (_, masks, expected) => {
    expect(text(masks)).toEqual(expected);
  });
});
