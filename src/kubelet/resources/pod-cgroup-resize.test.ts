// In-place resize of a pod's cgroup: order of changes, in directories that simulate the kernel's.

import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Pod, type PodSpec, qosClass } from '../../api/api.ts';
import { type ContainerStatus, openCgroups } from '../../container-runtime/container-runtime.ts';
import { silentLogger } from '../../machinery/logger.ts';
import { systemClock } from '../../machinery/time/clock.ts';
import { podResourcesAnnotation, resourcesAnnotation } from '../containers/annotations.ts';
import type { KubeletTools } from '../tools.ts';
import { PodCgroups } from './pod-cgroups.ts';
import { PodResize } from './pod-resize.ts';
import { resizeRecordIn } from './resize-record.ts';

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), 'coracle-resize-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const of = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
function podOf(containers: Record<string, object>, podLevel?: object): Pod {
  const spec = {
    containers: Object.entries(containers).map(([name, resources]) => ({ name, resources })),
    ...(podLevel && { resources: podLevel }),
  } as unknown as PodSpec;
  return {
    metadata: { name: 'p', uid: 'u', generation: 2 },
    spec,
    status: { qosClass: qosClass(spec) },
  } as unknown as Pod;
}

function subject(before: Pod, more: { refuses?: boolean } = {}) {
  const updates: string[] = [];
  const events: string[] = [];
  const mounts = ['cpu', 'memory'].map((name) => `cgroup ${directory}/${name} cgroup rw,${name} 0 0`).join('\n');
  const config = {
    capacity: { cpuMillis: 4000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 0 },
  };
  const real = new PodCgroups(openCgroups(mounts, []), {
    ...{ config, clock: systemClock, logger: silentLogger, pods: () => [] },
  });
  real.ensure(before);
  real.stop();
  const tools = {
    config,
    machine: { files: { resizeRecord: (uid: string) => resizeRecordIn(path.join(directory, uid)) } },
    events: { event: (_: Pod, _type: string, reason: string) => void events.push(reason) },
    refuse: () => undefined,
    runtime: {
      containerStats: async () => [],
      updateContainerResources: async (id: string, resources: object) =>
        void updates.push(`${id} ${Object.entries(resources).map(([k, v]) => `${k}=${v}`)}`),
      updatePodSandboxResources: async (id: string) => {
        if (more.refuses) throw new Error(`${id} says no`);
      },
    },
    cgroups: {
      desired: (pod: Pod) => real.desired(pod),
      rounded: (pod: Pod) => real.rounded(pod),
      limits: (pod: Pod) => real.limits(pod),
      memoryUsageBytes: (pod: Pod) => real.memoryUsageBytes(pod),
      update(pod: Pod, resources: object) {
        updates.push(`pod ${Object.entries(resources).map(([k, v]) => `${k}=${v}`)}`);
        real.update(pod, resources);
      },
    },
  } as unknown as KubeletTools;
  const containers = before.spec.containers.map(
    ({ name, resources }) =>
      ({
        ...{ id: name, name, state: 'running', attempt: 0 },
        annotations: {
          [resourcesAnnotation]: JSON.stringify(resources),
          ...(before.spec.resources && { [podResourcesAnnotation]: JSON.stringify(before.spec.resources) }),
        },
      }) as unknown as ContainerStatus,
  );
  const runtime = { sandboxes: [], containers };
  const usage = (bytes: number) => {
    const file = path.join(directory, 'memory', '/kubepods/podu', 'memory.usage_in_bytes');
    fs.writeFileSync(file, String(bytes));
  };
  const open = () => {
    const resize = new PodResize('u', tools);
    return async (pod: Pod) => {
      const promised = await resize.admit(pod, runtime);
      const actions = resize.actions(promised, runtime);
      if (actions.pod) await resize.apply(promised, actions, 'sandbox');
      resize.actual(promised, runtime);
      return resize.conditions();
    };
  };
  return { open, sync: open(), updates, events, usage };
}

