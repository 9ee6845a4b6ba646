// The result in the status of a claim: devices with their shares, configuration, and the nodes that reach them.

import { describe, expect, test } from 'vitest';
import { longestTurn } from '../../machinery/time/test-turn.ts';
import { node } from '../test-objects.ts';
import type { AllocationResult } from './claim-types.ts';
import { indexSlices, type Pool, poolsOf } from './pools.ts';
import {
  type AllocationCase,
  allocate,
  alternative,
  claim,
  deviceClass,
  driver,
  request,
  slice,
} from './test-devices.ts';

const onA = { nodeName: 'a' };
const shared = (name: string, value: string, requestPolicy?: object) => ({
  name,
  allowMultipleAllocations: true,
  capacity: { memory: { value, ...(requestPolicy && { requestPolicy }) } },
});
const wants = (memory: string) => ({ capacity: { requests: { memory } } });
const zone = (value: string) => ({
  nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: [value] }] }] },
});
const numa = (name: string, value: string) => ({ name, attributes: { numa: { string: value } } });
const range = { default: '1Gi', validRange: { min: '1Gi', step: '1Gi', max: '4Gi' } };
const asking = (...amounts: readonly string[]) =>
  amounts.map((amount, i) => claim(`c${i}`, [request('gpu', wants(amount))]));

const only = (one: AllocationCase): AllocationResult => {
  const found = allocate(one);
  if ('why' in found) throw new Error(found.why);
  return found.results[0] as AllocationResult;
};

test('shares have identities and the consumed amounts, by the policy of the device', () => {
  const slices = [slice('s', [shared('x', '8Gi', range)], onA)];
  expect(only({ slices, claims: asking('1500Mi') }).devices.results).toEqual([
    { request: 'gpu', driver, pool: 'pool', device: 'x', shareID: 'id-0', consumedCapacity: { memory: '2Gi' } },
  ]);
  expect(only({ slices }).devices.results?.[0]?.consumedCapacity).toEqual({ memory: '1Gi' });
});

test('a result has the configuration of the class once, then that of the claim', () => {
  const opaque = (parameters: object) => ({ opaque: { driver, parameters } });
  const result = only({
    slices: [slice('s', 3, onA)],
    classes: [deviceClass('gpu', { config: [opaque({ of: 'class' })] })],
    claims: [
      claim('c', [request('a'), request('b', { firstAvailable: [alternative('x', { count: 3 }), alternative('y')] })], {
        config: [
          opaque({ of: 'all' }),
          { requests: ['b/y'], ...opaque({ of: 'y' }) },
          { requests: ['b/x'], ...opaque({ of: 'x' }) },
        ],
      }),
    ],
  });
  expect(result.devices.config).toEqual([
    { source: 'FromClass', requests: ['a', 'b/y'], ...opaque({ of: 'class' }) },
    { source: 'FromClaim', ...opaque({ of: 'all' }) },
    { source: 'FromClaim', requests: ['b/y'], ...opaque({ of: 'y' }) },
  ]);
});

test.each([
  { case: 'a device of the node', fields: onA, selector: 'node' },
  { case: 'a device for all nodes', fields: { allNodes: true }, selector: undefined },
  { case: 'a device of a zone', fields: zone('x'), selector: 'zone' },
  {
    case: 'a device of a zone that binds to the node',
    fields: zone('x'),
    device: { bindsToNode: true },
    selector: 'node',
  },
])('the nodes of the result: $case', ({ fields, device = {}, selector }) => {
  const { nodeSelector } = only({
    slices: [slice('s', [{ name: 'x', ...device }], fields)],
    node: node('a', { labels: { zone: 'x' } }),
  });
  const ofNode = { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] }] };
  expect(nodeSelector).toEqual(selector === 'node' ? ofNode : selector === 'zone' ? zone('x').nodeSelector : undefined);
});

test('a search without end is stopped', () => {
  const devices = Array.from({ length: 60 }, (_, i) => numa(`d${i}`, String(i % 2)));
  const hard = claim('c', [request('gpu', { count: 32 })], { constraints: [{ matchAttribute: `${driver}/numa` }] });
  const one = { slices: [slice('s', devices, onA)], claims: [hard] };
  expect(() => allocate(one)).toThrow('node a: timed out trying to allocate devices');
});

describe('hundreds of devices do not hold the process', () => {
  const longestMs = 250;
  const devices = (count: number) => Array.from({ length: count }, (_, i) => numa(`d${i}`, String(i % 2)));

  test('300 slices that 100 nodes reach', async () => {
    const slices = Array.from({ length: 300 }, (_, i) =>
      slice(`s${i}`, devices(128), { allNodes: true, pool: `p${i}` }),
    );
    const index = indexSlices(slices);
    let pools: readonly Pool[] = [];
    const waitMs = await longestTurn(async () => {
      for (let i = 0; i < 100; i++) pools = poolsOf(node(`n${i}`), index);
    });
    expect(pools).toHaveLength(300);
    expect(waitMs).toBeLessThan(longestMs);
  }, 60_000);
});
