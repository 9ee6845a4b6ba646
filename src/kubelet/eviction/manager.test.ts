// One check of a node: garbage that is reclaimed, the pod that is evicted, its grace, and the conditions that change.

import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { KubeletTools } from '../tools.ts';
import type { Evictable, EvictionManner } from './local-storage.ts';
import { EvictionManager } from './manager.ts';
import { NodePressure } from './node-pressure.ts';
import type { Observations } from './pressure.ts';
import type { EvictionConfig } from './thresholds.ts';

const gi = 2 ** 30;
const of = (availableGi: number) => ({ available: Math.trunc(availableGi * gi), capacity: 10 * gi });

interface FakePod {
  readonly name: string;
  readonly usesGi?: number;
  readonly spec?: object;
  readonly isActive?: boolean;
}

interface Node {
  readonly eviction?: EvictionConfig;
  /** One after the other; the last one stays. */
  readonly observed: readonly Observations[];
  readonly pods?: readonly FakePod[];
  readonly hasImageDisk?: boolean;
}

function nodeWith({ eviction, observed, pods = [], hasImageDisk = false }: Node) {
  const log: string[] = [];
  const clock = new VirtualClock(0);
  const pressure = new NodePressure();
  const running = new Set(pods.map(({ name }) => name));
  let observations = 0;
  const meter = {
    observe: async () => observed[Math.min(observations++, observed.length - 1)],
    hasImageFileSystem: async () => hasImageDisk,
    storage: async () => undefined,
    inodes: async () => undefined,
  };
  const tools = {
    config: { ...(eviction && { eviction }) },
    clock,
    logger: silentLogger,
    machine: { meter },
    cache: {
      get: (uid: string) => ({
        containers: [{ id: uid, name: 'c', state: running.has(uid) ? 'running' : 'exited' }],
        sandboxes: [],
      }),
    },
    runtime: {
      containerStats: async () =>
        pods.map(({ name, usesGi = 0 }) => ({ id: name, name: 'c', memoryWorkingSetBytes: usesGi * gi })),
    },
  } as unknown as KubeletTools;
  const evictables = pods.map(({ name, spec = {}, isActive = true }): Evictable => {
    const pod = { metadata: { name, uid: name }, spec: { containers: [{ name: 'c' }], ...spec } } as Pod;
    const evict = (_: string, { graceSeconds }: EvictionManner = { graceSeconds: -1, isDisruption: false }) =>
      void log.push(`evict ${name} in ${graceSeconds} s`);
    return { pod, isActive, hasEnded: false, evict };
  });
  const manager = new EvictionManager({
    tools,
    pressure,
    pods: () => evictables,
    event: (type, reason, message) => void log.push(`${type} ${reason}: ${message}`),
    reclaimDisk: async () => void log.push('reclaim'),
    changed: () => void log.push(`conditions: ${[...pressure.conditions].sort().join() || 'none'}`),
  });
  return { manager, clock, log, running };
}

const signal = new AbortController().signal;
const short = 'Warning EvictionThresholdMet: Attempting to reclaim';
const soft = (more: EvictionConfig): EvictionConfig => ({
  evictionHard: {},
  evictionSoft: { 'memory.available': '1Gi' },
  evictionSoftGracePeriodMs: { 'memory.available': 0 },
  ...more,
});
const low: Observations = { 'memory.available': of(0.01) };
const lowDisk: Observations = { 'nodefs.available': of(0.5) };
const lowImages: Observations = { 'imagefs.available': of(0.5) };
const fine: Observations = { 'memory.available': of(5), 'nodefs.available': of(5), 'imagefs.available': of(5) };
const critical = { priority: 2_000_000_000 };

