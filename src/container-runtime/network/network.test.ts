import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { type HostPortForward, hostPortRules } from './host-port-rules.ts';
import { HostPorts } from './host-ports.ts';
import { PodAddresses } from './pod-addresses.ts';

describe('pod addresses', () => {
  test.each([
    { case: 'IPv4', cidrs: ['10.244.1.0/24'], first: ['10.244.1.2'], gateway: '10.244.1.1/24' },
    {
      case: 'an address inside the range counts as its network',
      cidrs: ['10.1.2.3/16'],
      first: ['10.1.0.2'],
      gateway: '10.1.0.1/16',
    },
    { case: 'IPv6', cidrs: ['fd00:1:2::/64'], first: ['fd00:1:2::2'], gateway: 'fd00:1:2::1/64' },
    { case: 'both', cidrs: ['10.0.0.0/24', 'fd00::/64'], first: ['10.0.0.2', 'fd00::2'], gateway: '10.0.0.1/24' },
  ])('$case', ({ cidrs, first, gateway }) => {
    const addresses = new PodAddresses(cidrs);
    expect(addresses.allocate()).toEqual(first);
    expect(`${addresses.gateways[0].address}/${addresses.gateways[0].prefix}`).toBe(gateway);
  });

  test('all of a range are given, each once, and a released one comes last', () => {
    const addresses = new PodAddresses(['10.0.0.0/29']);
    const given = Array.from({ length: 5 }, () => addresses.allocate()[0]);
    expect(given).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
    expect(() => addresses.allocate()).toThrow('no IP addresses available in range set: 10.0.0.0/29');
    addresses.release(['10.0.0.4']);
    expect(addresses.allocate()).toEqual(['10.0.0.4']);
  });

  test('used addresses are not allocated', () => {
    const addresses = new PodAddresses(['10.0.0.0/24']);
    addresses.reserve(['10.0.0.2', '10.9.9.9']);
    expect(addresses.allocate()).toEqual(['10.0.0.3']);
  });

  test.each(['', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/31'])('%j is no pod range', (cidr) =>
    expect(() => new PodAddresses([cidr])).toThrow('invalid pod CIDR'),
  );
});

describe('host ports', () => {
  const ports = new HostPorts(systemClock, async (forwards) => {
    rules = forwards.map(({ protocol, hostPort, podIp }) => `${protocol} ${hostPort} ${podIp}`);
  });
  let rules: string[] = [];
  afterEach(() => ports.closeAll());
  const mapping = { containerPort: 0, hostPort: 38_211, hostIP: '127.0.0.1' } as const;

  test('TCP reaches the pod, half-closed too, until the pod is gone', async () => {
    const pod = createServer({ allowHalfOpen: true }, async (socket) => socket.end(`got ${await text(socket)}`));
    await new Promise<void>((resolve) => pod.listen(0, '127.0.0.1', resolve));
    const { port } = pod.address() as { port: number };
    await ports.open('a', [{ ...mapping, protocol: 'TCP', containerPort: port }], ['127.0.0.1']);
    const client = connect({ host: '127.0.0.1', port: mapping.hostPort, allowHalfOpen: true });
    client.end('hello');
    expect(await text(client)).toBe('got hello');
    await expect(ports.open('b', [{ ...mapping, protocol: 'TCP' }], ['127.0.0.1'])).rejects.toThrow(
      'cannot open hostPort 38211/TCP',
    );
    expect(rules).toEqual(['TCP 38211 127.0.0.1']);
    await ports.close('a');
    expect(rules).toEqual([]);
    await ports.open('b', [{ ...mapping, protocol: 'TCP' }], ['127.0.0.1']);
    pod.close();
  });

  test('UDP finds the way back', async () => {
    const pod = createSocket('udp4').on('message', (data, from) => pod.send(`got ${data}`, from.port, from.address));
    await new Promise<void>((resolve) => pod.bind(0, '127.0.0.1', resolve));
    await ports.open('a', [{ ...mapping, protocol: 'UDP', containerPort: pod.address().port }], ['127.0.0.1']);
    const client = createSocket('udp4');
    const answer = new Promise<string>((resolve) => client.on('message', (data) => resolve(data.toString())));
    client.send('hello', mapping.hostPort, '127.0.0.1');
    expect(await answer).toBe('got hello');
    client.close();
    pod.close();
  });
});

test('host ports of a pod with two addresses: the relay of each family, and the rules of each', async () => {
  let rules: readonly HostPortForward[] = [];
  const ports = new HostPorts(systemClock, async (forwards) => {
    rules = forwards;
  });
  const pod = createSocket('udp4').on('message', (data, from) => pod.send(`got ${data}`, from.port, from.address));
  await new Promise<void>((resolve) => pod.bind(0, '127.0.0.1', resolve));
  const mapping = { containerPort: pod.address().port, hostPort: 38_212, protocol: 'UDP' } as const;
  await ports.open('a', [mapping], ['127.0.0.1', '::1']);
  for (const [type, address] of [
    ['udp4', '127.0.0.1'],
    ['udp6', '::1'],
  ] as const) {
    const client = createSocket(type);
    const answer = new Promise<string>((resolve) => client.on('message', (data) => resolve(data.toString())));
    client.send('hello', mapping.hostPort, address);
    expect(await answer).toBe('got hello');
    client.close();
  }
  expect(rules.map(({ podIp }) => podIp)).toEqual(['127.0.0.1', '::1']);
  ports.closeAll();
  pod.close();
});

describe('rules of host ports', () => {
  const forward = { protocol: 'TCP', hostPort: 8000, hostIP: '', containerPort: 80, podIp: '10.244.0.5' } as const;
  const rulesOf = (...forwards: Parameters<typeof hostPortRules>[1]) =>
    hostPortRules('t', forwards, ['10.244.0.0/24', 'fd00::/64'])
      .split('\n')
      .filter((line) => / (dnat|masquerade)/.test(line))
      .map((line) => line.trim());

  test.each<[string, Partial<HostPortForward>, string[]]>([
    [
      'all addresses of the machine',
      {},
      [
        'meta nfproto ipv4 fib daddr type local tcp dport 8000 dnat ip to 10.244.0.5:80',
        'ct status dnat ip saddr 10.244.0.0/24 ip daddr 10.244.0.5 tcp dport 80 ct original proto-dst 8000 masquerade',
      ],
    ],
    [
      'one address, by UDP',
      { hostIP: '192.0.2.1', protocol: 'UDP' },
      [
        'meta nfproto ipv4 fib daddr type local ip daddr 192.0.2.1 udp dport 8000 dnat ip to 10.244.0.5:80',
        'ct status dnat ip saddr 10.244.0.0/24 ip daddr 10.244.0.5 udp dport 80 ct original proto-dst 8000 masquerade',
      ],
    ],
    [
      'a pod with an IPv6 address',
      { podIp: 'fd00::5', hostIP: '::' },
      [
        'meta nfproto ipv6 fib daddr type local tcp dport 8000 dnat ip6 to [fd00::5]:80',
        'ct status dnat ip6 saddr fd00::/64 ip6 daddr fd00::5 tcp dport 80 ct original proto-dst 8000 masquerade',
      ],
    ],
    ['an address of the other family', { hostIP: '2001:db8::1' }, []],
  ])('%s', (_, more, wanted) => expect(rulesOf({ ...forward, ...more })).toEqual(wanted));

  test('the last one takes the table away', () =>
    expect(hostPortRules('t', [], ['10.244.0.0/24'])).toBe('add table inet t\ndelete table inet t\n'));
});