test('a pod that grows grows before its containers', async () => {
  const { sync, updates, events } = subject(podOf({ a: of('100m', '64Mi') }));
  expect(await sync(podOf({ a: of('200m', '128Mi') }))).toEqual([]);
  expect(updates).toEqual([
    'pod memoryLimitBytes=134217728',
    'a memoryLimitBytes=134217728',
    'pod cpuQuota=20000,cpuPeriod=100000',
    'pod cpuShares=204',
    'a cpuShares=204,cpuPeriod=100000,cpuQuota=20000',
  ]);
  expect(events).toEqual(['ResizeStarted', 'ResizeCompleted']);
});

test('a pod that shrinks shrinks after its containers', async () => {
  const { sync, updates } = subject(podOf({ a: of('200m', '128Mi') }));
  await sync(podOf({ a: of('100m', '64Mi') }));
  expect(updates).toEqual([
    'a memoryLimitBytes=67108864',
    'pod memoryLimitBytes=67108864',
    'a cpuShares=102,cpuPeriod=100000,cpuQuota=10000',
    'pod cpuShares=102',
    'pod cpuQuota=10000,cpuPeriod=100000',
  ]);
});

test("one container shrinks and another grows: the pod's cgroup stays", async () => {
  const { sync, updates } = subject(podOf({ a: of('200m', '128Mi'), b: of('100m', '64Mi') }));
  await sync(podOf({ a: of('100m', '64Mi'), b: of('200m', '128Mi') }));
  expect(updates.map((line) => line.split(' ')[0])).toEqual(['a', 'b', 'a', 'b']);
});

test('pod-level resources: containers without limits follow', async () => {
  const { sync, updates, events } = subject(podOf({ a: {}, b: of('50m', '32Mi') }, of('200m', '128Mi')));
  await sync(podOf({ a: {}, b: of('50m', '32Mi') }, of('400m', '256Mi')));
  expect(updates).toEqual([
    'pod memoryLimitBytes=268435456',
    'a memoryLimitBytes=268435456',
    'pod cpuQuota=40000,cpuPeriod=100000',
    'pod cpuShares=409',
    'a cpuShares=409,cpuPeriod=100000,cpuQuota=40000',
  ]);
  expect(events).toEqual(['ResizeStarted', 'ResizeCompleted']);
});

test('pod-level resources: a limit below the usage is refused before any change', async () => {
  const { sync, updates, usage } = subject(podOf({ a: of('50m', '32Mi') }, of('200m', '128Mi')));
  usage(100 * 2 ** 20);
  const shrunk = podOf({ a: of('50m', '32Mi') }, of('200m', '64Mi'));
  const message =
    'cannot decrease memory limits: attempting to set pod memory limit (67108864) below current usage (104857600)';
  expect(await sync(shrunk)).toEqual([{ type: 'PodResizeInProgress', status: 'True', reason: 'Error', message }]);
  expect(updates).toEqual([]);
  usage(2 ** 20);
  expect(await sync(shrunk)).toEqual([]);
  expect(updates).toEqual(['pod memoryLimitBytes=67108864']);
});

test("after a runtime's refusal the cgroup stays, and the change is retried", async () => {
  const more = { refuses: true };
  const { sync, updates, open } = subject(podOf({ a: of('50m', '32Mi') }, of('200m', '128Mi')), more);
  const grown = podOf({ a: of('50m', '32Mi') }, of('400m', '128Mi'));
  expect(await sync(grown)).toMatchObject([{ reason: 'Error', message: 'sandbox says no' }]);
  more.refuses = false;
  // The next kubelet also reads the allocated and actual values from its file.
  expect(await open()(grown)).toEqual([]);
  expect(updates).toEqual(['pod cpuQuota=40000,cpuPeriod=100000', 'pod cpuShares=409']);
});
