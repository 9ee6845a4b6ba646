// Clients that open as many connections and flows as they can, or send datagrams that no program sends.

import { spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../machinery/logger.ts';
import { systemRandom } from '../machinery/random.ts';
import { systemClock } from '../machinery/time/clock.ts';
import type { ServicePort } from './service-ports.ts';
import { addressLabel, createUserspaceBackend } from './userspace.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const portOf = (server: net.Server | dgram.Socket) => (server.address() as AddressInfo).port;

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}

/** Serves an endpoint of this machine on a node port. */
async function serve(protocol: 'tcp' | 'udp', endpointPort: number): Promise<number> {
  const nodePort = await freePort();
  const endpoints = [{ ip: '127.0.0.1', port: endpointPort, isLocal: true }];
  const port: ServicePort = {
    ...{ key: 'ns/web:', family: 4, protocol, port: 80, nodePort, affinitySeconds: 0, endpoints },
    ...{ clusterIPs: [], externalIPs: [], balancerIPs: [], sourceRanges: undefined, isAnnounced: false },
    ...{
      externalEndpoints: endpoints,
      allEndpoints: endpoints,
      servingEndpoints: endpoints,
      keepsClientAddress: false,
      hasAnyEndpoints: true,
    },
  };
  const backend = createUserspaceBackend({
    ...{ label: addressLabel('attacks'), clock: systemClock, random: systemRandom, logger: silentLogger },
  });
  await backend.sync([port], []);
  closing.push(() => backend.remove());
  return nodePort;
}

describe('the userspace proxy', () => {
  test('has a bounded number of connections for one client, and serves others', async () => {
    const endpoint = net.createServer((socket) => socket.on('error', () => {}).write('x')).listen(0, '127.0.0.1');
    await once(endpoint, 'listening');
    const port = await serve('tcp', portOf(endpoint));
    const clients: net.Socket[] = [];
    closing.push(() => {
      endpoint.close();
      for (const client of clients) client.destroy();
    });
    const isServed = (localAddress: string) =>
      new Promise<boolean>((resolve) => {
        const client = net.connect({ host: '127.0.0.1', port, localAddress });
        client.once('data', () => resolve(true));
        client.once('error', () => resolve(false));
        client.once('close', () => resolve(false));
        clients.push(client);
      });
    let served = 0;
    for (let i = 0; i < 12; i++) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => isServed('127.0.0.1')));
      served += answers.filter(Boolean).length;
    }
    expect(served).toBe(1_024);
    expect(await isServed('127.0.0.2')).toBe(true);
    for (const client of clients.splice(0)) client.destroy();
    await expect.poll(() => isServed('127.0.0.1')).toBe(true);
  });

  test('has a bounded number of UDP flows; the oldest end first', async () => {
    const endpoint = dgram.createSocket('udp4');
    endpoint.on('message', (message, from) => endpoint.send(message, from.port, from.address));
    endpoint.bind(0, '127.0.0.1');
    await once(endpoint, 'listening');
    closing.push(() => endpoint.close());
    const port = await serve('udp', portOf(endpoint));
    const sockets = () => readdirSync('/proc/self/fd').length;
    const before = sockets();
    const ask = async (client: dgram.Socket) => {
      const answer = once(client, 'message', { signal: AbortSignal.timeout(5_000) });
      client.send('x', port, '127.0.0.1');
      return String((await answer)[0]);
    };
    const steady = dgram.createSocket('udp4');
    closing.push(() => steady.close());
    expect(await ask(steady)).toBe('x');
    for (let i = 0; i < 60; i++) {
      const clients = Array.from({ length: 50 }, () => dgram.createSocket('udp4'));
      await Promise.all(clients.map(ask));
      for (const client of clients) client.close();
      expect(await ask(steady)).toBe('x');
    }
    expect(sockets() - before).toBeLessThan(2_100);
    expect(sockets() - before).toBeGreaterThan(2_000);
  });

  const isPossible = process.platform === 'linux' && process.getuid?.() === 0;
  test.skipIf(!isPossible)('survives a datagram from port 0', () => {
    const proxy = path.join(import.meta.dirname, 'test-proxy.ts');
    const endpoint = { ip: '127.0.0.1', port: 9_000, isLocal: true };
    const service = {
      ...{ key: 'ns/dns:', family: 4, protocol: 'udp', port: 53, nodePort: 30_053, affinitySeconds: 0 },
      ...{ clusterIPs: [], externalIPs: [], balancerIPs: [], endpoints: [endpoint], externalEndpoints: [endpoint] },
    };
    // The endpoint answers the flow; the answer cannot be sent to port 0. Then another client asks.
    const client = `
      const dgram = require('node:dgram');
      const endpoint = dgram.createSocket('udp4');
      endpoint.on('message', (m, from) => endpoint.send(m, from.port, from.address)).bind(9000, '127.0.0.1');
      const proxy = require('node:child_process').spawn(process.execPath, ['${proxy}', 'userspace', '4'], { stdio: ['pipe', 'pipe', 'inherit'] });
      proxy.on('exit', (code) => process.exit(code || 3));
      let lines = 0;
      proxy.stdout.on('data', () => {
        if (++lines === 1) return proxy.stdin.write(${JSON.stringify(JSON.stringify(service))}.replace(/^.*$/, '[$&]\\n'));
        const evil = dgram.createSocket('udp4');
        evil.bind(7777, () => evil.send('evil', 30053, '127.0.0.1', () => setTimeout(() => {
          const good = dgram.createSocket('udp4');
          good.on('message', () => process.exit(0)).send('good', 30053, '127.0.0.1');
        }, 300)));
      });
      setTimeout(() => process.exit(2), 5000);
    `;
    const rules = 'add table ip t; add chain ip t o { type filter hook output priority 0; }; add rule ip t o';
    const command = `ip link set lo up && nft '${rules} udp sport 7777 udp sport set 0' && exec "$0" -e "$1"`;
    const { status, stderr } = spawnSync('unshare', ['--net', 'sh', '-c', command, process.execPath, client], {
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
  });
});