describe('one check', () => {
  test.each<Node & { case: string; does: readonly string[] }>([
    { case: 'of a node with enough does nothing', observed: [fine], pods: [{ name: 'a' }], does: [] },
    {
      case: 'evicts the largest pod at once when memory is short',
      observed: [low],
      pods: [
        { name: 'a', usesGi: 1 },
        { name: 'b', usesGi: 3 },
      ],
      does: ['conditions: MemoryPressure', `${short} memory`, 'evict b in 1 s'],
    },
    {
      case: 'passes over critical and ended pods',
      observed: [low],
      pods: [
        { name: 'a', usesGi: 9, spec: critical },
        { name: 'b', usesGi: 8, isActive: false },
        { name: 'c', usesGi: 1 },
      ],
      does: ['conditions: MemoryPressure', `${short} memory`, 'evict c in 1 s'],
    },
    {
      case: 'evicts none when all are critical',
      observed: [low],
      pods: [{ name: 'a', usesGi: 9, spec: critical }],
      does: ['conditions: MemoryPressure', `${short} memory`],
    },
    {
      case: 'evicts no pod when garbage was enough',
      observed: [lowDisk, fine],
      pods: [{ name: 'a' }],
      does: ['conditions: DiskPressure', `${short} ephemeral-storage`, 'reclaim'],
    },
    {
      case: 'evicts a pod when garbage was too little',
      observed: [lowDisk, lowDisk],
      pods: [{ name: 'a' }],
      does: ['conditions: DiskPressure', `${short} ephemeral-storage`, 'reclaim', 'evict a in 1 s'],
    },
    {
      case: 'evicts a pod when garbage was less than the minimum reclaim',
      eviction: { evictionHard: { 'nodefs.available': '1Gi' }, evictionMinimumReclaim: { 'nodefs.available': '2Gi' } },
      observed: [lowDisk, { 'nodefs.available': of(2) }],
      pods: [{ name: 'a' }],
      does: ['conditions: DiskPressure', `${short} ephemeral-storage`, 'reclaim', 'evict a in 1 s'],
    },
    {
      case: 'leaves images alone when they are on another disk',
      observed: [lowDisk],
      hasImageDisk: true,
      pods: [{ name: 'a' }],
      does: ['conditions: DiskPressure', `${short} ephemeral-storage`, 'evict a in 1 s'],
    },
    {
      case: 'removes images when their disk is short',
      observed: [lowImages, fine],
      hasImageDisk: true,
      pods: [{ name: 'a' }],
      does: ['conditions: DiskPressure', `${short} ephemeral-storage`, 'reclaim'],
    },
    {
      case: 'treats a soft threshold without a grace period as a hard one',
      eviction: soft({}),
      observed: [low],
      pods: [{ name: 'a', spec: { terminationGracePeriodSeconds: 30 } }],
      does: ['conditions: MemoryPressure', `${short} memory`, 'evict a in 1 s'],
    },
    {
      case: 'orders memory before disk',
      observed: [{ ...lowDisk, ...low }],
      pods: [{ name: 'a', usesGi: 1 }],
      does: ['conditions: DiskPressure,MemoryPressure', `${short} memory`, 'evict a in 1 s'],
    },
  ])('$case', async ({ does, ...node }) => {
    const { manager, log } = nodeWith(node);
    await manager.synchronize(signal);
    expect(log).toEqual(does);
  });

  test.each([
    { own: 30, most: 20, grace: 20 },
    { own: 5, most: 20, grace: 5 },
    { own: undefined, most: 20, grace: 20 },
  ])('a soft threshold bounds a grace of $own s by $most s', async ({ own, most, grace }) => {
    const eviction = soft({
      evictionSoftGracePeriodMs: { 'memory.available': 30_000 },
      evictionMaxPodGracePeriod: most,
    });
    const spec = own === undefined ? {} : { terminationGracePeriodSeconds: own };
    const { manager, clock, log } = nodeWith({ eviction, observed: [low], pods: [{ name: 'a', spec }] });
    await manager.synchronize(signal);
    await clock.advance(29_999);
    await manager.synchronize(signal);
    expect(log).toEqual(['conditions: MemoryPressure']);
    await clock.advance(1);
    await manager.synchronize(signal);
    expect(log).toEqual(['conditions: MemoryPressure', `${short} memory`, `evict a in ${grace} s`]);
  });
});

test('pressure ends five minutes after the shortage, and is reported once', async () => {
  const { manager, clock, log } = nodeWith({ observed: [low, fine], pods: [] });
  await manager.synchronize(signal);
  await clock.advance(5 * 60_000 - 1);
  await manager.synchronize(signal);
  expect(log).toEqual(['conditions: MemoryPressure', `${short} memory`]);
  await clock.advance(1);
  await manager.synchronize(signal);
  await manager.synchronize(signal);
  expect(log).toEqual(['conditions: MemoryPressure', `${short} memory`, 'conditions: none']);
});

test('the next pod is evicted only after the containers of the last one ended, or after 30 s', async () => {
  const { manager, clock, log, running } = nodeWith({ observed: [low], pods: [{ name: 'a', usesGi: 2 }] });
  const stop = new AbortController();
  const done = manager.run(stop.signal);
  const evictions = () => log.filter((line) => line.startsWith('evict')).length;
  await clock.advance(0);
  expect(evictions()).toBe(1);
  await clock.advance(29_000);
  expect(evictions()).toBe(1);
  await clock.advance(1_000);
  expect(evictions()).toBe(2);
  running.clear();
  await clock.advance(1_000);
  expect(evictions()).toBe(3);
  stop.abort();
  await done;
});
