// Real connections to servers that go, hang and come back.

import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { issue, type KeyPair, makeAuthority } from '../certificates/certificates.ts';
import { type Balancer, hostAndPort, startBalancer } from './balancer.ts';

let pair: KeyPair;
beforeAll(async () => {
  const now = Date.now();
  pair = await issue(
    await makeAuthority(now),
    { name: 's', commonName: 's', usage: 'server', hosts: ['127.0.0.1'] },
    now,
  );
});
const stops: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** Answers with its name, unless it hangs. */
async function server(name: string) {
  const sockets = new Set<Duplex>();
  let hangs = false;
  const http = https.createServer(pair, (_, response) => void (hangs || response.end(name)));
  http.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => http.close(resolve));
  };
  stops.push(stop);
  return {
    address: `127.0.0.1:${(http.address() as AddressInfo).port}`,
    stop,
    hang: () => {
      hangs = true;
    },
  };
}

async function balance(clock: VirtualClock, ...servers: string[]): Promise<Balancer> {
  const balancer = await startBalancer({ servers, clock, logger: silentLogger });
  stops.push(() => balancer.stop());
  return balancer;
}

const ask = (url: string, agent?: https.Agent): Promise<string> =>
  new Promise((resolve, reject) => {
    const request = https.get(url, { rejectUnauthorized: false, agent: agent ?? false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
  });

test('connections go to the first server, and to the next when it is gone', async () => {
  const [one, two] = [await server('one'), await server('two')];
  const balancer = await balance(new VirtualClock(), one.address, two.address);
  expect(await ask(balancer.url)).toBe('one');
  await one.stop();
  expect(await ask(balancer.url)).toBe('two');
  expect(balancer.current).toBe(two.address);
});

test.each([1, 2])(
  'that none of %i servers answers is logged once, and shown until one answers',
  async (count) => {
    const servers = await Promise.all(Array.from({ length: count }, (_, i) => server(String(i))));
    const clock = new VirtualClock();
    const log: string[] = [];
    const note = (message: string) => void log.push(message);
    const logger = { ...silentLogger, error: note, info: note };
    const addresses = servers.map(({ address }) => address);
    const balancer = await startBalancer({ servers: addresses, clock, logger });
    stops.push(() => balancer.stop());
    /** A probe takes real time. */
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 2_000) {
        await clock.advance(2_000);
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    };
    await pass(20_000);
    expect([balancer.problem, log]).toEqual([undefined, []]);
    for (const each of servers) await each.stop();
    await pass(30_000);
    expect(balancer.problem).toMatch(/^no API server has answered for \d+ s \(127\.0\.0\.1:/);
    expect(balancer.problem).toContain(addresses.join(', '));
    expect(log).toEqual(['no API server answers: pods keep running, and changes wait']);
    balancer.use([(await server('new')).address]);
    await pass(10_000);
    expect([balancer.problem, log.slice(1)]).toEqual([undefined, ['an API server answers again']]);
  },
  20_000,
);

test('connections to a server that hangs are ended, and new ones go to another', async () => {
  const [one, two] = [await server('one'), await server('two')];
  const clock = new VirtualClock();
  const balancer = await balance(clock, one.address, two.address);
  one.hang();
  const waiting = ask(balancer.url);
  const failed = expect(waiting).rejects.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await clock.advance(2_000);
  await failed;
  expect(await ask(balancer.url)).toBe('two');
}, 10_000);

test('without any server that answers a connection is closed, not left open', async () => {
  const [one, two] = [await server('one'), await server('two')];
  const balancer = await balance(new VirtualClock(), one.address, two.address);
  await Promise.all([one.stop(), two.stop()]);
  await expect(ask(balancer.url)).rejects.toThrow();
});

test('servers can change: connections to a removed one are ended', async () => {
  const [one, two] = [await server('one'), await server('two')];
  const balancer = await balance(new VirtualClock(), one.address);
  const agent = new https.Agent({ keepAlive: true });
  stops.push(() => agent.destroy());
  expect(await ask(balancer.url, agent)).toBe('one');
  balancer.use([two.address]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await ask(balancer.url, agent)).toBe('two');
  balancer.use([]);
  expect(balancer.current).toBe(two.address);
});

test.each([
  ['https://192.0.2.1:6443', '192.0.2.1:6443'],
  ['https://example.org', 'example.org:443'],
  ['[fd00::1]:6443', '[fd00::1]:6443'],
])('%s is reached at %s', (given, expected) => expect(hostAndPort(given)).toBe(expected));
