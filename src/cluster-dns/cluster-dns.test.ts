// The server over UDP and TCP, and its questions to others.

import dgram from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as packet from 'dns-packet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ComponentContext, createClient } from '../client/client.ts';
import { FakeServer } from '../client/fake-server.ts';
import { silentLogger } from '../machinery/logger.ts';
import { Metrics } from '../machinery/metrics.ts';
import { seededRandom } from '../machinery/random.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { type RunningClusterDns, startClusterDns } from './cluster-dns.ts';
import { ask, resolversOf } from './upstream.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'coracle-dns-'));
const resolvConf = path.join(directory, 'resolv.conf');
const client = createClient(new FakeServer());
const context = {
  client,
  clock: systemClock,
  random: seededRandom(1),
  logger: silentLogger,
  metrics: new Metrics(),
  fatal: (error: Error) => {
    throw error;
  },
} as ComponentContext;
let dns: RunningClusterDns;
let port: number;

const many = Array.from({ length: 60 }, (_, i) => ({ addresses: [`10.244.1.${i}`], conditions: { ready: true } }));

beforeAll(async () => {
  writeFileSync(resolvConf, '# nobody\n');
  await client.create('namespaces', { metadata: { name: 'shop' } });
  const service = (name: string, spec: object) =>
    client.create('services', { metadata: { namespace: 'shop', name }, spec } as never);
  await service('web', {
    clusterIP: '10.96.0.5',
    clusterIPs: ['10.96.0.5'],
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  });
  await service('many', { clusterIP: 'None', clusterIPs: ['None'] });
  await service('alias', { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local' });
  await service('far', { type: 'ExternalName', externalName: 'example.com' });
  await client.create('endpointslices', {
    metadata: { namespace: 'shop', name: 'many-1', labels: { 'kubernetes.io/service-name': 'many' } },
    addressType: 'IPv4',
    endpoints: many,
    ports: [],
  } as never);
  dns = await startClusterDns(context, {
    addresses: ['127.0.0.1', '::1'],
    port: 0,
    clusterDomain: 'cluster.local',
    resolvConf,
  });
  await dns.synced;
  port = dns.port;
});
afterAll(async () => {
  await dns.stop();
  rmSync(directory, { recursive: true });
});

const query = (name: string, type: string, more: object = {}) =>
  packet.encode({
    type: 'query',
    id: 7,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type: type as 'A', name }],
    ...more,
  });
const overUdp = (bytes: Buffer, at = port) =>
  ask(['127.0.0.1'], bytes, false, systemClock, at).then((answer) => packet.decode(answer));
const overTcp = (bytes: Buffer) =>
  ask(['127.0.0.1'], bytes, true, systemClock, port).then((answer) => packet.decode(answer));
const code = (answer: packet.DecodedPacket) => ((answer as { flags?: number }).flags ?? 0) & 0xf;
const data = (answer: packet.DecodedPacket) =>
  (answer.answers ?? []).map((record) => (record as { data: unknown }).data);

describe.each([
  ['UDP', overUdp],
  ['TCP', overTcp],
] as const)('over %s', (_, send) => {
  test('a name of the cluster', async () => {
    const answer = await send(query('Web.shop.svc.cluster.local', 'A'));
    expect(answer).toMatchObject({
      id: 7,
      type: 'response',
      flag_aa: true,
      flag_ra: true,
      flag_rd: true,
      flag_tc: false,
    });
    expect(answer.answers).toMatchObject([{ type: 'A', ttl: 5, data: '10.96.0.5' }]);
  });
  test('a name that is there without such a record: no error, and the SOA', async () => {
    const answer = await send(query('web.shop.svc.cluster.local', 'AAAA'));
    expect(code(answer)).toBe(0);
    expect(answer.answers).toEqual([]);
    expect(answer.authorities).toMatchObject([{ type: 'SOA', name: 'cluster.local' }]);
  });
  test('a name that does not exist', async () => {
    const answer = await send(query('none.shop.svc.cluster.local', 'A'));
    expect(code(answer)).toBe(3);
    expect(answer.authorities).toMatchObject([{ type: 'SOA' }]);
  });
  test('a reverse name', async () =>
    expect(data(await send(query('5.0.96.10.in-addr.arpa', 'PTR')))).toEqual(['web.shop.svc.cluster.local']));
  test('an alias within the cluster brings its address along', async () =>
    expect(data(await send(query('alias.shop.svc.cluster.local', 'A')))).toEqual([
      'web.shop.svc.cluster.local',
      '10.96.0.5',
    ]));
  test('an unresolvable external name returns the alias only', async () =>
    expect(data(await send(query('far.shop.svc.cluster.local', 'A')))).toEqual(['example.com']));
  test('an external name without a resolver', async () => expect(code(await send(query('example.com', 'A')))).toBe(2));
});

