import { describe, expect, test } from 'vitest';
import { existsIn, instanceIn, routesIn, statusIn } from './answers.ts';

const instance = (more: object = {}) => ({ exists: true, instance: { providerID: 'x://1', addresses: [], ...more } });
const long = 'a'.repeat(1_025);

test('a whole machine', () =>
  expect(
    instanceIn(
      instance({
        ...{ type: 't1', zone: 'z', region: 'r', shutDown: true, labels: { 'example.org/rack': '7' } },
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
      }),
      'x://1',
    ),
  ).toEqual({
    ...{ providerID: 'x://1', isShutDown: true, type: 't1', zone: 'z', region: 'r' },
    labels: { 'example.org/rack': '7' },
    addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
  }));

test('a machine that the cloud does not have', () => expect(instanceIn({ exists: false }, 'x://1')).toBeUndefined());

describe('an answer about a machine is refused', () => {
  test.each<[string, object, RegExp]>([
    ['without a word whether it exists', {}, /exists must be true or false/],
    ['with a text in its place', { exists: 'false' }, /exists must be true or false/],
    ['with null in its place', { exists: null }, /exists must be true or false/],
    ['without the machine', { exists: true }, /instance must be an object/],
    ['with a list', { exists: true, instance: [] }, /instance must be an object/],
    ['about another machine', instance({ providerID: 'x://2' }), /is x:\/\/2, and the request was about x:\/\/1/],
    ['with a long text', instance({ zone: long }), /instance\.zone must be a text of up to 1024/],
    [
      'with a zone that is no label',
      instance({ zone: 'a zone' }),
      /instance\.zone has a label that Kubernetes refuses/,
    ],
    ['with a number', instance({ region: 7 }), /instance\.region must be a text/],
    ['with a label that is none', instance({ labels: { 'a b': '' } }), /instance\.labels has a label/],
    ['with a list of labels', instance({ labels: ['a'] }), /instance\.labels must be an object/],
    ['with a type of address', instance({ addresses: [{ type: 'Other', address: 'a' }] }), /must be one of Hostname/],
    [
      'with an address that is none',
      instance({ addresses: [{ type: 'InternalIP', address: '10.0.0' }] }),
      /IP address/,
    ],
    ['with a loopback address', instance({ addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] }), /not 127/],
    ['with a name that is none', instance({ addresses: [{ type: 'Hostname', address: 'a b' }] }), /must be a name/],
    ['with too many addresses', instance({ addresses: Array(65).fill({}) }), /a list of up to 64 objects/],
    ['with control characters', instance({ providerID: 'x://1\n' }), /no special characters/],
  ])('%s', (_, answer, fault) => expect(() => instanceIn({ ...answer }, 'x://1')).toThrow(fault));
});

const taken = new Map([['10.96.0.1', 'service default/kubernetes']]);

test.each<[string, object[], object[]]>([
  ['an address', [{ ip: '192.0.2.1' }], [{ ip: '192.0.2.1', ipMode: 'VIP' }]],
  ['a proxy', [{ ip: '192.0.2.1', ipMode: 'Proxy' }], [{ ip: '192.0.2.1', ipMode: 'Proxy' }]],
  ['a name', [{ hostname: 'LB.example.org' }], [{ hostname: 'lb.example.org' }]],
])('a load balancer has %s', (_, ingress, wanted) => expect(statusIn({ ingress }, taken)).toEqual({ ingress: wanted }));

test('a load balancer without an address yet', () => expect(statusIn({}, taken)).toEqual({}));

describe('an answer about a load balancer is refused', () => {
  test.each<[string, unknown, RegExp]>([
    ['no list', 'x', /ingress must be a list/],
    ['no objects', ['192.0.2.1'], /ingress must be a list of up to 64 objects/],
    ['neither address nor name', [{}], /ingress\[0\] must have an ip or a hostname/],
    ['both', [{ ip: '192.0.2.1', hostname: 'a' }], /ingress\[0\] must have an ip or a hostname/],
    ['an address of the machine itself', [{ ip: '::1' }], /not ::1/],
    ['the address of a service', [{ ip: '10.96.0.1' }], /10\.96\.0\.1 is the address of service default\/kubernetes/],
    ['another mode', [{ ip: '192.0.2.1', ipMode: 'Magic' }], /must be one of VIP, Proxy/],
  ])('%s', (_, ingress, fault) => expect(() => statusIn({ ingress }, taken)).toThrow(fault));
});

describe('routes', () => {
  const route = { name: 'r', targetNode: 'n', destinationCIDR: '10.244.1.0/24' };
  test('are read', () =>
    expect(routesIn({ routes: [route, { ...route, blackhole: true, targetNode: '', targetAddresses: [] }] })).toEqual([
      { ...route, isBlackhole: false },
      { ...route, isBlackhole: true, targetNode: '', targetAddresses: [] },
    ]));
  test.each<[string, object, RegExp]>([
    ['without a list', {}, /routes must be a list/],
    ['without a name', { routes: [{ ...route, name: undefined }] }, /routes\[0\]\.name must be a text/],
    [
      'to no range',
      { routes: [{ ...route, destinationCIDR: '10.244.1.0' }] },
      /destinationCIDR must be an address range/,
    ],
  ])('%s are refused', (_, answer, fault) => expect(() => routesIn({ ...answer })).toThrow(fault));
});

test.each([undefined, null, 0, '', [], {}])('existence is never guessed: %j', (exists) =>
  expect(() => existsIn({ exists })).toThrow('must be true or false'),
);
