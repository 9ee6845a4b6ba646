// A control plane of three machines without any IPv4 address, on a real etcd, and a node.

import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notLong } from '../long/long.ts';
import { leaderOf, serverPid } from './control-plane.ts';
import { addSix } from './families.ts';
import { eventually, type Machine, Networks, whyNot } from './machine.ts';

const reason = notLong ?? whyNot('/usr/sbin/nft', '/usr/sbin/bridge', '/usr/bin/etcd');
const ranges = ['--service-cidr', 'fd00:97::/112', '--cluster-cidr', 'fd00:245::/56'];

describe.skipIf(reason)(`three servers with IPv6 alone${reason ? `: ${reason}` : ''}`, () => {
  let networks: Networks;
  let machines: Machine[];
  const made: string[] = [];

  const make = async (at: Machine, name: string) => {
    await at.kubectl('create', 'configmap', name);
    made.push(`configmap/${name}`);
  };
  const found = async (at: Machine) =>
    (await at.kubectl('get', 'configmaps', '-o', 'name')).split('\n').filter((name) => made.includes(name));

  beforeAll(async () => {
    networks = new Networks();
    machines = Array.from({ length: 4 }, () => networks.machine('one'));
    await Promise.all(machines.map(addSix));
    await Promise.all(machines.map((each) => each.run('ip', ['-4', 'addr', 'flush', 'dev', 'eth0'])));
    for (const each of machines) each.kubeconfig = path.join(each.dataDirectory, 'kubeconfig');
    const [first, second, third, node] = machines;
    const printed = await first.must('server', '--cluster-init', '--node-name', 'server-1', ...ranges);
    const [serverJoin, nodeJoin] = [/\.\/coracle server (.*)/, /\.\/coracle agent (.*)/].map(
      (form) => form.exec(printed)?.[1].split(' ') ?? [],
    );
    await second.must('server', ...serverJoin, '--node-name', 'server-2');
    await third.must('server', ...serverJoin, '--node-name', 'server-3');
    await node.must('agent', ...nodeJoin, '--node-name', 'worker');
  }, 150_000);
  afterAll(async () => {
    for (const each of machines.toReversed()) await each.own('down', '--delete');
    for (const each of machines) each.dispose();
    networks?.dispose();
  }, 90_000);

  test('they are one cluster, whose API has three addresses', async () => {
    const [, second] = machines;
    await eventually(async () => {
      const nodes = (await second.kubectl('get', 'nodes', '--no-headers')).trim().split('\n');
      expect(nodes.map((row) => row.split(/ +/).slice(0, 2).join(' '))).toEqual([
        'server-1 Ready',
        'server-2 Ready',
        'server-3 Ready',
        'worker Ready',
      ]);
    }, 30_000);
    const slices = JSON.parse(await second.kubectl('get', 'endpointslice', 'kubernetes', '-o', 'json'));
    expect(slices.addressType).toBe('IPv6');
    expect(slices.endpoints.flatMap(({ addresses }: { addresses: string[] }) => addresses)).toHaveLength(3);
    expect(await second.must('status')).toMatch(/ok etcd server-3/);
  }, 60_000);

  test('a killed leader is replaced, no write is lost, and it comes back', async () => {
    const [first] = machines;
    await make(first, 'before');
    const former = await leaderOf('kube-controller-manager', first);
    const index = Number(former.slice(-1)) - 1;
    const [other] = machines.slice(0, 3).filter((_, i) => i !== index);
    process.kill(serverPid(machines[index]), 'SIGKILL');
    await make(other, 'meanwhile');
    await eventually(async () => expect(await leaderOf('kube-controller-manager', other)).not.toBe(former), 40_000);
    await machines[index].must('server', '--node-name', former);
    await eventually(async () => expect(await found(machines[index])).toEqual(made), 30_000);
    await eventually(() => machines[3].must('status'), 60_000);
  }, 180_000);
});
