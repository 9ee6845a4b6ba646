// Cases of Kubernetes' allocator: which devices which claims get on one node.

import { describe, expect, test } from 'vitest';
import type { DeviceTaint } from '../../api/api.ts';
import { node } from '../test-objects.ts';
import {
  allocation,
  alternative,
  cel,
  claim,
  deviceClass,
  driver,
  type OutcomeCase,
  outcomeOf,
  request,
  slice,
} from './test-devices.ts';

const none = 'cannot allocate all claims';
const onA = { nodeName: 'a' };
const attribute = (name: string, string: string) => ({ attributes: { [name]: { string } } });
const taint = (effect: DeviceTaint['effect']) => ({ taints: [{ key: 'broken', value: 'yes', effect }] });
const zone = (value: string) => ({
  nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: [value] }] }] },
});

const plain: readonly OutcomeCase[] = [
  { case: 'one device', slices: [slice('s', 1, onA)], gives: ['gpu gpu-0'] },
  { case: 'the first of several', slices: [slice('s', ['b', 'a'], onA)], gives: ['gpu b'] },
  {
    case: 'several',
    slices: [slice('s', 3, onA)],
    claims: [claim('c', [request('gpu', { count: 2 })])],
    gives: ['gpu gpu-0, gpu gpu-1'],
  },
  { case: 'too few', slices: [slice('s', 1, onA)], claims: [claim('c', [request('gpu', { count: 2 })])], gives: none },
  { case: 'no slice', slices: [], gives: none },
  { case: 'another node', slices: [slice('s', 1, { nodeName: 'b' })], gives: none },
  { case: 'all nodes', slices: [slice('s', 1, { allNodes: true })], gives: ['gpu gpu-0'] },
  {
    case: 'a node selector',
    slices: [slice('s', 1, zone('x'))],
    node: node('a', { labels: { zone: 'x' } }),
    gives: ['gpu gpu-0'],
  },
  { case: 'a node selector of other nodes', slices: [slice('s', 1, zone('y'))], gives: none },
  {
    case: 'nodes for each device',
    slices: [
      slice(
        's',
        [
          { name: 'far', nodeName: 'b' },
          { name: 'near', nodeName: 'a' },
        ],
        { perDeviceNodeSelection: true },
      ),
    ],
    gives: ['gpu near'],
  },
  {
    case: 'devices of other claims are not free',
    slices: [slice('s', 2, onA)],
    taken: [allocation(['gpu-0'])],
    gives: ['gpu gpu-1'],
  },
  {
    case: 'devices under administration are free',
    slices: [slice('s', 1, onA)],
    taken: [allocation(['gpu-0'], { adminAccess: true })],
    gives: ['gpu gpu-0'],
  },
  {
    case: 'access for administration takes used devices',
    slices: [slice('s', 1, onA)],
    claims: [claim('c', [request('gpu', { adminAccess: true })])],
    taken: [allocation(['gpu-0'])],
    gives: ['gpu gpu-0'],
  },
  {
    case: 'access for administration takes a device once',
    slices: [slice('s', 1, onA)],
    claims: [claim('c', [request('gpu', { adminAccess: true, count: 2 })])],
    gives: none,
  },
  {
    case: 'two claims',
    slices: [slice('s', 2, onA)],
    claims: [claim('c'), claim('d')],
    gives: ['gpu gpu-0', 'gpu gpu-1'],
  },
  {
    case: 'the first request leaves the device that only the second can use',
    slices: [
      slice(
        's',
        [
          { name: 'big', ...attribute('size', 'big') },
          { name: 'small', ...attribute('size', 'small') },
        ],
        onA,
      ),
    ],
    claims: [
      claim('c', [
        request('any'),
        request('big', { selectors: [cel(`device.attributes["${driver}"].size == "big"`)] }),
      ]),
    ],
    gives: ['any small, big big'],
  },
  {
    case: 'a selector of the class',
    slices: [slice('s', ['x'], { ...onA, driver: 'other.example.com' }), slice('t', ['y'], onA)],
    classes: [deviceClass('gpu', { selectors: [cel(`device.driver == "${driver}"`)] })],
    gives: ['gpu y'],
  },
  {
    case: 'a selector that fails',
    slices: [slice('s', 1, onA)],
    claims: [claim('c', [request('gpu', { selectors: [cel(`device.attributes["${driver}"].none`)] })])],
    gives: 'claim default/c: selector #0: CEL runtime error: no such key: none',
  },
  {
    case: 'a faulty selector of the class',
    slices: [slice('s', 1, onA)],
    classes: [deviceClass('gpu', { selectors: [cel('1')] })],
    gives: 'class gpu: selector #0: CEL compile error: must evaluate to bool or the unknown type, not int',
  },
  {
    case: 'a missing class',
    slices: [],
    classes: [],
    gives:
      'claim default/c, request gpu: could not retrieve device class gpu: deviceclass.resource.k8s.io "gpu" not found',
  },
  {
    case: 'pools in the order of names',
    slices: [slice('s', ['x'], { ...onA, pool: 'q' }), slice('t', ['y'], { ...onA, pool: 'p' })],
    gives: ['gpu y'],
  },
  {
    case: 'slices in the order of names',
    slices: [slice('t', ['x'], { ...onA, count: 2 }), slice('s', ['y'], { ...onA, count: 2 })],
    gives: ['gpu y'],
  },
  {
    case: 'pools with binding conditions come last',
    slices: [
      slice('s', [{ name: 'x', bindingConditions: ['Ready'], bindingFailureConditions: ['Failed'] }], {
        ...onA,
        pool: 'a',
      }),
      slice('t', ['y'], { ...onA, pool: 'b' }),
    ],
    gives: ['gpu y'],
  },
];

