import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { seededRandom } from '../../machinery/random.ts';
import { SchedulingCycle, unschedulableMessage } from '../cycle.ts';
import type { ResourceClaim } from '../devices/claim-types.ts';
import {
  allocation,
  alternative,
  cel,
  claim,
  type DeviceObjects,
  deviceClass,
  devicesOf,
  driver,
  request,
  slice,
} from '../devices/test-devices.ts';
import { podInfo } from '../pod-info.ts';
import { runPostFilters } from '../post-filter.ts';
import { cacheOf, node, pod } from '../test-objects.ts';
import { dynamicResources } from './dynamic-resources.ts';
import { defaultPlugins } from './plugins.ts';

const classes = [deviceClass('gpu')];
const using = (...names: readonly string[]): Pod =>
  pod(
    {},
    { resourceClaims: names.map((resourceClaimName) => ({ name: `r-${resourceClaimName}`, resourceClaimName })) },
  );

function cacheWith(objects: DeviceObjects, nodes = [node('a'), node('b')]) {
  const cache = cacheOf(nodes);
  cache.devices = devicesOf({ classes, ...objects });
  return cache;
}

/** The node, or the message of FailedScheduling. */
function decide(wanted: Pod, objects: DeviceObjects): string {
  const cache = cacheWith(objects);
  const info = podInfo(wanted);
  const result = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(info, cache);
  if (result.ok) return result.node;
  const found = runPostFilters({ plugins: defaultPlugins, pod: info, failure: result, snapshot: cache, budgets: [] });
  return unschedulableMessage(2, result, found.message);
}

const all = '0/2 nodes are available: ';
const idle =
  ' no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
const stuck =
  ' still not schedulable, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
const onB = [slice('s', 1, { nodeName: 'b' })];
const deletionTimestamp = '2026-01-01T00:00:00Z';
const held = (name: string, fields: object = {}, more: object = {}): ResourceClaim =>
  claim(name, undefined, { status: { allocation: { ...allocation(['gpu-0']), ...fields }, ...more } });
const onlyOn = (name: string) => ({
  nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] }] },
});
const ready = { bindingConditions: ['Ready'], bindingFailureConditions: ['Failed'] };
const state = (type: string) => ({
  devices: [
    { driver, pool: 'pool', device: 'gpu-0', conditions: [{ type, status: 'True', reason: 'r', message: 'm' }] },
  ],
});

describe('a pod with a claim', () => {
  test.each<[string, DeviceObjects, string]>([
    ['goes where the device is', { claims: [claim('c')], slices: onB }, 'b'],
    ['whose claim is missing waits', { slices: onB }, `${all}could not find ResourceClaim "default/c".${idle}`],
    [
      'whose claim goes waits',
      { claims: [claim('c', undefined, { metadata: { deletionTimestamp } as never })], slices: onB },
      `${all}resourceclaim "c" is being deleted.${idle}`,
    ],
    [
      'whose class is missing waits',
      { claims: [claim('c', [request('gpu', { deviceClassName: 'x' })])], slices: onB },
      `${all}request gpu: device class x does not exist.${idle}`,
    ],
    [
      'one of whose alternatives has no class waits',
      { claims: [claim('c', [request('gpu', { firstAvailable: [alternative('x', { deviceClassName: 'x' })] })])] },
      `${all}request gpu/x: device class x does not exist.${idle}`,
    ],
    ['waits for a device', { claims: [claim('c')] }, `${all}2 cannot allocate all claims.${stuck}`],
    [
      'waits while another pod allocates the claim',
      { claims: [claim('c')], slices: onB, pending: ['uid-c'] },
      `${all}resource claim default/c is in the process of being allocated.${idle}`,
    ],
    ['goes where the allocated device is', { claims: [held('c', onlyOn('b'))] }, 'b'],
    [
      'frees an unused device that is out of reach',
      { claims: [held('c', onlyOn('z'))] },
      `${all}2 resourceclaim not available on the node. deallocation of ResourceClaim completed, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.`,
    ],
    [
      'leaves a used device that is out of reach',
      { claims: [held('c', onlyOn('z'), { reservedFor: [{ resource: 'pods', name: 'x', uid: 'x' }] })] },
      `${all}2 resourceclaim not available on the node.${stuck}`,
    ],
    [
      'waits in binding for a device that is not ready',
      { claims: [held('c', { ...onlyOn('b'), devices: allocation(['gpu-0'], ready).devices })] },
      'b',
    ],
    [
      'frees a device that failed',
      { claims: [held('c', { devices: allocation(['gpu-0'], ready).devices }, state('Failed'))] },
      `${all}2 resourceclaim not available on the node. deallocation of ResourceClaim completed, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.`,
    ],
    [
      'frees a device that was not ready in time',
      {
        claims: [
          held('c', { devices: allocation(['gpu-0'], ready).devices, allocationTimestamp: '2026-01-01T00:00:00Z' }),
        ],
        nowMs: Date.UTC(2026, 0, 1, 0, 10, 1),
      },
      `${all}2 resourceclaim not available on the node. deallocation of ResourceClaim completed, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.`,
    ],
    [
      'uses a device that is ready',
      { claims: [held('c', { ...onlyOn('b'), devices: allocation(['gpu-0'], ready).devices }, state('Ready'))] },
      'b',
    ],
  ])('%s', (_, objects, outcome) => expect(decide(using('c'), objects)).toBe(outcome));

  test('with a faulty selector fails, and not only on one node', () => {
    const faulty = claim('c', [request('gpu', { selectors: [cel(`device.attributes["x"].y`)] })]);
    expect(() => decide(using('c'), { claims: [faulty], slices: onB })).toThrow(
      'running "DynamicResources" filter plugin: claim default/c: selector #0: CEL runtime error: no such key: y',
    );
  });
});

