import { createSocket, type Socket } from 'node:dgram';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { UdpRelays } from './udp-relay.ts';

let pod: Socket;
let received: string[];
beforeEach(async () => {
  received = [];
  pod = createSocket('udp4').on('message', (data, { port }) => void received.push(`${data} ${port}`));
  await new Promise<void>((resolve) => pod.bind(0, '127.0.0.1', resolve));
});
afterEach(() => void pod.close());

const relayOf = (server: Socket) => ({ server, own: new Map(), pod: pod.address() });
const client = (port: number) => ({ address: '127.0.0.1', port });

test('a datagram from port 0, to which nothing can be sent, is dropped', async () => {
  const server = createSocket('udp4');
  const relays = new UdpRelays(new VirtualClock());
  const relay = relayOf(server);
  relays.receive(Buffer.from('forged'), client(0), relay);
  expect(relay.own.size).toBe(0);
  relays.receive(Buffer.from('true'), client(9), relay);
  await expect.poll(() => received.length).toBe(1);
  expect(received[0]).toMatch(/^true /);
  for (const flow of relay.own.values()) flow.end();
  server.close();
});

test('of too many flows the one without traffic for the longest time ends, and idle ones end', async () => {
  const clock = new VirtualClock();
  const server = createSocket('udp4');
  const relays = new UdpRelays(clock, 3);
  const [one, two] = [relayOf(server), relayOf(server)];
  for (const [relay, port] of [
    [one, 1],
    [two, 2],
    [one, 3],
    [one, 1],
    [two, 4],
  ] as const)
    relays.receive(Buffer.from('x'), client(port), relay);
  expect([...one.own.keys(), ...two.own.keys()]).toEqual(['127.0.0.1 1', '127.0.0.1 3', '127.0.0.1 4']);
  await clock.advance(120_000);
  expect([one.own.size, two.own.size]).toEqual([0, 0]);
  server.close();
});
