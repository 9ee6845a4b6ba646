// Static pods of a machine that reaches no API server.

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { busyboxArchive } from './busybox-archive.ts';
import { eventually, type Machine, Networks, whyNot } from './machine.ts';

const reason = whyNot('/usr/sbin/nft', '/usr/sbin/bridge', '/bin/busybox');
const image = 'example.test/busybox:1';

describe.skipIf(reason)(`static pods${reason ? `: ${reason}` : ''}`, () => {
  let networks: Networks;
  let server: Machine;
  let agent: Machine;

  afterAll(async () => {
    const machines = [agent, server].filter(Boolean);
    for (const machine of machines) await machine.own('down', '--delete');
    for (const machine of machines) machine.dispose();
    networks?.dispose();
  }, 60_000);

  const marker = (version: string) => path.join(agent.directory, version);
  const runs = (version: string) => eventually(() => expect(existsSync(marker(version))).toBe(true));

  /** A pod that leaves a file with its version on the machine. */
  function write(version: string): void {
    const container = { name: 'main', image, imagePullPolicy: 'Never', volumeMounts: [{ name: 'v', mountPath: '/v' }] };
    const spec = {
      ...{ hostNetwork: true, terminationGracePeriodSeconds: 1 },
      containers: [{ ...container, command: ['sh', '-c', `date > /v/${version}; sleep 10000`] }],
      volumes: [{ name: 'v', hostPath: { path: agent.directory } }],
    };
    const draft = path.join(agent.directory, 'manifests/.web');
    writeFileSync(draft, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec }));
    renameSync(draft, path.join(agent.directory, 'manifests/web.json'));
  }

  test('start and change without an API server, which gets their mirror pod later', async () => {
    networks = new Networks();
    [server, agent] = [networks.machine('one'), networks.machine('one')];
    const up = ['up', '--node-name', 'server-1', '--node-ip', server.address];
    await server.must(...up);
    server.kubeconfig = path.join(server.directory, 'data/kubeconfig');
    const join = (await server.must('token', 'create', '--description', 'test')).trim().split(' ').slice(2);
    mkdirSync(path.join(agent.directory, 'manifests'));
    const file = path.join(agent.directory, 'kubelet.json');
    const type = { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' };
    writeFileSync(file, JSON.stringify({ ...type, staticPodPath: 'manifests' }));
    const options = ['--node-name', 'agent-1', '--kubelet-config', file];
    await agent.must('agent', ...join, ...options);
    await agent.must('image', 'load', busyboxArchive(agent.directory, image));
    write('v1');
    await runs('v1');
    const mirror = () => server.kubectl('get', 'pod', 'web-agent-1', '-o', 'yaml');
    await eventually(async () => expect(await mirror()).toMatch(/phase: Running/));
    await agent.must('down');
    await server.must('down');
    write('v2');
    const started = agent.own('agent', ...options);
    await runs('v2');
    write('v3');
    await runs('v3');
    await server.must(...up);
    expect((await started).code).toBe(0);
    await eventually(async () => expect(await mirror()).toMatch(/\/v\/v3;.*phase: Running/s));
  }, 120_000);
});

test('nodes load the rules of the API on demand', () => {
  const loaded = new Set<string>();
  const texts: string[] = [];
  const load = (file: string) => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const text = readFileSync(path.join(import.meta.dirname, '../../dist', file), 'utf8');
    texts.push(text);
    for (const [, name] of text.matchAll(/^(?:import .*|import|\} from) ?"\.\/([^"]+)"/gm)) load(name);
    if (file === 'nodes.js') load(/import\("\.\/(run-nodes-[^"]+)"\)/.exec(text)?.[1] ?? '');
  };
  load('nodes.js');
  expect(loaded.size).toBeGreaterThan(2);
  expect(texts.some((text) => text.includes('src/api/registry.ts'))).toBe(false);
});