test.each([false, true])('each address of the server answers, on one port (TCP: %s)', async (overTcp) => {
  const answer = await ask(['::1'], query('web.shop.svc.cluster.local', 'A'), overTcp, systemClock, port);
  expect(data(packet.decode(answer))).toEqual(['10.96.0.5']);
});

describe('a response too large for UDP', () => {
  const name = 'many.shop.svc.cluster.local';
  test('is truncated, so that the client uses TCP', async () =>
    expect(await overUdp(query(name, 'A'))).toMatchObject({ flag_tc: true, answers: [] }));
  test('comes whole where the client takes more (EDNS0)', async () => {
    const opt = { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] };
    const answer = await overUdp(query(name, 'A', { additionals: [opt] }));
    expect(answer.answers).toHaveLength(60);
    expect(answer.additionals).toMatchObject([{ type: 'OPT' }]);
  });
  test('comes whole over TCP', async () => expect((await overTcp(query(name, 'A'))).answers).toHaveLength(60));
});

test('bytes that are no query are passed over', async () => {
  const socket = dgram.createSocket('udp4');
  socket.send(Buffer.from('nonsense'), port, '127.0.0.1');
  expect(code(await overUdp(query('web.shop.svc.cluster.local', 'A')))).toBe(0);
  socket.close();
});

test('two questions on one TCP connection', async () => {
  const framed = (bytes: Buffer) => Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
  const socket = net.connect(port, '127.0.0.1');
  const both = Buffer.concat([
    framed(query('web.shop.svc.cluster.local', 'A')),
    framed(query('none.shop.svc.cluster.local', 'A')),
  ]);
  socket.write(both.subarray(0, 20)); // in pieces, as a network may
  await systemClock.sleep(10);
  socket.write(both.subarray(20));
  let received = Buffer.alloc(0);
  const codes: number[] = [];
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      codes.push(code(packet.decode(received.subarray(2, 2 + received.readUInt16BE(0)))));
      received = received.subarray(2 + received.readUInt16BE(0));
    }
  });
  await expect.poll(() => codes).toHaveLength(2);
  socket.destroy();
  expect(codes.sort()).toEqual([0, 3]);
});

describe('asking others', () => {
  const bytes = query('example.com', 'A');
  const upstream = async (answer: (query: Buffer) => Buffer) => {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (message, from) => socket.send(answer(message), from.port, from.address));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return { socket, port: (socket.address() as AddressInfo).port };
  };
  const echo = (message: Buffer) =>
    packet.encode({
      type: 'response',
      id: packet.decode(message).id,
      answers: [{ type: 'A', name: 'example.com', data: '192.0.2.7' }],
    });

  test('the nameservers of resolv.conf', async () => {
    const file = path.join(directory, 'some.conf');
    writeFileSync(file, '# nameserver 1.1.1.1\nsearch x\nnameserver 192.0.2.53\n  nameserver fd00::53\n');
    expect(await resolversOf(file)).toEqual(['192.0.2.53', 'fd00::53']);
    expect(await resolversOf(path.join(directory, 'none'))).toEqual([]);
  });
  test('the answer comes back', async () => {
    const { socket, port } = await upstream(echo);
    expect(data(await overUdp(bytes, port))).toEqual(['192.0.2.7']);
    socket.close();
  });
  test('an answer to another question is none', async () => {
    const { socket, port } = await upstream((message) => {
      const wrong = echo(message);
      wrong.writeUInt16BE(99);
      return wrong;
    });
    await expect(ask(['127.0.0.1'], bytes, false, systemClock, port)).rejects.toThrow('does not answer');
    socket.close();
  });
  test('a resolver that hangs up over TCP is passed over', async () => {
    const server = net.createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await expect(
      ask(['127.0.0.1'], bytes, true, systemClock, (server.address() as AddressInfo).port),
    ).rejects.toThrow();
    server.close();
  });
  test('no resolver', async () => expect(ask([], bytes, false, systemClock)).rejects.toThrow('no upstream resolver'));
});

