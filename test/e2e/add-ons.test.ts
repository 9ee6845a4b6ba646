// kube-proxy and cluster DNS as pods, and others in their place.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { longTest } from '../long/long.ts';
import { eventually, Machine, whyNot } from './machine.ts';

const reason = whyNot('/usr/sbin/nft');
const image = 'coracle.local/hello';
const proxyImage = 'coracle.local/kube-proxy:built-in';
const apiName = 'kubernetes.default.svc.cluster.local';

/** Answers every question about an address with 192.0.2.99. */
const otherDns = `const server = require('dgram').createSocket('udp4');
server.on('message', (query, { address, port }) => {
  const end = query.indexOf(0, 12) + 5;
  const head = Buffer.from([query[0], query[1], 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 99]);
  server.send(Buffer.concat([head, query.subarray(12, end), answer]), port, address);
});
server.bind(53);`;

describe.skipIf(reason)(`kube-proxy and cluster DNS as pods${reason ? `: ${reason}` : ''}`, () => {
  let machine: Machine;
  let data: string;
  const kubectl = (...args: string[]) => machine.kubectl(...args);
  const system = (...args: string[]) => kubectl('-n', 'kube-system', ...args);
  const jsonPath = (of: string, field: string) => system('get', ...of.split(' '), '-o', `jsonpath={${field}}`);
  const up = async (...more: string[]) => {
    const { code, stdout, stderr } = await machine.coracle('up', '--data-dir', data, '--port', '0', ...more);
    expect(code, `${stdout}${stderr}`).toBe(0);
  };
  const down = async () => expect((await machine.coracle('down', '--data-dir', data)).code).toBe(0);
  const podOf = (app: string) => jsonPath(`pod -l k8s-app=${app}`, '.items[*].metadata.name');
  const areReady = () =>
    eventually(async () => {
      expect(await jsonPath('daemonset kube-proxy', '.status.numberReady')).toBe('1');
      expect(await jsonPath('deployment cluster-dns', '.status.readyReplicas')).toBe('1');
    });
  /** The addresses of a name, as a pod gets them. */
  const resolved = (name: string) =>
    eventually(() =>
      kubectl(
        'exec',
        'client',
        '--',
        'node',
        '-p',
        `require('dns').resolve4('${name}',(e,a)=>console.log(e??a.join()))&&''`,
      ),
    );
  const restarts = (app: string) =>
    jsonPath(`pod -l k8s-app=${app}`, '.items[0].status.containerStatuses[0].restartCount');

  beforeAll(async () => {
    machine = new Machine();
    data = path.join(machine.directory, 'data');
    machine.kubeconfig = path.join(data, 'kubeconfig');
    await up();
    await kubectl('run', 'client', `--image=${image}`);
    await kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=60s');
  });
  afterAll(async () => {
    await machine?.coracle('down', '--delete', '--data-dir', data);
    machine?.dispose();
  });

  test('they run, with a log, health and metrics', async () => {
    await areReady();
    expect(await system('logs', await podOf('kube-proxy'))).toMatch(/^I\d{4} .*"kube-proxy started" mode="nftables"/m);
    expect(await system('logs', await podOf('kube-dns'))).toMatch(/"cluster DNS serves" addresses=\["192\.0\.2\.10"\]/);
    expect((await machine.curl('http://127.0.0.1:10249/metrics')).stdout).toMatch(/^kubeproxy_sync_proxy_rules_/m);
    expect((await machine.curl('http://127.0.0.1:10249/proxyMode')).stdout).toBe('nftables');
    expect((await machine.curl('http://192.0.2.10:10256/healthz')).stdout).toContain('"nodeEligible":true');
    expect(await resolved(apiName)).toMatch(/^10\.96\.0\.1$/m);
    const ip = await jsonPath('service kube-dns', '.spec.clusterIP');
    expect((await machine.curl(`http://${ip}:9153/metrics`)).stdout).toMatch(
      /^coredns_dns_requests_total\{proto="udp"} \d/m,
    );
    const { code, stderr } = await machine.tryKubectl([
      '-n',
      'kube-system',
      'exec',
      await podOf('kube-dns'),
      '--',
      'ls',
    ]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('no command can run in it')]);
  });

  test('a deleted pod is made again', async () => {
    const before = await podOf('kube-proxy');
    await system('delete', 'pod', before);
    await areReady();
    expect(await podOf('kube-proxy')).not.toBe(before);
  });

  test('they restart with the process of the node, and the rules of services stay meanwhile', async () => {
    const { pid } = JSON.parse(readFileSync(path.join(data, 'nodes.json'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    const { stdout } = await machine.run('nft', ['list', 'tables']);
    expect(stdout).toMatch(/table ip coracle-coracle-/);
    await eventually(async () =>
      expect([await restarts('kube-proxy'), await restarts('kube-dns')]).toEqual(['1', '1']),
    );
    await areReady();
    expect(await system('logs', '--previous', await podOf('kube-proxy'))).toContain('kube-proxy started');
    expect(await resolved(apiName)).toMatch(/^10\.96\.0\.1$/m);
  });

  test('a rollout restarts cluster DNS on its ports', async () => {
    await system('rollout', 'restart', 'deployment/cluster-dns');
    await system('rollout', 'status', 'deployment/cluster-dns', '--timeout=30s');
    expect(await restarts('kube-dns')).toBe('0');
  });

  test('arguments take effect, and unsupported ones are refused by name', async () => {
    const args = (...value: string[]) =>
      system(
        'patch',
        'daemonset',
        'kube-proxy',
        '--type=json',
        '-p',
        JSON.stringify([{ op: 'add', path: '/spec/template/spec/containers/0/args', value }]),
      );
    await args('--proxy-mode=nftables', '--metrics-bind-address=192.0.2.10:10249');
    await eventually(async () =>
      expect((await machine.curl('http://192.0.2.10:10249/proxyMode')).stdout).toBe('nftables'),
    );
    await args('--config=/etc/kube-proxy.conf');
    await eventually(async () => {
      const waiting = '.items[0].status.containerStatuses[0].state.waiting.reason';
      expect(await jsonPath('pod -l k8s-app=kube-proxy', waiting)).toBe('CrashLoopBackOff');
    });
    expect(await system('logs', await podOf('kube-proxy'))).toContain(
      'unsupported argument "--config=/etc/kube-proxy.conf"',
    );
    await args();
    await areReady();
  });

  test.each([
    ['in another namespace', 'default', {}, 'it runs only in pods of kube-system'],
    [
      'with a volume',
      'kube-system',
      { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      'cannot have volumeMounts (/v)',
    ],
  ])('a pod %s does not get the image', async (_, namespace, more, message) => {
    await machine.apply({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'thief', namespace } },
      spec: {
        hostNetwork: true,
        containers: [{ name: 'c', image: proxyImage, ...more }],
        volumes: [{ name: 'v', hostPath: { path: '/' } }],
      },
    });
    await eventually(async () => {
      const state = await kubectl(
        '-n',
        namespace,
        'get',
        'pod',
        'thief',
        '-o',
        'jsonpath={.status.containerStatuses[0].state}',
      );
      expect(JSON.parse(state).waiting).toEqual({
        reason: 'CreateContainerError',
        message: expect.stringContaining(message),
      });
    });
    await kubectl('-n', namespace, 'delete', 'pod', 'thief', '--grace-period=0', '--force');
  });

  longTest('another cluster DNS takes its place', async () => {
    await down();
    await up('--disable', 'cluster-dns');
    expect((await machine.tryKubectl(['-n', 'kube-system', 'get', 'deployment', 'cluster-dns'])).stderr).toContain(
      'not found',
    );
    const labels = { 'k8s-app': 'kube-dns' };
    const ports = [
      { name: 'dns', containerPort: 53, protocol: 'UDP' },
      { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
    ];
    await machine.apply({
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'coredns', namespace: 'kube-system', labels } },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            dnsPolicy: 'Default',
            terminationGracePeriodSeconds: 0,
            containers: [{ name: 'coredns', image, command: ['node', '-e', otherDns], ports }],
          },
        },
      },
    });
    await system('rollout', 'status', 'deployment/coredns', '--timeout=60s');
    await eventually(async () => expect(await resolved(apiName)).toMatch(/^192\.0\.2\.99$/m));
    await system('delete', 'deployment', 'coredns');
  });

  longTest('without --disable it is there again', async () => {
    await down();
    await up();
    await areReady();
    await eventually(async () => expect(await resolved(apiName)).toMatch(/^10\.96\.0\.1$/m));
  });
});