test('an earlier plugin refused: the state of this one is missing, as in Kubernetes', () => {
  const wanted = pod({}, { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'v' } }] });
  expect(decide(wanted, {})).toBe(`${all}persistentvolumeclaim "v" not found. not found`);
});

describe('a claim from a template', () => {
  const fromTemplate = (status: object): Pod => ({
    ...pod({}, { resourceClaims: [{ name: 'r', resourceClaimTemplateName: 't' }] }),
    status: status as Pod['status'],
  });
  const statuses = { resourceClaimStatuses: [{ name: 'r', resourceClaimName: 'c' }] };
  const owned = (uid: string) =>
    claim('c', undefined, { metadata: { ownerReferences: [{ controller: true, uid }] } as never });

  test.each<[string, object, (pod: Pod) => ResourceClaim[], (name: string) => string | undefined]>([
    ['is not made yet', {}, () => [], (name) => `pod "default/${name}": ResourceClaim not created yet`],
    ['is not needed', { resourceClaimStatuses: [{ name: 'r' }] }, () => [], () => undefined],
    ['is there', statuses, (one) => [owned(one.metadata.uid)], () => undefined],
    [
      'belongs to another pod',
      statuses,
      () => [owned('x')],
      (name) => `ResourceClaim default/c was not created for Pod default/${name} (Pod is not owner)`,
    ],
  ])('%s', (_, status, claims, gate) => {
    const wanted = fromTemplate(status);
    const cache = cacheWith({ claims: claims(wanted) });
    expect(dynamicResources.preEnqueue?.(wanted, cache)).toBe(gate(wanted.metadata.name));
  });
});

test('the first alternatives score the most', () => {
  const either = claim('c', [
    request('gpu', { firstAvailable: [alternative('two', { count: 2 }), alternative('one')] }),
  ]);
  const slices = [slice('s', 1, { nodeName: 'a', pool: 'a' }), slice('t', 2, { nodeName: 'b', pool: 'b' })];
  const cache = cacheWith({ claims: [either], slices });
  const result = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(podInfo(using('c')), cache);
  expect(result.ok && result.ranked().map(({ node: name, scores }) => [name, scores['DynamicResources']])).toEqual([
    ['b', 200],
    ['a', 174],
  ]);
});

describe('extended resources', () => {
  const classes = [deviceClass('gpu', { extendedResourceName: 'example.com/gpu' })];
  const slices = [slice('s', 2, { nodeName: 'a' })];

  test.each([
    { case: 'devices serve it', requests: { 'example.com/gpu': '2' }, goes: 'a' },
    { case: 'the name of the class is one', requests: { 'deviceclass.resource.kubernetes.io/gpu': '1' }, goes: 'a' },
    {
      case: 'there are too few devices',
      requests: { 'example.com/gpu': '3' },
      goes: `${all}2 cannot allocate all claims.${stuck}`,
    },
    {
      case: 'no class has the name',
      requests: { 'example.com/other': '1' },
      goes: `${all}2 Insufficient example.com/other.${idle}`,
    },
  ] as { case: string; requests: Record<string, string>; goes: string }[])('$case', ({ requests, goes }) =>
    expect(decide(pod(requests), { classes, slices })).toBe(goes),
  );

  test('a node that has the resource itself needs no devices', () => {
    const cache = cacheWith({ classes }, [node('a', { allocatable: { 'example.com/gpu': '1' } }), node('b')]);
    const result = new SchedulingCycle(defaultPlugins, seededRandom(1)).run(
      podInfo(pod({ 'example.com/gpu': '1' })),
      cache,
    );
    expect(result.ok && result.node).toBe('a');
  });
});

describe('wakes', () => {
  const wanted = using('c');
  const free = claim('c');
  const taken = held('c');
  const other = held('x');
  test.each([
    { event: 'the claim is made', happened: { claim: free, old: undefined }, wakes: true },
    { event: 'the claim is allocated', happened: { claim: taken, old: free }, wakes: true },
    {
      event: 'the claim gets a label',
      happened: { claim: { ...free, metadata: { ...free.metadata, labels: {} } }, old: free },
      wakes: false,
    },
    { event: 'another claim is allocated', happened: { claim: other, old: claim('x') }, wakes: false },
    { event: 'the devices of another claim are free', happened: { claim: claim('x'), old: other }, wakes: true },
  ])('$event: $wakes', ({ happened, wakes }) => {
    const event = { type: 'resource-claim-changed', ...happened } as const;
    expect(dynamicResources.wakes?.(event, podInfo(wanted), cacheWith({ claims: [free] }))).toBe(wakes);
  });
});
