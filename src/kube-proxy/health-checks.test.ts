import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { silentLogger } from '../machinery/logger.ts';
import { HealthCheckServers } from './health-checks.ts';

const events: string[] = [];
let problem: string | undefined;
const servers = new HealthCheckServers({
  nodeName: 'here',
  nodeIPs: ['127.0.0.1'],
  logger: silentLogger,
  events: {
    report: (_, { type, reason, action, note }) => void events.push(`${type} ${reason} ${action}: ${note}`),
    stop: async () => {},
  },
  problem: () => problem,
});
afterEach(() => servers.stop());

const freePort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};
const check = (port: number, localEndpoints: number) => ({
  namespace: 'ns',
  name: 'web',
  uid: 'u',
  port,
  localEndpoints,
});
const ask = (port: number) => fetch(`http://127.0.0.1:${port}/healthz`);

test('a node says whether it has endpoints', async () => {
  const port = await freePort();
  await servers.sync([check(port, 2)]);
  const answer = await ask(port);
  expect([answer.status, answer.headers.get('x-load-balancing-endpoint-weight')]).toEqual([200, '2']);
  expect(await answer.json()).toEqual({
    service: { namespace: 'ns', name: 'web' },
    localEndpoints: 2,
    serviceProxyHealthy: true,
  });
  await servers.sync([check(port, 0)]);
  expect((await ask(port)).status).toBe(503);
  await servers.sync([check(port, 1)]);
  problem = 'nft failed';
  expect((await ask(port)).status).toBe(503);
  problem = undefined;
  await servers.sync([]);
  await expect(ask(port)).rejects.toThrow();
});

test('a taken port is an event, and is tried again', async () => {
  const server = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await servers.sync([check(port, 1)]);
  expect(events.join()).toMatch(
    `Warning FailedToStartServiceHealthcheck Listen: node here failed to start healthcheck "ns/web" on port ${port}`,
  );
  await new Promise((resolve) => server.close(resolve));
  await servers.sync([check(port, 1)]);
  expect((await ask(port)).status).toBe(200);
});
