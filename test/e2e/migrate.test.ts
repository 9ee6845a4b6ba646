// A running cluster moves its store into etcd under a client's load, and becomes the first of several servers.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { longTest, notLong } from '../long/long.ts';
import { eventually, type Machine, Networks, whyNot } from './machine.ts';
import type { SteadyRecord } from './steady-client.ts';

const reason = notLong ?? whyNot('/usr/sbin/nft', '/usr/sbin/bridge', '/usr/bin/etcd');

describe.skipIf(reason)(`the store of a running cluster moves${reason ? `: ${reason}` : ''}`, () => {
  let networks: Networks;
  let first: Machine;
  let second: Machine;
  const pid = () => JSON.parse(readFileSync(path.join(first.directory, 'data/run.json'), 'utf8')).pid;
  const versionOf = async (name: string) =>
    Number(await first.kubectl('get', 'configmap', name, '-o', 'jsonpath={.metadata.resourceVersion}'));
  const namesAt = async (machine: Machine) =>
    new Set((await machine.kubectl('get', 'configmaps', '-o', 'name')).trim().split('\n'));

  beforeAll(async () => {
    networks = new Networks();
    [first, second] = [networks.machine('one'), networks.machine('one')];
    for (const machine of [first, second]) machine.kubeconfig = path.join(machine.directory, 'data/kubeconfig');
    await first.must('up', '--node-name', 'first', '--node-ip', first.address);
    await first.apply(
      ...Array.from({ length: 20 }, (_, i) => ({
        ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'default', name: `before-${i}` } },
        data: { text: 'x'.repeat(100_000) },
      })),
    );
  }, 120_000);
  afterAll(async () => {
    for (const machine of [second, first].filter(Boolean)) {
      await machine.own('down', '--delete');
      machine.dispose();
    }
    networks?.dispose();
  }, 120_000);

  test('reads are answered, no acknowledged write is lost, and the same process goes on as a server', async () => {
    const [former, version] = [pid(), await versionOf('before-0')];
    const client = path.join(import.meta.dirname, 'steady-client.ts');
    const steady = first.background(process.execPath, [client, first.kubeconfig]);
    await eventually(async () => expect((await namesAt(first)).has('configmap/steady-20')).toBe(true));
    expect(await first.must('store', 'migrate', '--to', 'etcd')).toMatch(/is the first of several servers/);
    const ended = new Promise((resolve) => steady.child.once('close', resolve));
    steady.child.stdin?.end();
    await ended;
    const record: SteadyRecord = JSON.parse(steady.text());
    expect(Object.keys(record.refused)).toEqual(['503']);
    expect(record.readsMeanwhile).toBeGreaterThan(0);
    const names = await namesAt(first);
    expect(record.acknowledged.filter((name) => !names.has(`configmap/${name}`))).toEqual([]);
    expect(pid()).toBe(former);
    expect(await versionOf('before-0')).toBeGreaterThan(version);
    expect(await first.must('status')).toMatch(/ok etcd first/);
    const again = await first.own('store', 'migrate', '--to', 'etcd');
    expect(again.stderr).toMatch(/the store of this cluster is in etcd/);
  }, 120_000);

  longTest(
    'a second server joins, and "up" starts the first one again',
    async () => {
      const { server, token, caCertHash, certificateKey } = JSON.parse(
        await first.must('token', 'create', '--server', '-o', 'json'),
      );
      const join = [
        '--join',
        server,
        '--token',
        token,
        '--ca-cert-hash',
        caCertHash,
        '--certificate-key',
        certificateKey,
      ];
      await second.must('server', ...join, '--node-name', 'second', '--node-ip', second.address);
      expect(await namesAt(second)).toEqual(await namesAt(first));
      await first.must('down');
      await first.must('up', '--node-name', 'first', '--node-ip', first.address);
      expect(await first.must('status')).toMatch(/ok etcd second/);
    },
    120_000,
  );
});
