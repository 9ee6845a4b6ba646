// A load balancer address on two machines, and a client on a third one: the address moves when its machine dies.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxArchive } from './busybox-archive.ts';
import { eventually, type Machine, Networks, whyNot } from './machine.ts';
import { webService } from './web-service.ts';

const reason = whyNot('/usr/sbin/nft', '/usr/sbin/bridge', '/bin/busybox');
const image = 'example.test/busybox:1';
const address = '192.0.2.200';

describe.skipIf(reason)(`a load balancer${reason ? `: ${reason}` : ''}`, () => {
  let networks: Networks;
  let server: Machine;
  let worker: Machine;
  let client: Machine;

  const cluster = () => [server, worker].filter(Boolean);
  /** The node that answered and the client's address as its pod saw it. */
  const ask = async (seconds = '2') => {
    const { stdout } = await client.run('curl', ['-sS', '--max-time', seconds, `http://${address}/cgi-bin/who`]);
    return stdout.trim().replace(/\[::ffff:(.*)\]/, '$1');
  };
  const holders = async () => {
    const all = await Promise.all(
      cluster().map(async (machine) => (await machine.run('ip', ['-o', 'addr', 'show', 'dev', 'eth0'])).stdout),
    );
    return cluster().filter((_, i) => all[i].includes(` ${address}/32 `));
  };

  beforeAll(async () => {
    networks = new Networks();
    [server, worker, client] = [networks.machine('one'), networks.machine('one'), networks.machine('one')];
    const range = ['--load-balancer-range', `${address}-192.0.2.201`];
    await server.must('up', '--node-name', 'server', '--node-ip', server.address, ...range);
    server.kubeconfig = path.join(server.directory, 'data/kubeconfig');
    const command = (await server.must('token', 'create')).trim().split(' ').slice(2);
    await worker.must('agent', ...command, '--node-name', 'worker');
    await Promise.all(
      cluster().map((machine) => machine.must('image', 'load', busyboxArchive(machine.directory, image))),
    );
    await server.apply(...webService(image));
    await server.kubectl('rollout', 'status', 'daemonset/web', '--timeout=60s');
  }, 90_000);
  afterAll(async () => {
    for (const machine of cluster().reverse()) await machine.own('down', '--delete');
    for (const machine of [...cluster(), client].filter(Boolean)) machine.dispose();
    networks?.dispose();
  }, 60_000);

  test('a client on another machine reaches a pod, which sees its address', async () => {
    expect(await server.kubectl('get', 'service', 'web')).toMatch(/LoadBalancer +10\.\S+ +192\.0\.2\.200 +80:/);
    await eventually(async () => expect(await ask()).toMatch(new RegExp(`^(server|worker) ${client.address}$`)));
    const port = await server.kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.healthCheckNodePort}');
    expect((await client.curl(`http://${worker.address}:${port}/healthz`)).stdout).toContain('"localEndpoints": 1');
    const trace = await server.must('trace', 'service', 'web', '--from', client.address);
    expect(trace).toMatch(/balancer +192\.0\.2\.200 +node (server|worker) announces 192\.0\.2\.200 on eth0/);
    expect(trace).toMatch(/endpoint +10\.244\.\d+\.\d+:8080 +ready +node worker +pod web-/);
  });

  test('source ranges keep it out, and the trace names the rule', async () => {
    const patch = (ranges: string[]) =>
      server.kubectl('patch', 'service', 'web', '-p', JSON.stringify({ spec: { loadBalancerSourceRanges: ranges } }));
    await patch(['203.0.113.0/24']);
    await eventually(async () => expect(await ask('1')).toBe(''));
    expect(await server.must('trace', 'service', 'web', '--from', client.address)).toMatch(
      /refused +192\.0\.2\.\d+ is in none of spec\.loadBalancerSourceRanges, 203\.0\.113\.0\/24 +firewall-/,
    );
    await patch(['192.0.2.0/24']);
    await eventually(async () => expect(await ask()).toContain(client.address));
  });

  test('the address moves within seconds when its machine dies, and one has it when all are back', async () => {
    const [holder, more] = await holders();
    expect(more).toBeUndefined();
    const other = cluster().find((machine) => machine !== holder);
    networks.connect(holder, 'down');
    const startMs = performance.now();
    try {
      const name = other === server ? 'server' : 'worker';
      await eventually(async () => expect(await ask('0.3')).toBe(`${name} ${client.address}`), 10_000);
      const tookMs = Math.round(performance.now() - startMs);
      console.log(`the address moved after ${tookMs} ms`);
      expect(tookMs).toBeLessThan(4_000);
    } finally {
      networks.connect(holder, 'up');
    }
    await eventually(async () => expect(await holders()).toHaveLength(1));
    await eventually(async () => expect(await ask()).toContain(client.address));
  });

  test('an address that another machine has is not announced, and an event names that machine', async () => {
    const taken = '192.0.2.201';
    await client.run('ip', ['addr', 'add', `${taken}/32`, 'dev', 'eth0']);
    const mac = /ether (\S+)/.exec((await client.run('ip', ['-o', 'link', 'show', 'dev', 'eth0'])).stdout)?.[1];
    await server.kubectl('create', 'service', 'loadbalancer', 'second', '--tcp=80:8080');
    const events = ['get', 'events', '--field-selector', 'reason=LoadBalancerAddressInUse'];
    await eventually(async () =>
      expect(await server.kubectl(...events)).toContain(`${taken}: a machine with the hardware address ${mac}`),
    );
    for (const machine of cluster())
      expect((await machine.run('ip', ['-o', 'addr', 'show', 'dev', 'eth0'])).stdout).not.toContain(taken);
  });

  test('a node that was paused loses the address, and does not take it back', async () => {
    const [holder] = await holders();
    const other = cluster().find((machine) => machine !== holder);
    const { pid } = JSON.parse(readFileSync(path.join(holder.directory, 'data/nodes.json'), 'utf8'));
    process.kill(pid, 'SIGSTOP');
    try {
      // The kernel removes the address from the paused node.
      await eventually(async () => expect(await holders()).toEqual([other]), 8_000);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    for (let i = 0; i < 8; i++) {
      expect(await holders()).not.toContain(holder);
      await eventually(async () => expect(await ask()).toContain(client.address), 5_000);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });

  test('another node takes over at once from one that is stopped, also while its API server is away', async () => {
    await server.must('down');
    await eventually(async () => expect(await ask('0.3')).toBe(`worker ${client.address}`), 5_000);
    expect(await holders()).toEqual([worker]);
  });
});
