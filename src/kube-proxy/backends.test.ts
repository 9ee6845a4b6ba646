// One contract for both back-ends and families, with real packets: a node, its pods and an outside client, each in a
// network namespace. The addresses of IPv6 are those of IPv4 in other words: 10.96.0.5 is fd00::10:96:0:5.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isLong } from '../../test/long/long.ts';
import { urlHost } from '../machinery/ip.ts';
import type { Family, ServicePort } from './service-ports.ts';

type Place = (typeof places)[number];
const places = ['node', 'pods', 'client', 'outside'] as const; // client: one more pod
const prefix = `cp${process.pid}`;
const netns = (place: Place) => `${prefix}-${place}`;
const prefixLengths: Record<string, number> = { 12: 96, 16: 96, 24: 112, 25: 113, 32: 128 };

/** An address or a range in a family. */
function inFamily(family: Family, text: string): string {
  if (family === 4) return text;
  const [address, prefix] = text.split('/');
  return `fd00::${address.replaceAll('.', ':')}${prefix ? `/${prefixLengths[prefix]}` : ''}`;
}

const reason = (mode: string) => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs Linux and root';
  const missing = ['/usr/sbin/ip', '/usr/bin/curl', ...(mode === 'nftables' ? ['/usr/sbin/nft'] : [])].filter(
    (file) => !existsSync(file),
  );
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined;
};

/** Replies to every TCP and UDP client with the destination and source address of the connection. */
const server = (pods: readonly string[]) => `
const v4 = (ip) => ip.replace('::ffff:', '');
require('node:http').createServer((q, r) => r.end(v4(q.socket.localAddress) + ' ' + v4(q.socket.remoteAddress))).listen(8080, '::', () => console.log('up'));
for (const ip of ${JSON.stringify(pods)}) { const u = require('node:dgram').createSocket(ip.includes(':') ? 'udp6' : 'udp4'); u.on('message', (m, from) => u.send(ip, from.port, from.address)); u.bind(8080, ip); }
`;
const udpClient = (ip: string, port: number, ownPort = 0) => `
const u = require('node:dgram').createSocket('${ip.includes(':') ? 'udp6' : 'udp4'}');
u.on('message', (m) => { console.log(String(m)); process.exit(0); });
u.bind(${ownPort}); u.send('hi', ${port}, '${ip}'); setTimeout(() => process.exit(1), 2000);
`;