describe('hostile clients', () => {
  const header = (flags: number, counts: readonly number[]) => {
    const bytes = Buffer.alloc(12);
    for (const [index, value] of [7, flags, ...counts].entries()) bytes.writeUInt16BE(value, index * 2);
    return bytes;
  };
  const framed = (bytes: Buffer) => Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
  const connected = async () => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    return socket;
  };

  test.each<[string, number, number[], number]>([
    ['another operation', 0x2000, [1, 0, 0, 0], 4],
    ['no question', 0, [0, 0, 0, 0], 1],
    ['thousands of questions', 0, [10_000, 0, 0, 0], 1],
    ['answers', 0, [1, 2, 0, 0], 1],
    ['additional records', 0, [1, 0, 0, 3], 1],
  ])('a query with %s is refused by its header', async (_, flags, counts, wanted) => {
    const answer = await overTcp(header(flags, counts));
    expect(answer).toMatchObject({ id: 7, type: 'response', questions: [] });
    expect(code(answer)).toBe(wanted);
  });

  test('any bytes get a response or none, in this process and without a rejection', async () => {
    const random = seededRandom(5);
    const socket = dgram.createSocket('udp4');
    const good = query('web.shop.svc.cluster.local', 'A');
    for (let i = 1; i <= 500; i++) {
      const bytes = Buffer.from(good);
      for (let change = random.int(6); change >= 0; change--) bytes[random.int(bytes.length)] = random.int(256);
      socket.send(bytes.subarray(0, 1 + random.int(bytes.length)), port, '127.0.0.1');
      // The system drops datagrams of a long queue.
      if (i % 20 === 0) expect(code(await overUdp(good))).toBe(0);
    }
    socket.close();
  });

  test('a service of thousands of endpoints: as many answers as fit, and truncated', async () => {
    const endpoints = Array.from({ length: 3_000 }, (_, i) => ({ addresses: [`10.1.${i >> 8}.${i & 255}`] }));
    const name = `crowd-${'x'.repeat(50)}`;
    await client.create('services', {
      metadata: { namespace: 'shop', name },
      spec: { clusterIP: 'None', clusterIPs: ['None'] },
    } as never);
    await client.create('endpointslices', {
      metadata: { namespace: 'shop', name: 'crowd-1', labels: { 'kubernetes.io/service-name': name } },
      ...{ addressType: 'IPv4', endpoints, ports: [] },
    } as never);
    const asked = query(`${name}.shop.svc.cluster.local`, 'A');
    await expect.poll(async () => code(await overUdp(asked))).toBe(0);
    const answer = await overTcp(asked);
    expect(answer.flag_tc).toBe(true);
    expect(answer.answers?.length).toBeGreaterThan(600);
    expect(await overUdp(asked)).toMatchObject({ flag_tc: true, answers: [] });
  });

  test('connections of one client beyond its share are closed, and its others go on', async () => {
    const sockets = await Promise.all(Array.from({ length: 70 }, connected));
    await expect.poll(() => sockets.filter(({ closed }) => closed).length).toBe(6);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => code(await overTcp(query('web.shop.svc.cluster.local', 'A')))).toBe(0);
  });

  test('a client that reads no answers holds one of them', async () => {
    const answered = () => Number(/requests_total\{proto="tcp"\} (\d+)/.exec(context.metrics.text())?.[1]);
    const socket = await connected();
    socket.pause();
    const asked = framed(query('many.shop.svc.cluster.local', 'A'));
    const before = answered();
    socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => asked)));
    let count = -1;
    await expect.poll(() => count === (count = answered()), { interval: 300, timeout: 8_000 }).toBe(true);
    expect(count - before).toBeLessThan(19_000);
    socket.destroy();
  });

  test('datagrams of others to the port of a question are dropped, also short ones', async () => {
    const resolver = dgram.createSocket('udp4');
    await new Promise<void>((resolve) => resolver.bind(0, '127.0.0.1', resolve));
    const stranger = dgram.createSocket('udp4');
    const asked = query('example.com', 'A');
    resolver.on('message', (message, from) => {
      const answer = (data: string) =>
        packet.encode({ type: 'response', id: 7, answers: [{ type: 'A', name: 'example.com', data }] });
      stranger.send(answer('198.51.100.1'), from.port, from.address, () => {
        resolver.send(Buffer.from([0]), from.port, from.address);
        resolver.send(message, from.port, from.address); // the query is no answer to itself
        resolver.send(answer('192.0.2.7'), from.port, from.address);
      });
    });
    expect(data(await overUdp(asked, (resolver.address() as AddressInfo).port))).toEqual(['192.0.2.7']);
    resolver.close();
    stranger.close();
  });
});
