// Claims on native: data outlives its pods and kill -9, and goes with its claim.

import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestDriver } from '../../src/kubelet/csi/test-driver.ts';
import { registerPlugin, startTestPlugin } from '../../src/kubelet/device-plugins/test-plugin.ts';
import { isLong, longTest } from '../long/long.ts';
import { eventually, Machine, whyNot } from './machine.ts';

const image = 'coracle.local/hello';
const reason = whyNot();

const container = (script: string, mounts: readonly object[]) => ({
  name: 'main',
  image,
  command: ['sh', '-c', script],
  volumeMounts: mounts,
});
const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const pod = (name: string, script: string, volume: object, spec: object = {}, mount: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 0,
    containers: [container(script, [{ name: 'v', mountPath: '/v', ...mount }])],
    volumes: [{ name: 'v', ...volume }],
    ...spec,
  },
});
const claim = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name },
  spec: { ...claimSpec, ...spec },
});
const using = (claimName: string, more: object = {}) => ({ persistentVolumeClaim: { claimName, ...more } });

describe.skipIf(reason)(`claims on native${reason ? `: ${reason}` : ''}`, () => {
  let machine: Machine;
  let data: string;
  let up: readonly string[];
  const kubectl = (...args: string[]) => machine.kubectl(...args);
  const get = (target: string, field: string) => kubectl('get', ...target.split(' '), '-o', `jsonpath={${field}}`);
  const root = () => {
    const [node] = readdirSync(path.join(data, 'nodes'));
    return path.join(data, 'nodes', node, 'volumes');
  };
  const directories = () => readdirSync(root()).filter((name) => name !== '.removed');
  const ends = async (name: string, phase = 'Succeeded') =>
    eventually(async () => expect(await get(`pod ${name}`, '.status.phase')).toBe(phase));
  const start = async () => {
    const { code, stderr, stdout } = await machine.coracle(...up);
    expect(code, `${stdout}${stderr}`).toBe(0);
  };
  const crash = async () => {
    const { stdout } = await machine.coracle('status', '--data-dir', data, '--output', 'json');
    const { pid } = JSON.parse(stdout);
    process.kill(pid, 'SIGKILL');
    await eventually(() => expect(machine.processes()).not.toContain(pid));
  };

  beforeAll(async () => {
    machine = new Machine();
    data = path.join(machine.directory, 'data');
    machine.kubeconfig = path.join(data, 'kubeconfig');
    up = ['up', '--data-dir', data, '--port', '0', '--runtime', 'native', '--proxy-mode', 'userspace'];
    await start();
  });
  afterAll(async () => {
    await machine?.coracle('down', '--data-dir', data, '--delete');
    machine?.dispose();
  });

  test('a StatefulSet keeps its data through the deletion of a pod, and loses it with its claim', async () => {
    const script = 'echo "$HOSTNAME was here" >> /data/log; exec sleep 1000';
    await machine.apply({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'db' },
      spec: {
        serviceName: 'db',
        replicas: 2,
        selector: { matchLabels: { app: 'db' } },
        template: {
          metadata: { labels: { app: 'db' } },
          spec: {
            terminationGracePeriodSeconds: 0,
            securityContext: { runAsUser: 1234 },
            containers: [container(script, [{ name: 'data', mountPath: '/data' }])],
          },
        },
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claimSpec }],
      },
    });
    await kubectl('rollout', 'status', 'statefulset/db', '--timeout=60s');
    const name = await get('pvc data-db-0', '.spec.volumeName');
    const log = path.join(root(), name, 'log');
    await eventually(() => expect(readFileSync(log, 'utf8')).toBe('db-0 was here\n'));
    expect([statSync(root()).mode & 0o777, statSync(path.dirname(log)).mode & 0o777]).toEqual([0o700, 0o777]);
    await kubectl('delete', 'pod', 'db-0');
    await eventually(() => expect(readFileSync(log, 'utf8')).toBe('db-0 was here\ndb-0 was here\n'));
    expect(directories()).toHaveLength(2);
    await kubectl('delete', 'statefulset', 'db');
    await kubectl('delete', 'pvc', '--all', '--timeout=30s');
    await eventually(async () => expect(await kubectl('get', 'pv', '-o', 'name')).toBe(''));
    expect(directories()).toEqual([]);
  });

  longTest('a claim is used for reading only, by parts, and by an ephemeral volume', async () => {
    await machine.apply(claim('shared'), pod('writer', 'mkdir /v/part && echo text > /v/part/file', using('shared')));
    await ends('writer');
    await machine.apply(
      pod('reader', 'cat /v/part/file && ! touch /v/new', using('shared', { readOnly: true })),
      pod('part', 'cat /v/file', using('shared'), {}, { subPath: 'part' }),
      pod('own', 'touch /v/file && ls /v', { ephemeral: { volumeClaimTemplate: { spec: claimSpec } } }),
    );
    for (const name of ['reader', 'part', 'own']) await ends(name);
    expect(await kubectl('logs', 'reader')).toContain('text\n');
    expect(await kubectl('logs', 'part')).toBe('text\n');
    await kubectl('delete', 'pod', '--all');
    await kubectl('delete', 'pvc', 'shared');
    await eventually(() => expect(directories()).toEqual([]));
  });

  test('a local volume gets the group of its pod and its mount options, and unsupported volumes are refused by name', async () => {
    const [local, other] = ['disk', 'other-disk'].map((name) => path.join(machine.directory, name));
    for (const directory of [local, other]) mkdirSync(directory, { mode: 0o700 });
    const node = await get('nodes', '.items[0].metadata.name');
    const hostname = { key: 'kubernetes.io/hostname', operator: 'In', values: [node] };
    const volume = (name: string, source: object) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        claimRef: { namespace: 'default', name },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [hostname] }] } },
        ...source,
      },
    });
    const byHand = { storageClassName: '' };
    await machine.apply(
      volume('disk', { local: { path: local } }),
      volume('options', { local: { path: other }, mountOptions: ['noexec'] }),
      volume('iscsi', { iscsi: { targetPortal: '192.0.2.9', iqn: 'iqn.2026-01.example:disk', lun: 0 } }),
      ...['disk', 'options', 'iscsi'].map((name) => claim(name, byHand)),
      pod('disk', 'id; touch /v/file && stat -c %g /v/file', using('disk'), {
        securityContext: { runAsUser: 1001, fsGroup: 2002 },
      }),
      pod('options', 'grep -c "^[^ ]* /v .*noexec" /proc/mounts', using('options')),
      pod('iscsi', 'true', using('iscsi')),
    );
    await ends('disk');
    expect(await kubectl('logs', 'disk')).toMatch(/\n2002\n$/);
    await ends('options');
    expect(await kubectl('logs', 'options')).toBe('1\n');
    await eventually(async () => {
      const events = await kubectl('get', 'events', '--field-selector=reason=FailedMount');
      expect(events).toContain('this node does not support iscsi volumes');
    });
    await kubectl('delete', 'pod', '--all');
    await kubectl('delete', 'pvc,pv', '--all', '--timeout=30s');
  });

  test('a volume of a CSI driver is attached, mounted, and kept through kill -9', async () => {
    const node = await get('nodes', '.items[0].metadata.name');
    const kubelet = path.join(data, 'nodes', node, 'kubelet');
    const backing = path.join(machine.directory, 'disks');
    const driver = await startTestDriver({
      ...{ name: 'disk.example.com', backing, socket: path.join(machine.directory, 'csi.sock') },
      registration: path.join(kubelet, 'plugins_registry', 'disk.sock'),
    });
    try {
      await eventually(async () =>
        expect(await get(`csinode ${node}`, '.spec.drivers[*].name')).toBe('disk.example.com'),
      );
      const spec = {
        ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: '' },
        claimRef: { namespace: 'default', name: 'driven' },
        csi: { driver: 'disk.example.com', volumeHandle: 'one' },
      };
      await machine.apply(
        { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'driven' }, spec },
        claim('driven', { storageClassName: '' }),
        pod('driven', 'echo run >> /v/file; exec sleep 1000', using('driven')),
      );
      await eventually(async () => expect(await get(`node ${node}`, '.status.volumesInUse')).toContain('one'));
      const attachment = await kubectl('get', 'volumeattachments', '-o', 'name');
      expect(driver.names()).not.toContain('NodeStageVolume');
      const attached = JSON.stringify({ status: { attached: true } });
      await kubectl('patch', attachment.trim(), '--subresource=status', '--type=merge', '-p', attached);
      await ends('driven', 'Running');
      const file = path.join(backing, 'one', 'file');
      await eventually(() => expect(readFileSync(file, 'utf8')).toBe('run\n'));
      await crash();
      await start();
      await ends('driven', 'Running');
      await kubectl('delete', 'pod', 'driven');
      await eventually(async () => expect(await kubectl('get', 'volumeattachments', '-o', 'name')).toBe(''));
      expect(driver.names()).toContain('NodeUnstageVolume');
      expect(readFileSync(file, 'utf8')).toBe('run\n');
      await kubectl('delete', 'pvc,pv', 'driven', '--timeout=30s');
    } finally {
      await driver.stop();
    }
    await eventually(async () => expect(await get(`csinode ${node}`, '.spec.drivers[*].name')).toBe(''));
  });

  test('a container has the device that a device plugin gives it', async () => {
    const node = await get('nodes', '.items[0].metadata.name');
    const directory = path.join(data, 'nodes', node, 'kubelet', 'device-plugins');
    const plugin = await startTestPlugin(path.join(directory, 'test.sock'));
    try {
      plugin.answers['Allocate'] = () => ({
        containerResponses: [
          {
            envs: { DEVICE: 'messages' },
            devices: [{ hostPath: '/dev/kmsg', containerPath: '/dev/test', permissions: 'r' }],
          },
        ],
      });
      plugin.announce({ messages: 'Healthy' });
      await registerPlugin(directory, 'example.com/device');
      await eventually(async () =>
        expect(await get(`node ${node}`, '.status.allocatable.example\\.com/device')).toBe('1'),
      );
      const script = 'echo $DEVICE; [ -c /dev/test ] && echo device; (echo x > /dev/test) 2> /dev/null || echo refused';
      const device = pod('device', script, { emptyDir: {} });
      Object.assign(device.spec.containers[0], { resources: { limits: { 'example.com/device': 1 } } });
      await machine.apply(device);
      await ends('device');
      expect(await kubectl('logs', 'device')).toBe('messages\ndevice\nrefused\n');
      await kubectl('delete', 'pod', 'device');
    } finally {
      plugin.stop();
    }
  });

  longTest('kill -9 while volumes are made and deleted leaves none behind', async () => {
    const names = Array.from({ length: 4 }, (_, i) => `c${i}`);
    for (const moment of isLong ? [0, 300] : [300]) {
      const claims = names.map((name) => claim(name));
      await machine.apply(...claims, ...names.map((name) => pod(name, 'echo x >> /v/file', using(name))));
      await new Promise((resolve) => setTimeout(resolve, moment));
      await crash();
      await start();
      for (const name of names) await ends(name);
      expect(directories()).toHaveLength(names.length);
      for (const name of directories()) expect(readFileSync(path.join(root(), name, 'file'), 'utf8')).toBe('x\n');
      await kubectl('delete', 'pod,pvc', '--all', '--wait=false');
      await new Promise((resolve) => setTimeout(resolve, moment));
      await crash();
      await start();
      await eventually(async () => expect(await kubectl('get', 'pv,pvc', '-o', 'name')).toBe(''), 60_000);
      await eventually(() => expect(readdirSync(root())).toEqual(['.removed']));
      expect(readdirSync(path.join(root(), '.removed'))).toEqual([]);
    }
  });
});
