// Network policies on two machines, with real pods.

import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxArchive } from './busybox-archive.ts';
import { eventually, type Machine, Networks, whyNot } from './machine.ts';

const reason = whyNot('/usr/sbin/nft', '/bin/busybox');
const image = 'example.test/busybox:1';
/** From the answer of the API server to the rules of all machines. */
const inForceMs = 1_000;

describe.skipIf(reason)(`network policies${reason ? `: ${reason}` : ''}`, () => {
  let networks: Networks;
  let server: Machine;
  let near: Machine;
  let webIP: string;
  /** An address that pods of the same machine could use. */
  let linkLocal: string;

  const all = () => [server, near].filter(Boolean);
  const pod = (name: string, nodeName: string, app: string, script: string, more: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app } },
    spec: {
      nodeName,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'c', image, command: ['sh', '-c', script], ...more }],
    },
  });
  const policy = (name: string, app: string, spec: object) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name },
    spec: { podSelector: { matchLabels: { app } }, ...spec },
  });
  /** Which of the clients reach these URLs: "client url". */
  async function reached(clients: readonly string[], urls: readonly string[]): Promise<string[]> {
    const fetch = 'busybox timeout 1 wget -qO- http://$url >/dev/null 2>&1 && echo $url';
    const script = `for url in ${urls.join(' ')}; do (${fetch}) & done; wait`;
    const results = await Promise.all(
      clients.map(async (client) => {
        const output = await server.kubectl('exec', client, '--', 'sh', '-c', script);
        return urls.filter((url) => output.split('\n').includes(url)).map((url) => `${client} ${url}`);
      }),
    );
    return results.flat();
  }
  const hostPort = () => `${server.address}:18080`;
  const settled = () => new Promise((resolve) => setTimeout(resolve, inForceMs));
  const tables = async (machine: Machine) => (await machine.run('nft', ['list', 'tables'])).stdout;

  beforeAll(async () => {
    networks = new Networks();
    [server, near] = [networks.machine('one'), networks.machine('one')];
    await server.must('up', '--node-name', 'server-1', '--node-ip', server.address);
    server.kubeconfig = path.join(server.directory, 'data/kubeconfig');
    const command = await server.must('token', 'create', '--description', 'test');
    await near.must('agent', ...command.trim().split(' ').slice(2), '--node-name', 'near');
    await Promise.all(all().map((machine) => machine.must('image', 'load', busyboxArchive(machine.directory, image))));
    const tick = '(while busybox sleep 0.1; do echo tick; done) | busybox nc -l -p 9000 &';
    const serve = `${tick} mkdir /www; echo hi > /www/index.html; httpd -p 8081 -h /www; httpd -f -p 8080 -h /www`;
    await server.apply(
      pod('web', 'server-1', 'web', serve, {
        ports: [{ name: 'http', containerPort: 8080, hostPort: 18080 }],
        readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1, failureThreshold: 1 },
      }),
      pod('local', 'server-1', 'guest', 'sleep 1000'),
      pod('friend', 'near', 'friend', 'sleep 1000'),
      pod('stranger', 'near', 'guest', 'sleep 1000'),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
      },
    );
    await server.kubectl('wait', '--for=condition=Ready', 'pods', '--all', '--timeout=30s');
    webIP = await server.kubectl('get', 'pod', 'web', '-o', 'jsonpath={.status.podIP}');
    const addresses = await server.kubectl('exec', 'web', '--', 'busybox', 'ip', 'addr', 'show', 'eth0');
    linkLocal = `[${/fe80[^/]*/.exec(addresses)?.[0]}%eth0]:8080`;
  }, 60_000);
  afterAll(async () => {
    for (const machine of all().reverse()) await machine.own('down', '--delete');
    for (const machine of all()) machine.dispose();
    networks?.dispose();
  }, 60_000);

  test('without a policy all pods connect, and no machine has rules for policies', async () => {
    await eventually(async () =>
      expect(await reached(['local', 'friend', 'stranger'], ['web', `${webIP}:8081`, hostPort()])).toHaveLength(9),
    );
    await eventually(async () => expect(await reached(['local'], [linkLocal])).toHaveLength(1));
    for (const machine of all()) expect(await tables(machine)).not.toContain('coracle-policy');
  });

  test('a denied pod is reached from its node alone', async () => {
    const connection = server.kubectlInBackground(
      ...['exec', 'friend', '--', 'sh', '-c', `sleep 30 | busybox nc ${webIP} 9000`],
    );
    await connection.shows(/tick/);
    await server.apply(policy('deny', 'web', { policyTypes: ['Ingress', 'Egress'] }));
    await settled();
    const ticks = connection.text().length;
    const urls = ['web', `${webIP}:8081`, linkLocal, hostPort()];
    expect(await reached(['local', 'friend', 'stranger'], urls)).toEqual([]);
    expect((await near.curl(`http://${hostPort()}`, '--max-time', '1')).code).not.toBe(0);
    expect((await server.curl(`http://${hostPort()}`)).stdout.trim()).toBe('hi');
    // Established connections continue, and a pod reaches itself.
    await eventually(() => expect(connection.text().length).toBeGreaterThan(ticks));
    await connection.end();
    const service = await server.kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
    expect(await reached(['web'], [service])).toHaveLength(1);
    expect((await server.curl(`http://${webIP}:8080`)).stdout.trim()).toBe('hi');
    const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
    expect(await server.kubectl('get', 'pod', 'web', '-o', ready)).toBe('True');
  });

  test('a policy adds peers and ports, on the same machine and on another one, also behind a service', async () => {
    const from = [{ podSelector: { matchLabels: { app: 'friend' } } }];
    await server.apply(policy('allow', 'web', { ingress: [{ from, ports: [{ port: 'http' }] }] }));
    await settled();
    const urls = ['web', `${webIP}:8080`, `${webIP}:8081`];
    expect(await reached(['local', 'friend', 'stranger'], urls)).toEqual(['friend web', `friend ${webIP}:8080`]);
    await server.kubectl('label', 'pod', 'local', 'app=friend', '--overwrite');
    await settled();
    expect(await reached(['local', 'stranger'], urls)).toEqual(['local web', `local ${webIP}:8080`]);
  });

  test('egress is judged at the client, and names stay known', async () => {
    await server.kubectl('delete', 'networkpolicies', 'deny', 'allow');
    const ports = [{ port: 8000, endPort: 8080 }];
    const cidr = `${webIP}/32`;
    await server.apply(
      policy('out', 'guest', { policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr } }], ports }] }),
    );
    await settled();
    const urls = ['web', `${webIP}:8081`, `${server.address}:10250`];
    expect(await reached(['friend', 'stranger'], urls.slice(0, 2))).toEqual([
      'friend web',
      `friend ${webIP}:8081`,
      'stranger web',
    ]);
  });

  test('a pod that starts is isolated before its address is known', async () => {
    const script = `busybox timeout 1 wget -qO- http://${webIP}:8081; echo $? > /result; sleep 1000`;
    await server.apply(pod('early', 'near', 'guest', script));
    await server.kubectl('wait', '--for=condition=Ready', 'pod/early', '--timeout=30s');
    const result = await eventually(async () => {
      const text = await server.kubectl('exec', 'early', '--', 'cat', '/result');
      expect(text).not.toBe('');
      return text.trim();
    });
    expect(result).not.toBe('0');
  });

  test('rules end with the last policy', async () => {
    await server.kubectl('delete', 'networkpolicy', 'out');
    await settled();
    expect(await reached(['stranger'], ['web', `${webIP}:8081`])).toHaveLength(2);
    for (const machine of all()) expect(await tables(machine)).not.toContain('coracle-policy');
  });

  test('down removes them', async () => {
    await server.apply(policy('deny', 'guest', { policyTypes: ['Ingress'] }));
    await eventually(async () => expect(await tables(near)).toContain('coracle-policy'));
    await near.must('down');
    expect(await tables(near)).not.toContain('coracle-policy');
  });
});