const pools: readonly OutcomeCase[] = [
  { case: 'an incomplete pool', slices: [slice('s', 1, { ...onA, count: 2 })], gives: none },
  {
    case: 'an old generation',
    slices: [slice('s', ['old'], onA), slice('t', ['new'], { ...onA, generation: 2 })],
    gives: ['gpu new'],
  },
  {
    case: 'an old generation whose successor is for another node',
    slices: [slice('s', ['old'], { ...onA, count: 2 }), slice('t', ['new'], { nodeName: 'b', generation: 2 })],
    gives: none,
  },
  {
    case: 'a pool with slices of several nodes',
    slices: [slice('s', ['x'], { ...onA, count: 2 }), slice('t', ['y'], { nodeName: 'b', count: 2 })],
    gives: ['gpu x'],
  },
  {
    case: 'a device name twice',
    slices: [slice('s', ['x'], { ...onA, count: 2 }), slice('t', ['x'], { ...onA, count: 2 })],
    gives: 'invalid resource pools were encountered',
  },
  {
    case: 'an invalid pool beside a valid one',
    slices: [
      slice('s', ['x'], { ...onA, count: 2 }),
      slice('t', ['x'], { ...onA, count: 2 }),
      slice('u', ['z'], { ...onA, pool: 'z' }),
    ],
    gives: ['gpu z'],
  },
];

const all = (fields: object = {}) => [
  claim('c', [request('gpu', { allocationMode: 'All', count: undefined, ...fields })]),
];
const allDevices: readonly OutcomeCase[] = [
  {
    case: 'every one',
    slices: [slice('s', 2, onA), slice('t', ['x'], { allNodes: true, pool: 'q' })],
    claims: all(),
    gives: ['gpu gpu-0, gpu gpu-1, gpu x'],
  },
  { case: 'none', slices: [], claims: all(), gives: none },
  { case: 'one is taken', slices: [slice('s', 2, onA)], claims: all(), taken: [allocation(['gpu-1'])], gives: none },
  {
    case: 'one is tainted',
    slices: [slice('s', ['x', { name: 'y', ...taint('NoSchedule') }], onA)],
    claims: all(),
    gives: none,
  },
  {
    case: 'more than a claim may have',
    slices: [slice('s', 33, onA)],
    claims: all(),
    gives: 'claim default/c: number of requested devices 33 exceeds the claim limit of 32',
  },
  {
    case: 'a pool is being updated',
    slices: [slice('s', 1, { ...onA, count: 2 })],
    claims: all(),
    gives: `claim default/c, request gpu: asks for all devices, but resource pool ${driver}/pool is currently being updated`,
  },
  {
    case: 'a pool is invalid',
    slices: [slice('s', ['x'], { ...onA, count: 2 }), slice('t', ['x'], { ...onA, count: 2 })],
    claims: all(),
    gives: `claim default/c, request gpu: asks for all devices, but resource pool ${driver}/pool is currently invalid`,
  },
  {
    case: 'a constraint that they do not meet',
    slices: [
      slice(
        's',
        [
          { name: 'x', ...attribute('numa', '0') },
          { name: 'y', ...attribute('numa', '1') },
        ],
        onA,
      ),
    ],
    claims: [
      claim('c', [request('gpu', { allocationMode: 'All', count: undefined })], {
        constraints: [{ matchAttribute: `${driver}/numa` }],
      }),
    ],
    gives: `claim default/c, request gpu: cannot add device ${driver}/pool/y because a claim constraint would not be satisfied`,
  },
];

