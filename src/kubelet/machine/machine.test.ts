import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Pod, Volume } from '../../api/api.ts';
import type { ContainerStats, Mount } from '../../container-runtime/container-runtime.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { KubeletConfig } from '../config.ts';
import type { ContainerInputs } from '../containers/container-inputs.ts';
import type { Machine, VolumeSources } from './machine.ts';
import { realMachine } from './real-machine.ts';
import { simulatedMachine } from './simulated-machine.ts';

let directory: string;
let machines: Record<'real' | 'simulated', Machine>;
const capacity = { cpuMillis: 1000, memoryBytes: 1000, ephemeralStorageBytes: 0 };

beforeEach(() => {
  directory = fs.realpathSync(fs.mkdtempSync(path.join(tmpdir(), 'coracle-machine-')));
  const config = {
    ...{ rootDirectory: path.join(directory, 'kubelet'), podLogsDirectory: path.join(directory, 'logs') },
    ...{ volumeDirectory: path.join(directory, 'volumes'), maxPods: 2, clusterDomain: 'cluster.local', capacity },
  } as unknown as KubeletConfig;
  const clock = new VirtualClock();
  machines = {
    real: realMachine({ config, clock, logger: silentLogger, runtime: {} }),
    simulated: simulatedMachine(config, { memoryUsageBytes: () => 400 }),
  };
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const podWith = (spec: object = {}) =>
  ({ metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec: { containers: [{ name: 'c' }], ...spec } }) as Pod;
const sources: VolumeSources = {
  configMap: async () => undefined,
  secret: async () => undefined,
  serviceAccountToken: async () => '',
  fields: { podIPs: [], hostIPs: [], nodeName: 'node', allocatable: { cpuMillis: 0, memoryBytes: 0 } } as never,
  warn: () => {},
};
const inputs = {
  pod: podWith(),
  container: { name: 'c' },
  attempt: 1,
  podIPs: ['10.0.0.1'],
} as unknown as ContainerInputs;

describe.each(['real', 'simulated'] as const)('the files of a %s machine', (kind) => {
  test.each<{ case: string; volume: Volume; message: RegExp }>([
    { case: 'a config map', volume: { name: 'v', configMap: { name: 'm' } }, message: /configmap "m" not found/ },
    { case: 'a secret', volume: { name: 'v', secret: { secretName: 's' } }, message: /secret "s" not found/ },
  ])('a volume waits for $case', async ({ volume, message }) => {
    const { files } = machines[kind];
    const setUp = files.setUpVolumes(podWith({ volumes: [volume] }), sources);
    await expect(setUp).rejects.toThrow(message);
    await expect(setUp).rejects.toThrow('MountVolume.SetUp failed for volume "v" : ');
  });

  test('an optional source is not waited for', async () => {
    const volume = { name: 'v', configMap: { name: 'm', optional: true } };
    const volumes = await machines[kind].files.setUpVolumes(podWith({ volumes: [volume] }), sources);
    expect([...volumes.keys()]).toEqual(['v']);
  });

  test('everything that was removed can be removed again', async () => {
    const { files } = machines[kind];
    for (let i = 0; i < 2; i++) {
      await files.releaseVolumes('u');
      await files.remove('u');
      await files.removeLogs(podWith());
      await files.removeLog(path.join(directory, 'logs', 'n_p_u', 'c', '0.log'));
    }
    expect(fs.existsSync(path.join(directory, 'kubelet', 'pods', 'u'))).toBe(false);
  });

  test('a pod without a user namespace has no ids', () =>
    expect(machines[kind].files.userNamespace(podWith())).toEqual({}));

  test('containers that run have no termination message', async () => {
    const running = [{ id: 'x', name: 'c', state: 'running' }] as never;
    expect(await machines[kind].files.terminationMessages().of(podWith(), running)).toEqual(running);
  });
});

describe('the files of a real machine', () => {
  test('a resize is recorded until the pod is removed', async () => {
    const { files } = machines.real;
    const record = { allocated: { c: { limits: { cpu: '1' } } }, actual: {} };
    expect(files.resizeRecord('u').read()).toBeUndefined();
    await files.resizeRecord('u').write(record);
    expect(files.resizeRecord('u').read()).toEqual(record);
    await files.remove('u');
    expect(files.resizeRecord('u').read()).toBeUndefined();
  });

  test('a container gets /etc/hosts and its termination log', async () => {
    const mounts = await machines.real.files.extraMounts(inputs, []);
    expect(mounts.map((m) => m.containerPath)).toEqual(['/etc/hosts', '/dev/termination-log']);
    expect(fs.readFileSync(mounts[0].hostPath, 'utf8')).toContain('10.0.0.1\tp\n');
    expect(fs.statSync(mounts[1].hostPath).mode & 0o777).toBe(0o666);
  });

  test("a container's own /etc/hosts stays", async () => {
    const own = { hostPath: '/x', containerPath: '/etc/hosts', readOnly: true } as Mount;
    const mounts = await machines.real.files.extraMounts(inputs, [own]);
    expect(mounts.map((m) => m.containerPath)).toEqual(['/dev/termination-log']);
  });

  test('the message about a bad subPath names no file of the host', async () => {
    const volumePath = path.join(directory, 'volume');
    fs.mkdirSync(volumePath);
    fs.symlinkSync('/etc', path.join(volumePath, 'link'));
    const part = { volumeName: 'v', volumePath, containerName: 'c', index: 0, subPath: 'link/cron.d' };
    const failure = await machines.real.files.subPath('u', part).catch((error: Error) => error.message);
    expect(failure).toMatch(/^failed to (create subPath directory|prepare subPath)$/);
  });
});

describe('the figures of a node', () => {
  const stats = [
    { id: 'x', name: 'c', cpuNanoseconds: 5, memoryWorkingSetBytes: 100 },
    { id: 'y', name: 'd', cpuNanoseconds: 7, memoryWorkingSetBytes: 200 },
  ] as ContainerStats[];

  test('the usage of a simulated node is the sum of its containers', async () => {
    const { meter } = machines.simulated;
    expect(await meter.usage(stats)).toEqual({
      ...{ cpuNanoseconds: 12, memoryWorkingSetBytes: 300, memoryAvailableBytes: 700, bootedAt: 0 },
    });
    expect(await meter.observe()).toMatchObject({ 'memory.available': { available: 600, capacity: 1000 } });
    expect(await meter.fileSystem()).toBeUndefined();
    expect(await meter.storage(podWith(), stats, new AbortController().signal)).toBeUndefined();
  });

  test('a real node measures its disks and the disk usage of pods', async () => {
    const { meter, files } = machines.real;
    await files.makeDirectory('u');
    const logs = path.join(directory, 'logs', 'n_p_u', 'c');
    fs.mkdirSync(logs, { recursive: true });
    fs.writeFileSync(path.join(logs, '0.log'), Buffer.alloc(100_000, 'x'));
    const { signal } = new AbortController();
    const storage = await meter.storage(podWith(), [], signal);
    expect(storage?.containers.get('c')).toBeGreaterThanOrEqual(100_000);
    expect(await meter.inodes(podWith(), [], signal)).toBeGreaterThanOrEqual(3);
    expect(await meter.hasImageFileSystem()).toBe(false);
    expect((await meter.observe())['nodefs.available']?.capacity).toBeGreaterThan(0);
    expect((await meter.fileSystem())?.capacityBytes).toBeGreaterThan(0);
  });
});
