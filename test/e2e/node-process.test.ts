// The nodes' process beside the main process: its API identity, and the end of either process.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { longTest } from '../long/long.ts';
import { checkout, eventually, Machine, whyNot } from './machine.ts';

const reason = whyNot('/usr/sbin/nft');

describe.skipIf(reason)(`the process of the nodes${reason ? `: ${reason}` : ''}`, () => {
  let machine: Machine;
  let data: string;
  let up: readonly string[];

  const cluster = (command: string, ...args: string[]) => machine.coracle(command, ...args, '--data-dir', data);
  const start = async () => {
    const { code, stdout, stderr } = await machine.coracle(...up);
    expect(code, `${stdout}${stderr}`).toBe(0);
  };
  const status = async () => JSON.parse((await cluster('status', '--output', 'json')).stdout);
  const processes = async (): Promise<{ main: number; nodes: number }> => {
    const found = (await status()).processes as { name: string; pid: number; memoryBytes: number }[];
    for (const { memoryBytes } of found) expect(memoryBytes).toBeGreaterThan(20 << 20);
    return Object.fromEntries(found.map(({ name, pid }) => [name, pid])) as { main: number; nodes: number };
  };
  const container = () =>
    machine.kubectl(
      ...['get', 'pod', 'stays', '-o'],
      'jsonpath={.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}',
    );

  beforeAll(async () => {
    machine = new Machine();
    data = path.join(machine.directory, 'data');
    machine.kubeconfig = path.join(data, 'kubeconfig');
    const policy = path.join(machine.directory, 'policy.yaml');
    const rules = 'rules: [{level: Metadata, omitStages: [RequestReceived]}]';
    writeFileSync(policy, `{apiVersion: audit.k8s.io/v1, kind: Policy, ${rules}}`);
    up = ['up', '--data-dir', data, '--port', '0', '--audit-policy', policy, '--service-cidr', '10.80.0.0/16'];
    await start();
    await machine.kubectl('run', 'stays', '--image=coracle.local/hello', '--restart=Always');
    await machine.kubectl('wait', '--for=condition=Ready', 'pod/stays', '--timeout=60s');
  });
  afterAll(async () => {
    await machine?.coracle('down', '--delete', '--data-dir', data);
    machine?.dispose();
  });

  test('the parts of a node use the network and their identities', () => {
    const events = readFileSync(path.join(data, 'audit.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const ofUser = (pattern: RegExp) => events.filter(({ user }) => pattern.test(user.username));
    for (const [user, group] of [
      [/^system:node:/, 'system:nodes'],
      [/^system:kube-proxy$/, 'system:authenticated'],
      [/^system:serviceaccount:kube-system:coredns$/, 'system:serviceaccounts'],
    ] as const) {
      const own = ofUser(user);
      expect(own.length, String(user)).toBeGreaterThan(0);
      for (const event of own) {
        expect(event.user.groups).toContain(group);
        expect(event.sourceIPs).toEqual(['127.0.0.1']);
        expect(event.user.extra).toHaveProperty(['authentication.kubernetes.io/credential-id']);
      }
      const refused = own.filter(({ responseStatus }) => responseStatus?.code === 403);
      expect(refused.map(({ requestURI }) => requestURI)).toEqual([]);
    }
  });

  test('services have addresses of the requested range', async () => {
    expect(await machine.kubectl('get', 'service', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}')).toBe('10.80.0.1');
    const changed = await machine.coracle('up', '--foreground', '--data-dir', data, '--service-cidr', '10.81.0.0/16');
    expect(changed.code).toBe(1);
  });

  test.each(['SIGKILL', 'SIGTERM'] as const)('%s of it: the API works, and it is restarted', async (signal) => {
    const before = await processes();
    const containerBefore = await container();
    process.kill(before.nodes, signal);
    await machine.kubectl('get', 'pods');
    await eventually(async () => {
      expect((await processes()).nodes).not.toBe(before.nodes);
      expect((await status()).problems).toEqual([]);
    });
    const after = await processes();
    expect(after.main).toBe(before.main);
    expect(after.nodes).not.toBe(before.nodes);
    expect((await cluster('status')).stdout).toMatch(/kubelet .*, restarted (once|2 times)/);
    expect(await container()).toBe(containerBefore);
    expect(await machine.kubectl('exec', 'stays', '--', 'echo', 'reached')).toBe('reached\n');
  });

  test('kill -9 of the main process ends it too, and the container keeps running', async () => {
    const before = await processes();
    const containerBefore = await container();
    process.kill(before.main, 'SIGKILL');
    await eventually(() => {
      expect(machine.processes()).not.toContain(before.main);
      expect(machine.processes()).not.toContain(before.nodes);
    }, 5_000);
    await start();
    expect(await container()).toBe(containerBefore);
    expect((await processes()).nodes).not.toBe(before.nodes);
  });

  longTest('one that hangs when its main process is killed has ended before the next one starts', async () => {
    const before = await processes();
    process.kill(before.nodes, 'SIGSTOP');
    process.kill(before.main, 'SIGKILL');
    await eventually(() => expect(machine.processes()).not.toContain(before.main));
    expect(machine.processes()).toContain(before.nodes);
    await start();
    expect(machine.processes()).not.toContain(before.nodes);
    const { nodes } = await processes();
    const programs = machine.processes(data).filter((pid) => isNodeProgram(pid));
    expect(programs).toEqual([nodes]);
  });

  longTest('down after such a kill leaves no process', async () => {
    const before = await processes();
    process.kill(before.nodes, 'SIGSTOP');
    process.kill(before.main, 'SIGKILL');
    await eventually(() => expect(machine.processes()).not.toContain(before.main));
    expect((await cluster('down')).code).toBe(0);
    expect(machine.processes(data).filter(isNodeProgram)).toEqual([]);
    await start();
  });
});

const isNodeProgram = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path.join(checkout, 'dist/nodes.js'));
  } catch {
    return false; // it has just ended
  }
};
