// Two machines of a cluster without any IPv4 address.

import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notLong } from '../long/long.ts';
import { busyboxArchive } from './busybox-archive.ts';
import { addSix, image, podsOf, service, url, web } from './families.ts';
import { type Machine, Networks, whyNot } from './machine.ts';

const reason = notLong ?? whyNot('/usr/sbin/nft', '/usr/sbin/bridge', '/bin/busybox');

describe.skipIf(reason)(`IPv6 alone${reason ? `: ${reason}` : ''}`, () => {
  let networks: Networks;
  let machine: Machine;
  let worker: Machine;
  let six: string;

  const both = () => [machine, worker].filter(Boolean);

  beforeAll(async () => {
    networks = new Networks();
    [machine, worker] = [networks.machine('one'), networks.machine('one')];
    [six] = await Promise.all(both().map(addSix));
    await Promise.all(both().map((each) => each.run('ip', ['-4', 'addr', 'flush', 'dev', 'eth0'])));
    const ranges = ['--service-cidr', 'fd00:97::/112', '--cluster-cidr', 'fd00:245::/56'];
    await machine.must('up', '--node-name', 'six', ...ranges);
    machine.kubeconfig = path.join(machine.directory, 'data/kubeconfig');
    const command = (await machine.must('token', 'create')).trim().split(' ').slice(2);
    await worker.must('agent', ...command, '--node-name', 'worker');
    await Promise.all(both().map((each) => each.must('image', 'load', busyboxArchive(each.directory, image))));
    await machine.apply(web, service('web', { type: 'NodePort' }));
    await machine.kubectl('rollout', 'status', 'daemonset/web', '--timeout=60s');
  }, 150_000);
  afterAll(async () => {
    for (const each of both().reverse()) await each.own('down', '--delete');
    for (const each of both()) each.dispose();
    networks?.dispose();
  }, 60_000);

  test('clients, nodes, the service kubernetes and pods use IPv6', async () => {
    const url = await machine.kubectl('config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}');
    expect(url).toContain(`[${six}]`);
    expect(await machine.kubectl('get', 'nodes', '-o', 'wide')).toContain(` ${six} `);
    expect(await machine.kubectl('get', 'endpointslices', 'kubernetes')).toMatch(new RegExp(`IPv6 .* ${six} `));
    const pods = await podsOf(machine);
    for (const { name, ips, hostIPs } of pods) {
      expect([ips.length, hostIPs.length]).toEqual([1, 1]);
      const script = [
        'cat /etc/resolv.conf; wget -qO- http://web',
        ...pods.map((pod) => `wget -qO- http://[${pod.ips[0]}]:8080`),
      ];
      const inside = await machine.kubectl('exec', name, '--', 'sh', '-c', script.join('; '));
      expect(inside).toMatch(/^nameserver fd00:97::a$/m);
      expect(inside).toMatch(new RegExp(`\n(six|worker)\n${pods.map(({ node }) => `${node}\n`).join('')}$`));
    }
  }, 40_000);

  test('the API server reaches pods of all nodes, and machines a node port', async () => {
    const proxy = (kind: string, of: string) => `/api/v1/namespaces/default/${kind}/${of}/proxy/`;
    for (const { name, node } of await podsOf(machine)) {
      expect((await machine.kubectl('get', '--raw', proxy('pods', `${name}:8080`))).trim()).toBe(node);
      const forward = machine.kubectlInBackground('port-forward', name, '18081:8080');
      await forward.shows(/Forwarding from \[::1\]:18081/);
      expect((await machine.curl('http://[::1]:18081/')).stdout.trim()).toBe(node);
      await forward.end();
    }
    expect((await machine.kubectl('get', '--raw', proxy('services', 'web:80'))).trim()).toMatch(/^(six|worker)$/);
    const { spec } = JSON.parse(await machine.kubectl('get', 'service', 'web', '-o', 'json'));
    expect((await worker.curl(url(six, spec.ports[0].nodePort))).stdout.trim()).toMatch(/^(six|worker)$/);
  }, 40_000);
});