const settings: readonly ['nftables' | 'userspace', Family][] = [
  ['nftables', 4],
  ['userspace', 4],
  ['nftables', 6],
];
describe.each(isLong ? settings : settings.slice(0, 2))('%s, IPv%i', (mode, family) => {
  const why = reason(mode);
  const at = (text: string) => inFamily(family, text);
  const url = (address: string, port?: number) => `http://${urlHost(at(address))}${port ? `:${port}` : ''}`;
  const nodeIP = '192.0.2.10';
  const pods = ['10.244.0.2', '10.244.0.3', '10.244.0.4'].map(at);
  const children: ChildProcess[] = [];
  let ask: (line: string) => Promise<string>;

  const start = async (place: Place, args: readonly string[]) => {
    const child = spawn('nsenter', [`--net=/run/netns/${netns(place)}`, process.execPath, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const next = async () => (await lines.next()).value as string;
    await next();
    return { child, next };
  };

  beforeAll(async () => {
    if (why) return;
    build();
    await start('pods', ['-e', server(pods)]);
    const proxy = await start('node', [path.join(import.meta.dirname, 'test-proxy.ts'), mode, String(family)]);
    ask = (line) => {
      proxy.child.stdin!.write(`${line}\n`);
      return proxy.next();
    };
  });
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    if (!why) for (const place of places) spawnSync('ip', ['netns', 'del', netns(place)]);
  });

  const run = (place: Place, program: string, ...args: string[]) =>
    spawnSync('nsenter', [`--net=/run/netns/${netns(place)}`, program, ...args], { encoding: 'utf8' });
  /** The endpoint that answered and the client's address as it saw it. */
  const curl = (place: Place, target: string, ...options: string[]) => {
    const { status, stdout } = run(place, 'curl', '-sS', '--max-time', '3', ...options, target);
    const [endpoint, client] = stdout.split(' ');
    return { status, endpoint, client };
  };
  const expectDropped = (place: Place, target: string, ...options: string[]) =>
    expect(curl(place, target, ...options, '--max-time', '1').status).toBe(28);
  /** One process makes all connections. */
  const endpointsSeen = (place: Place, target: string, tries = 24) => {
    const options = ['-sS', '--max-time', '3', '-H', 'Connection: close', '-w', '\n'];
    const { stdout } = run(place, 'curl', ...options, ...Array<string>(tries).fill(target));
    return [
      ...new Set(
        stdout
          .trim()
          .split('\n')
          .map((line) => line.split(' ')[0]),
      ),
    ].sort();
  };
  const service = (endpoints: string[], more: Partial<ServicePort> = {}): ServicePort => {
    const list = endpoints.map((ip) => ({ ip, port: 8080, isLocal: true }));
    return {
      key: 'ns/web:',
      family,
      protocol: 'tcp',
      port: 80,
      clusterIPs: [at('10.96.0.5')],
      externalIPs: [],
      balancerIPs: [],
      sourceRanges: undefined,
      isAnnounced: false,
      nodePort: 30080,
      affinitySeconds: 0,
      endpoints: list,
      externalEndpoints: list,
      allEndpoints: list,
      servingEndpoints: list,
      keepsClientAddress: false,
      hasAnyEndpoints: list.length > 0,
      ...more,
    };
  };
  const nodad = family === 6 ? ['nodad'] : [];
  const sync = async (...ports: ServicePort[]) => expect(await ask(JSON.stringify(ports))).toBe('ok');
  const check = (name: string, body: () => Promise<void>) => test.skipIf(why)(why ? `${name}: ${why}` : name, body);

  check('the cluster IP leads the node and pods to every endpoint', async () => {
    await sync(service(pods));
    expect(endpointsSeen('node', url('10.96.0.5'))).toEqual(pods);
    expect(endpointsSeen('client', url('10.96.0.5'))).toEqual(pods);
  });
  check('the node port leads those outside to every endpoint, with an address of the node', async () => {
    expect(endpointsSeen('outside', url(nodeIP, 30080))).toEqual(pods);
    expect(curl('outside', url(nodeIP, 30080)).client).toBe(at('10.244.0.1'));
    expect(curl('node', url(nodeIP, 30080)).status).toBe(0);
  });
  check('a client with affinity keeps its endpoint', async () => {
    await sync(service(pods, { affinitySeconds: 60 }));
    expect(endpointsSeen('node', url('10.96.0.5'), 10)).toHaveLength(1);
    expect(endpointsSeen('outside', url(nodeIP, 30080), 10)).toHaveLength(1);
  });
  check('a pod reaches itself', async () => {
    await sync(service([pods[0]]));
    expect(curl('pods', url('10.96.0.5'), '--interface', pods[0])).toEqual({
      status: 0,
      endpoint: pods[0],
      client: at('10.244.0.1'),
    });
  });
  check('other endpoints take over at once', async () => {
    await sync(service([pods[0]]));
    expect(endpointsSeen('node', url('10.96.0.5'), 5)).toEqual([pods[0]]);
    await sync(service([pods[1], pods[2]]));
    expect(endpointsSeen('node', url('10.96.0.5'))).toEqual([pods[1], pods[2]]);
  });
  check('without endpoints connections are refused', async () => {
    await sync(service([]));
    for (const [place, target] of [
      ['node', url('10.96.0.5')],
      ['client', url('10.96.0.5')],
      ['outside', url(nodeIP, 30080)],
    ] as const)
      expect(curl(place, target).status, `${place} ${target}`).toBe(7);
  });
  check('and when endpoints come, they are served', async () => {
    await sync(service(pods));
    expect(curl('node', url('10.96.0.5')).status).toBe(0);
  });
  if (mode === 'nftables')
    check(
      'other ports of a cluster IP are refused, and connections to addresses without a service are dropped',
      async () => {
        for (const place of ['node', 'client'] as const) {
          expect(curl(place, url('10.96.0.5', 81)).status).toBe(7);
          expectDropped(place, url('10.96.0.6'));
        }
      },
    );
  check('UDP', async () => {
    await sync(
      service(pods),
      service([pods[1]], { key: 'ns/dns:', protocol: 'udp', port: 53, clusterIPs: [at('10.96.0.10')], nodePort: 0 }),
    );
    const { stdout } = run('client', process.execPath, '-e', udpClient(at('10.96.0.10'), 53));
    expect(stdout.trim()).toBe(pods[1]);
    expect(run('node', process.execPath, '-e', udpClient(at('10.96.0.10'), 53)).stdout.trim()).toBe(pods[1]);
  });
  if (mode === 'nftables')
    check('a UDP client that keeps its port reaches the endpoint that takes over', async () => {
      const dns = (endpoint: string) =>
        service([endpoint], {
          key: 'ns/dns:',
          protocol: 'udp',
          port: 53,
          clusterIPs: [at('10.96.0.10')],
          nodePort: 30053,
        });
      for (const [place, address, port] of [
        ['client', '10.96.0.10', 53],
        ['outside', nodeIP, 30053],
      ] as const) {
        const asked = () => run(place, process.execPath, '-e', udpClient(at(address), port, 40_000)).stdout.trim();
        await sync(dns(pods[0]));
        expect(asked()).toBe(pods[0]);
        await sync(dns(pods[1]));
        expect(asked(), address).toBe(pods[1]);
      }
    });
  if (mode === 'nftables')
    check('externalTrafficPolicy Local keeps the client address', async () => {
      await sync(
        service(pods, { keepsClientAddress: true, externalEndpoints: [{ ip: pods[2], port: 8080, isLocal: true }] }),
      );
      expect(curl('outside', url(nodeIP, 30080))).toEqual({ status: 0, endpoint: pods[2], client: at('192.0.2.1') });
    });
  if (mode === 'nftables')
    check('externalTrafficPolicy Local does not limit pods and the node', async () => {
      const balanced = { externalIPs: [at('203.0.113.7')], balancerIPs: [at('203.0.113.7')] };
      await sync(service(pods, { ...balanced, keepsClientAddress: true, externalEndpoints: [] }));
      for (const target of [url(nodeIP, 30080), url('203.0.113.7')]) {
        expect(endpointsSeen('client', target)).toEqual(pods);
        expect(endpointsSeen('node', target)).toEqual(pods);
        expectDropped('outside', target);
      }
    });
  check('source ranges limit the clients of a load balancer address, and of it alone', async () => {
    const balanced = { externalIPs: [at('203.0.113.7'), at('203.0.113.8')], balancerIPs: [at('203.0.113.7')] };
    await sync(
      service(pods, { ...balanced, sourceRanges: ['198.51.100.0/24', '192.0.2.0/24', '192.0.2.0/25'].map(at) }),
    );
    expect(curl('outside', url('203.0.113.7')).status).toBe(0);
    await sync(service(pods, { ...balanced, sourceRanges: ['198.51.100.0/24'].map(at) }));
    expect(curl('outside', url('203.0.113.7'), '--max-time', '1').status).not.toBe(0);
    expect(curl('outside', url('203.0.113.8')).status).toBe(0);
    expect(curl('outside', url(nodeIP, 30080)).status).toBe(0);
    await sync(service(pods, balanced));
    expect(curl('outside', url('203.0.113.7')).status).toBe(0);
  });
  if (mode === 'nftables')
    check('other ports of an announced address do not reach the node', async () => {
      run('node', 'ip', 'addr', 'add', at('203.0.113.9/32'), 'dev', 'eth0', ...nodad);
      const program = await start('node', [
        '-e',
        "require('node:http').createServer((q, r) => r.end('node')).listen(81, '::', () => console.log('up'))",
      ]);
      const announced = { externalIPs: [at('203.0.113.9')], balancerIPs: [at('203.0.113.9')] };
      await sync(service(pods, announced));
      expect(curl('outside', url('203.0.113.9', 81)).endpoint).toBe('node');
      await sync(service(pods, { ...announced, isAnnounced: true }));
      expect(curl('outside', url('203.0.113.9', 81)).status).toBe(7);
      expect(curl('outside', url('203.0.113.9')).status).toBe(0);
      expect(curl('outside', url(nodeIP, 81)).endpoint).toBe('node');
      program.child.kill('SIGKILL');
      run('node', 'ip', 'addr', 'del', at('203.0.113.9/32'), 'dev', 'eth0');
    });
  check('removed services are gone', async () => {
    await sync();
    expect(curl('node', url('10.96.0.5'), '--max-time', '1').status).not.toBe(0);
    expect(curl('outside', url(nodeIP, 30080)).status).toBe(7);
    await sync(service(pods));
    expect(await ask('remove')).toBe('ok');
    expect(run('node', 'ip', '-o', '-4', 'addr', 'show', 'dev', 'lo').stdout.trim().split('\n')).toHaveLength(1);
    if (mode === 'nftables') expect(run('node', 'nft', 'list', 'tables').stdout).toBe('');
  });

  function build(): void {
    const ip = (place: Place, command: string) => {
      const { status, stderr } = spawnSync('ip', ['-n', netns(place), ...command.split(' ')], { encoding: 'utf8' });
      if (status !== 0) throw new Error(`ip ${command}: ${stderr}`);
    };
    for (const place of places) {
      spawnSync('ip', ['netns', 'add', netns(place)]);
      ip(place, 'link set lo up');
    }
    ip('node', `link add pods0 type veth peer name eth0 netns ${netns('pods')}`);
    ip('node', `link add eth0 type veth peer name eth0 netns ${netns('outside')}`);
    ip('node', `link add client0 type veth peer name eth0 netns ${netns('client')}`);
    const address = (place: Place, text: string, device: string) =>
      ip(place, ['addr', 'add', at(text), 'dev', device, ...nodad].join(' '));
    address('node', '10.244.1.1/24', 'client0');
    address('client', '10.244.1.9/24', 'eth0');
    address('node', '10.244.0.1/24', 'pods0');
    address('node', `${nodeIP}/24`, 'eth0');
    for (const host of [2, 3, 4]) address('pods', `10.244.0.${host}/24`, 'eth0');
    address('outside', '192.0.2.1/24', 'eth0');
    for (const device of ['pods0', 'client0', 'eth0']) ip('node', `link set ${device} up`);
    for (const place of ['pods', 'client', 'outside'] as const) ip(place, 'link set eth0 up');
    ip('pods', `route add default via ${at('10.244.0.1')}`);
    ip('client', `route add default via ${at('10.244.1.1')}`);
    ip('node', `route add default via ${at('192.0.2.1')}`);
    ip('outside', `route add default via ${at(nodeIP)}`);
    run('node', 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding');
  }
});