const numa = (name: string, value: string) => ({ name, ...attribute('numa', value) });
const pair = (constraints: readonly object[], ...names: readonly string[]) => [
  claim(
    'c',
    names.map((name) => request(name)),
    { constraints },
  ),
];
const constraints: readonly OutcomeCase[] = [
  {
    case: 'equal attributes',
    slices: [slice('s', [numa('w', '0'), numa('x', '1'), numa('y', '1')], onA)],
    claims: pair([{ matchAttribute: `${driver}/numa` }], 'p', 'q'),
    gives: ['p x, q y'],
  },
  {
    case: 'no equal attributes',
    slices: [slice('s', [numa('x', '0'), numa('y', '1')], onA)],
    claims: pair([{ matchAttribute: `${driver}/numa` }], 'p', 'q'),
    gives: none,
  },
  {
    case: 'a missing attribute',
    slices: [slice('s', 2, onA)],
    claims: pair([{ matchAttribute: `${driver}/numa` }], 'p', 'q'),
    gives: none,
  },
  {
    case: 'only some requests',
    slices: [slice('s', [numa('x', '0'), numa('y', '1')], onA)],
    claims: pair([{ matchAttribute: `${driver}/numa`, requests: ['p'] }], 'p', 'q'),
    gives: ['p x, q y'],
  },
  {
    case: 'different attributes',
    slices: [slice('s', [numa('w', '0'), numa('x', '0'), numa('y', '1')], onA)],
    claims: pair([{ distinctAttribute: `${driver}/numa` }], 'p', 'q'),
    gives: ['p w, q y'],
  },
  {
    case: 'no different attributes',
    slices: [slice('s', [numa('x', '0'), numa('y', '0')], onA)],
    claims: pair([{ distinctAttribute: `${driver}/numa` }], 'p', 'q'),
    gives: none,
  },
  {
    case: 'three of one request, all different',
    slices: [slice('s', [numa('u', '0'), numa('v', '1'), numa('w', '0'), numa('x', '2')], onA)],
    claims: [claim('c', [request('p', { count: 3 })], { constraints: [{ distinctAttribute: `${driver}/numa` }] })],
    gives: ['p u, p v, p x'],
  },
  {
    case: 'values of other types are different',
    slices: [slice('s', [numa('x', '1'), { name: 'y', attributes: { numa: { int: 1 } } }], onA)],
    claims: pair([{ matchAttribute: `${driver}/numa` }], 'p', 'q'),
    gives: none,
  },
];

const lists: readonly OutcomeCase[] = [
  {
    case: 'the first alternative',
    slices: [slice('s', 2, onA)],
    claims: [claim('c', [request('gpu', { firstAvailable: [alternative('two', { count: 2 }), alternative('one')] })])],
    gives: ['gpu/two gpu-0, gpu/two gpu-1'],
  },
  {
    case: 'the second, if there are too few for the first',
    slices: [slice('s', 1, onA)],
    claims: [claim('c', [request('gpu', { firstAvailable: [alternative('two', { count: 2 }), alternative('one')] })])],
    gives: ['gpu/one gpu-0'],
  },
  {
    case: 'the second, if the first leaves too few for another request',
    slices: [slice('s', 2, onA)],
    claims: [
      claim('c', [
        request('gpu', { firstAvailable: [alternative('two', { count: 2 }), alternative('one')] }),
        request('more'),
      ]),
    ],
    gives: ['gpu/one gpu-0, more gpu-1'],
  },
  {
    case: 'the smaller one, if the claim may have no more devices',
    slices: [slice('s', 40, onA)],
    claims: [
      claim('c', [
        request('many', { count: 31 }),
        request('gpu', { firstAvailable: [alternative('two', { count: 2 }), alternative('one')] }),
      ]),
    ],
    gives: [`${Array.from({ length: 31 }, (_, i) => `many gpu-${i}`).join(', ')}, gpu/one gpu-31`],
  },
  {
    case: 'a constraint on one alternative',
    slices: [slice('s', [numa('x', '0'), numa('y', '1')], onA)],
    claims: [
      claim(
        'c',
        [request('gpu', { firstAvailable: [alternative('two', { count: 2 }), alternative('free', { count: 2 })] })],
        {
          constraints: [{ matchAttribute: `${driver}/numa`, requests: ['gpu/two'] }],
        },
      ),
    ],
    gives: ['gpu/free x, gpu/free y'],
  },
];

describe.each([
  { of: 'a claim', cases: plain },
  { of: 'a pool', cases: pools },
  { of: 'all devices', cases: allDevices },
  { of: 'constraints', cases: constraints },
  { of: 'alternatives', cases: lists },
])('$of', ({ cases }) => {
  test.each(cases)('$case', (one) => expect(outcomeOf(one)).toEqual(one.gives));
});
