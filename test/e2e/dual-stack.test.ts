// Two machines of a cluster with both families.

import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxArchive } from './busybox-archive.ts';
import { addSix, image, podsOf, service, url, web } from './families.ts';
import { eventually, type Machine, Networks, whyNot } from './machine.ts';

const reason = whyNot('/usr/sbin/nft', '/usr/sbin/bridge', '/bin/busybox');

describe.skipIf(reason)(`dual stack${reason ? `: ${reason}` : ''}`, () => {
  let networks: Networks;
  let server: Machine;
  let near: Machine;
  let client: Machine;
  let sixes: string[];

  const nodes = () => [server, near].filter(Boolean);
  const inPod = (pod: string, ...command: string[]) => server.kubectl('exec', pod, '--', ...command);
  /** The answers to all at once, in the order of the addresses. */
  const fetch = async (pod: string, ...urls: string[]) => {
    const each = urls.map((target, i) => `(busybox timeout 3 wget -qO- ${target} || echo failed) >/answers/${i} &`);
    const files = urls.map((_, i) => `/answers/${i}`).join(' ');
    const script = `mkdir -p /answers; ${each.join(' ')} wait; cat ${files}`;
    return (await inPod(pod, 'sh', '-c', script)).trim().split('\n');
  };

  beforeAll(async () => {
    networks = new Networks();
    [server, near, client] = [networks.machine('one'), networks.machine('one'), networks.machine('one')];
    sixes = await Promise.all([server, near, client].map(addSix));
    const ranges = ['--service-cidr', '10.96.0.0/12,fd00:96::/112', '--cluster-cidr', '10.244.0.0/16,fd00:244::/56'];
    const balancers = ['--load-balancer-range', '192.0.2.200/30,fd01::c8/126'];
    await server.must('up', '--node-name', 'server', ...ranges, ...balancers);
    server.kubeconfig = path.join(server.directory, 'data/kubeconfig');
    const command = (await server.must('token', 'create')).trim().split(' ').slice(2);
    await near.must('agent', ...command, '--node-name', 'near');
    await Promise.all(
      nodes().map((machine) => machine.must('image', 'load', busyboxArchive(machine.directory, image))),
    );
    await server.apply(
      web,
      service('web', { type: 'NodePort', ipFamilyPolicy: 'RequireDualStack' }),
      service('single', { ipFamilies: ['IPv6'] }),
      service('empty', { ipFamilyPolicy: 'PreferDualStack', selector: { app: 'none' } }),
      service('pods', { ipFamilyPolicy: 'PreferDualStack', clusterIP: 'None' }),
      service('balanced', { type: 'LoadBalancer', ipFamilyPolicy: 'PreferDualStack' }),
    );
    await server.kubectl('rollout', 'status', 'daemonset/web', '--timeout=60s');
  }, 150_000);
  afterAll(async () => {
    for (const machine of nodes().reverse()) await machine.own('down', '--delete');
    for (const machine of [...nodes(), client].filter(Boolean)) machine.dispose();
    networks?.dispose();
  }, 60_000);

  test('nodes and pods have addresses of both families, IPv4 first', async () => {
    const { items } = JSON.parse(await server.kubectl('get', 'nodes', '-o', 'json'));
    const shown = items.map(({ spec, status }: any) => [
      spec.podCIDRs.length,
      ...status.addresses.filter((a: any) => a.type === 'InternalIP').map((a: any) => a.address),
    ]);
    expect(shown).toEqual([
      [2, near.address, sixes[1]],
      [2, server.address, sixes[0]],
    ]);
    for (const { name, node, ips, hostIPs } of await podsOf(server)) {
      expect(hostIPs).toEqual(node === 'server' ? [server.address, sixes[0]] : [near.address, sixes[1]]);
      expect(ips).toEqual([expect.stringMatching(/^10\.244\./), expect.stringMatching(/^fd00:244:/)]);
      const shell = await inPod(name, 'sh', '-c', 'echo $POD_IPS $HOST_IPS; cat /etc/hosts');
      expect(shell).toContain(`${ips.join()} ${hostIPs.join()}\n`);
      for (const ip of ips) expect(shell).toContain(`${ip}\t${name}\n`);
    }
  });

  test('pods reach each other, and services by address and name, in both families and across nodes', async () => {
    const pods = await podsOf(server);
    const clusterIPs = JSON.parse(await server.kubectl('get', 'service', 'web', '-o', 'json')).spec.clusterIPs;
    expect(clusterIPs).toEqual([expect.stringMatching(/^10\./), expect.stringMatching(/^fd00:96::/)]);
    for (const { name } of pods) {
      const targets = pods.flatMap(({ ips, node }) => ips.map((ip) => [url(ip, 8080), node]));
      expect(await fetch(name, ...targets.map(([target]) => target))).toEqual(targets.map(([, node]) => node));
      const served = await fetch(name, ...[...clusterIPs, 'single'].map((each) => url(each, 80)));
      for (const node of served) expect(['near', 'server']).toContain(node);
      expect(await fetch(name, ...pods[0].hostIPs.map((ip) => url(ip, 18_080)))).toEqual([pods[0].node, pods[0].node]);
    }
    for (const server of ['10.96.0.10', 'fd00:96::a']) {
      const names = await inPod(pods[0].name, 'busybox', 'nslookup', 'pods.default.svc.cluster.local', server);
      for (const ip of pods.flatMap(({ ips }) => ips)) expect(names).toContain(ip);
    }
  }, 40_000);

  test('a client outside reaches node ports and host ports, and a service without endpoints refuses', async () => {
    const { spec } = JSON.parse(await server.kubectl('get', 'service', 'web', '-o', 'json'));
    for (const address of [server.address, sixes[0], near.address, sixes[1]])
      for (const port of [spec.ports[0].nodePort, 18_080])
        expect((await client.curl(url(address, port))).stdout.trim()).toMatch(/^(near|server)$/);
    const { clusterIPs } = JSON.parse(await server.kubectl('get', 'service', 'empty', '-o', 'json')).spec;
    for (const ip of clusterIPs) expect((await server.curl(url(ip, 80))).code, ip).toBe(7);
  });

  test('connections to machines outside come from the address of the node', async () => {
    const script = `require('node:http').createServer((q, r) => r.end(q.socket.remoteAddress.replace('::ffff:', '') + '\\n'))
      .listen(8000, '::', () => console.log('up'))`;
    const outside = client.background(process.execPath, ['-e', script]);
    await outside.shows(/up/);
    for (const { name, hostIPs } of await podsOf(server))
      expect(await fetch(name, url(client.address, 8000), url(sixes[2], 8000))).toEqual(hostIPs);
    await outside.end();
  });

  test('a load balancer address of IPv6 moves when its machine loses the network, and neighbours learn it', async () => {
    const ask = async (address: string) => (await client.curl(url(address, 80), '--max-time', '1')).stdout.trim();
    const addresses = ['192.0.2.200', 'fd01::c8'];
    for (const address of addresses)
      await eventually(async () => expect(await ask(address)).toMatch(/^(near|server)$/));
    const has = async (machine: Machine) => (await machine.run('ip', ['-o', 'addr'])).stdout.includes(' fd01::c8/128 ');
    const holder = (await has(server)) ? server : near;
    const learnt = async () => (await client.run('ip', ['neigh', 'show', 'fd01::c8'])).stdout;
    const before = await learnt();
    networks.connect(holder, 'down');
    try {
      const other = holder === server ? near : server;
      await eventually(async () => expect(await has(other)).toBe(true));
      const mac = /ether (\S+)/.exec((await other.run('ip', ['link', 'show', 'dev', 'eth0'])).stdout)?.[1];
      // Told by the machine, not found by a question of the client.
      await eventually(async () => expect(await learnt()).toContain(mac), 3_000);
      expect(before).not.toContain(mac);
    } finally {
      networks.connect(holder, 'up');
    }
    await eventually(async () => expect(await ask('fd01::c8')).toMatch(/^(near|server)$/));
  }, 40_000);

  test('a policy isolates in both families, and neighbours are still found', async () => {
    const deny = (ingress: object[]) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'web' },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress, egress: ingress },
    });
    const [from, to] = await podsOf(server);
    const targets = to.ips.map((ip) => url(ip, 8080));
    await server.apply(deny([]));
    await eventually(async () => expect(await fetch(from.name, ...targets)).toEqual(['failed', 'failed']));
    await server.apply(deny([{}]));
    for (const machine of nodes()) await machine.run('sh', ['-c', 'ip neigh flush all']);
    await eventually(async () => expect(await fetch(from.name, ...targets)).toEqual([to.node, to.node]));
  }, 30_000);
});
