import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Pod, type PodSpec, qosClass } from '../../api/api.ts';
import { openCgroups } from '../../container-runtime/container-runtime.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { PodCgroups } from './pod-cgroups.ts';

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), 'coracle-pods-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

function podOf(uid: string, requests?: object): Pod {
  const spec = { containers: [{ name: 'c', ...(requests && { resources: { requests } }) }] } as unknown as PodSpec;
  return { metadata: { uid }, spec, status: { qosClass: qosClass(spec) } } as unknown as Pod;
}

function open(pods: Pod[]) {
  const clock = new VirtualClock();
  const mounts = ['cpu', 'memory'].map((name) => `cgroup ${directory}/${name} cgroup rw,${name} 0 0`).join('\n');
  const cgroups = openCgroups(mounts, []);
  const config = { capacity: { cpuMillis: 2000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 0 } };
  const subject = new PodCgroups(cgroups, { config, clock, logger: silentLogger, pods: () => pods });
  subject.start();
  /** A cgroup with kernel files can be removed; a directory with ordinary files cannot. */
  const withoutFiles = (at: string) => {
    for (const name of ['cpu', 'memory']) {
      const where = path.join(directory, name, at);
      for (const file of fs.readdirSync(where)) fs.rmSync(path.join(where, file));
    }
  };
  const shares = (at: string) => cgroups.limits(at)?.cpuShares;
  return { subject, cgroups, clock, shares, withoutFiles };
}

test('all pods together are limited by the machine, and BestEffort ones have the lowest share', () => {
  const { cgroups } = open([]);
  expect(cgroups.limits('/kubepods')).toEqual({ cpuShares: 2048, memoryLimitBytes: 2 ** 30 });
  expect(cgroups.limits('/kubepods/besteffort')).toEqual({ cpuShares: 2 });
});

test('Burstable pods get the sum of their requests, including the machine’s other kubelets', async () => {
  const pods = [podOf('a', { cpu: '500m' }), podOf('b', { cpu: '250m' }), podOf('c')];
  const { subject, cgroups, clock, shares, withoutFiles } = open(pods);
  for (const pod of pods) subject.ensure(pod);
  cgroups.create('/kubepods/burstable/podother', { cpuShares: 1024 });
  await clock.advance(1000);
  expect(shares('/kubepods/burstable')).toBe(1792);
  withoutFiles('/kubepods/burstable/poda');
  subject.remove('a');
  pods.shift();
  await clock.advance(1000);
  expect(shares('/kubepods/burstable')).toBe(1280);
  withoutFiles('/kubepods/burstable/podother');
  cgroups.remove('/kubepods/burstable/podother');
  await clock.advance(60_000);
  expect(shares('/kubepods/burstable')).toBe(256);
});

test('an existing cgroup keeps its limits', () => {
  const pod = podOf('a', { cpu: '500m' });
  const { subject, shares, withoutFiles } = open([pod]);
  subject.ensure(pod);
  subject.update(pod, { cpuShares: 100 });
  subject.ensure(pod);
  expect(shares('/kubepods/burstable/poda')).toBe(100);
  withoutFiles('/kubepods/burstable/poda');
  subject.remove('a');
  expect(subject.limits(pod)).toBeUndefined();
});
