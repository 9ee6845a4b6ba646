// Machines that join a cluster: one on the server's network, one behind a router.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { longTest } from '../long/long.ts';
import { busyboxArchive } from './busybox-archive.ts';
import { eventually, type Machine, Networks, whyNot } from './machine.ts';

const reason = whyNot('/usr/sbin/nft', '/usr/sbin/bridge', '/bin/busybox');
const image = 'example.test/busybox:1';

describe.skipIf(reason)(`machines that join${reason ? `: ${reason}` : ''}`, () => {
  let networks: Networks;
  let server: Machine;
  let near: Machine;
  let far: Machine;
  let joinArguments: string[];

  const all = () => [server, near, far].filter(Boolean);

  const agent = (machine: Machine, name: string, ...args: string[]) =>
    machine.must('agent', ...joinArguments, '--node-name', name, ...args);

  beforeAll(async () => {
    networks = new Networks();
    [server, near, far] = [networks.machine('one'), networks.machine('one'), networks.machine('two')];
    await server.must('up', '--node-name', 'server-1', '--node-ip', server.address);
    server.kubeconfig = path.join(server.directory, 'data/kubeconfig');
    const command = await server.must('token', 'create', '--description', 'test');
    joinArguments = command.trim().split(' ').slice(2);
    await Promise.all([
      agent(near, 'near', '--node-labels', 'disk=ssd', '--node-taints', 'zone=a:PreferNoSchedule'),
      agent(far, 'far'),
    ]);
    await Promise.all(all().map((machine) => machine.must('image', 'load', busyboxArchive(machine.directory, image))));
  }, 90_000);
  afterAll(async () => {
    for (const machine of all().reverse()) await machine.own('down', '--delete');
    for (const machine of all()) machine.dispose();
    networks?.dispose();
  }, 60_000);

  test('are nodes with their names, labels and taints', async () => {
    const nodes = JSON.parse(await server.kubectl('get', 'nodes', '-o', 'json')).items as {
      metadata: { name: string; labels: Record<string, string> };
      spec: { taints?: object[] };
    }[];
    expect(nodes.map(({ metadata }) => metadata.name)).toEqual(['far', 'near', 'server-1']);
    const { metadata, spec } = nodes[1];
    expect(metadata.labels['disk']).toBe('ssd');
    expect(spec.taints).toEqual([{ key: 'zone', value: 'a', effect: 'PreferNoSchedule' }]);
    expect(await near.must('status')).toMatch(/ok near/);
  });

  test('pods reach each other, services and names on all of them, and kubectl reaches every pod', async () => {
    const script =
      'mkdir /www; echo $NODE > /www/index.html; dd if=/dev/zero of=/www/big bs=1M count=4; httpd -f -p 8080 -h /www';
    const container = {
      name: 'web',
      image,
      command: ['sh', '-c', script],
      env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
      readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
    };
    const labels = { app: 'web' };
    await server.apply(
      {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'web' },
        spec: {
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [container] } },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: labels, ports: [{ port: 80, targetPort: 8080, nodePort: 30_080 }], type: 'NodePort' },
      },
    );
    await server.kubectl('rollout', 'status', 'daemonset/web', '--timeout=60s');
    const rows = await server.kubectl(
      ...['get', 'pods', '-l', 'app=web', '-o'],
      'jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName} {.status.podIP}{"\\n"}{end}',
    );
    const pods = rows
      .trim()
      .split('\n')
      .map((row) => row.split(' '));
    expect(pods).toHaveLength(3);
    const fetch = (pod: string, url: string) => server.kubectl('exec', pod, '--', 'wget', '-qO-', `http://${url}`);
    for (const [from] of pods) {
      for (const [, node, ip] of pods) expect((await fetch(from, `${ip}:8080`)).trim()).toBe(node);
      expect(pods.map(([, node]) => node)).toContain((await fetch(from, 'web')).trim());
      const big = await server.kubectl(
        'exec',
        from,
        '--',
        'sh',
        '-c',
        `wget -qO- http://${pods[0][2]}:8080/big | wc -c`,
      );
      expect(big.trim()).toBe(String(4 << 20));
    }
    for (const machine of all()) {
      const answer = await near.curl(`http://${machine.address}:30080`);
      expect(pods.map(([, node]) => node)).toContain(answer.stdout.trim());
    }
  }, 60_000);

  longTest('a machine that is killed starts again without a token, and its pods have not restarted', async () => {
    const { pid } = JSON.parse(readFileSync(path.join(near.directory, 'data/run.json'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    await eventually(() => expect(existsSync(`/proc/${pid}`)).toBe(false));
    await near.must('agent', '--node-name', 'near');
    const pods = () =>
      server.kubectl('get', 'pods', '-l', 'app=web', '--field-selector', 'spec.nodeName=near', '--no-headers');
    await eventually(async () => expect(await pods()).toMatch(/^web-\w+ +1\/1 +Running +0 /));
  });

  test('a node that is removed stays away, and leaves no route', async () => {
    await server.must('node', 'remove', 'far', '--timeout', '60s');
    await far.must('down', '--delete');
    expect(await server.kubectl('get', 'nodes', '-o', 'name')).not.toContain('far');
    const routes = async (machine: Machine) => (await machine.run('ip', ['route', 'show', 'proto', '88'])).stdout;
    await eventually(async () => expect((await routes(server)).trim().split('\n')).toHaveLength(1));
    expect(await routes(far)).toBe('');
  }, 60_000);
});
