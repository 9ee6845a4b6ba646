import { expect, test } from 'vitest';
import type { Node, NodeAddress } from '../../api/api.ts';
import { nodeAddresses, providedNodeIPAnnotation } from './node-addresses.ts';

const parse = (text: string): NodeAddress[] =>
  text
    .split(' ')
    .filter(Boolean)
    .map((each) => {
      const [type, address] = each.split('=');
      return { type: { I: 'InternalIP', E: 'ExternalIP', H: 'Hostname' }[type] ?? type, address };
    });

const node = (own: string, provided?: string) =>
  ({
    metadata: { annotations: provided === undefined ? {} : { [providedNodeIPAnnotation]: provided } },
    status: { addresses: parse(own) },
  }) as unknown as Node;

test.each<[string, string, string, string | undefined, string | undefined]>([
  ['none of the cloud: the node keeps its own', 'H=n I=10.0.0.9', '', undefined, undefined],
  ['those of the cloud, and the hostname of the kubelet', 'H=n I=10.0.0.9', 'I=10.0.0.1', undefined, 'I=10.0.0.1 H=n'],
  ['a hostname of the cloud', 'H=n', 'H=cloud I=10.0.0.1', undefined, 'H=cloud I=10.0.0.1'],
  [
    'the provided one first, alone of its type',
    'H=n',
    'I=10.0.0.1 I=10.0.0.2 E=1.2.3.4',
    '10.0.0.2',
    'I=10.0.0.2 E=1.2.3.4 H=n',
  ],
  ['a provided one of the outer type', 'H=n', 'I=10.0.0.1 E=1.2.3.4 E=1.2.3.5', '1.2.3.5', 'E=1.2.3.5 I=10.0.0.1 H=n'],
  ['one address of two types', '', 'I=10.0.0.1 E=10.0.0.1 E=1.2.3.4', '10.0.0.1', 'I=10.0.0.1 E=10.0.0.1'],
  ['one of each family', '', 'I=10.0.0.1 I=fd00::1 I=10.0.0.2', '10.0.0.2,fd00::1', 'I=10.0.0.2 I=fd00::1'],
  ['another spelling of an IPv6 address', '', 'I=fd00:0::1', 'fd00::1', 'I=fd00:0::1'],
])('%s', (_, own, given, provided, wanted) =>
  expect(nodeAddresses(node(own, provided), parse(given))).toEqual(wanted === undefined ? undefined : parse(wanted)),
);

test.each<[string, string]>([
  ['10.0.0.9', 'failed to get node address from cloud provider that matches ip: 10.0.0.9'],
  ['x', 'failed to parse node IP "x": could not parse "x"'],
  ['', 'failed to parse node IP "": could not parse ""'],
  ['10.0.0.1,10.0.0.2', 'must contain either a single IP or a dual-stack pair of IPs'],
  ['10.0.0.1,fd00::1,fd00::2', 'must contain either a single IP or a dual-stack pair of IPs'],
  ['0.0.0.0,fd00::1', "dual-stack node IP cannot include '0.0.0.0' or '::'"],
])('a provided address that the cloud cannot have is refused: %s', (provided, message) =>
  expect(() => nodeAddresses(node('', provided), parse('I=10.0.0.1 I=fd00::1'))).toThrow(message),
);
