import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Container, Pod } from '../../api/api.ts';
import type { ContainerStatus } from '../../container-runtime/container-runtime.ts';
import { podResourcesAnnotation, resourcesAnnotation } from '../containers/annotations.ts';
import type { RuntimePod } from '../pods/pod-actions.ts';
import type { KubeletTools } from '../tools.ts';
import { PodResize } from './pod-resize.ts';
import { createdWith } from './resize-amounts.ts';
import { resizeRecordIn } from './resize-record.ts';

let directory: string;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(tmpdir(), 'coracle-resize-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

const of = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
const container = (name: string, resources: object, restarts?: string) =>
  ({
    name,
    resources,
    ...(restarts && { resizePolicy: [{ resourceName: restarts, restartPolicy: 'RestartContainer' }] }),
  }) as unknown as Container;
const podOf = (...containers: Container[]) =>
  ({ metadata: { name: 'p', uid: 'u', generation: 2 }, spec: { containers }, status: {} }) as unknown as Pod;
const running = (name: string, resources: object) =>
  ({
    id: `${name}-id`,
    name,
    state: 'running',
    attempt: 0,
    annotations: { [resourcesAnnotation]: JSON.stringify(resources) },
  }) as unknown as ContainerStatus;

function subject(more: { refuse?: string; used?: number; fails?: boolean } = {}) {
  const updates: string[] = [];
  const events: string[] = [];
  const tools = {
    config: { capacity: { memoryBytes: 2 ** 30 } },
    machine: { files: { resizeRecord: (uid: string) => resizeRecordIn(path.join(directory, uid)) } },
    events: { event: (_: Pod, _type: string, reason: string) => void events.push(reason) },
    refuse: () => more.refuse && { reason: 'OutOfcpu', message: more.refuse },
    runtime: {
      containerStats: async () => [{ id: 'a-id', memoryWorkingSetBytes: more.used ?? 0 }],
      updateContainerResources: async (id: string, resources: object) => {
        if (more.fails) throw new Error('cgroup says no');
        updates.push(`${id} ${JSON.stringify(resources)}`);
      },
    },
  } as unknown as KubeletTools;
  const resize = new PodResize('u', tools);
  const sync = async (pod: Pod, runtime: RuntimePod) => {
    const promised = await resize.admit(pod, runtime);
    const actions = resize.actions(promised, runtime);
    const during = resize.conditions();
    await resize.apply(promised, actions);
    const actual = Object.fromEntries(resize.actual(promised, runtime));
    return { promised, restart: [...actions.restart], during, actual, after: resize.conditions() };
  };
  return { sync, updates, events, resize };
}
const now = (...containers: ContainerStatus[]): RuntimePod => ({ sandboxes: [], containers });

test('cgroups change first, memory before CPU and decreases before increases; then the status', async () => {
  const { sync, updates, events } = subject();
  const before = now(running('a', of('100m', '64Mi')), running('b', of('100m', '64Mi')));
  const { during, after, actual } = await sync(
    podOf(container('a', of('200m', '128Mi')), container('b', of('50m', '32Mi'))),
    before,
  );
  expect(updates).toEqual([
    'b-id {"memoryLimitBytes":33554432}',
    'a-id {"memoryLimitBytes":134217728}',
    'b-id {"cpuShares":51,"cpuPeriod":100000,"cpuQuota":5000}',
    'a-id {"cpuShares":204,"cpuPeriod":100000,"cpuQuota":20000}',
  ]);
  expect(during).toMatchObject([{ type: 'PodResizeInProgress', status: 'True' }]);
  expect([actual, after]).toEqual([{}, []]);
  expect(events).toEqual(['ResizeStarted', 'ResizeCompleted']);
});

test('a policy restarts the container instead', async () => {
  const { sync, updates } = subject();
  const { restart } = await sync(
    podOf(container('a', of('100m', '128Mi'), 'memory')),
    now(running('a', of('100m', '64Mi'))),
  );
  expect([restart, updates]).toEqual([['a'], []]);
});

test("a resize beyond the node's resources waits, and the old allocation stays", async () => {
  const { sync, events, updates } = subject({ refuse: 'not enough' });
  const before = now(running('a', of('100m', '64Mi')));
  const { promised, after } = await sync(podOf(container('a', of('100', '64Mi'))), before);
  expect(promised.spec.containers[0].resources).toEqual(of('100m', '64Mi'));
  expect(after).toEqual([{ type: 'PodResizePending', status: 'True', reason: 'Deferred', message: 'not enough' }]);
  await sync(podOf(container('a', of('100', '64Mi'))), before);
  expect([events, updates]).toEqual([['ResizeDeferred'], []]);
  expect((await sync(podOf(container('a', of('100m', '64Mi'))), before)).after).toEqual([]);
});

test.each([
  [
    'a limit below the usage',
    { used: 2 ** 26 },
    'cannot decrease memory limits: attempting to set container "a" memory limit (33554432) below current usage (67108864)',
  ],
  ['a cgroup that refuses', { fails: true }, 'cgroup says no'],
])("%s is reported as an error, with the cgroup's values", async (_, more, message) => {
  const { sync, events } = subject(more);
  const { after, actual } = await sync(
    podOf(container('a', of('100m', '32Mi'))),
    now(running('a', of('100m', '64Mi'))),
  );
  expect(after).toEqual([{ type: 'PodResizeInProgress', status: 'True', reason: 'Error', message }]);
  expect(actual).toEqual({ a: of('100m', '64Mi') });
  expect(events).toEqual(['ResizeStarted', 'ResizeError']);
});

test('a pod whose first resize waits counts with its old allocation, also after a restart', async () => {
  const { sync, resize } = subject({ refuse: 'not enough cpu' });
  const pod = podOf(container('a', of('100', '64Mi')));
  await sync(pod, now(running('a', of('100m', '64Mi'))));
  const [old] = podOf(container('a', of('100m', '64Mi'))).spec.containers;
  expect(resize.promised(pod).spec.containers).toEqual([old]);
  expect(subject().resize.promised(pod).spec.containers).toEqual([old]);
});

test('after a restart the kubelet continues', async () => {
  const before = now(running('a', of('100m', '64Mi')));
  const pod = podOf(container('a', of('200m', '64Mi')));
  await subject().sync(pod, before);
  const again = subject();
  const { actual } = await again.sync(pod, before);
  expect([actual, again.updates, again.events]).toEqual([{}, [], []]);
});

test('a pod that was never resized is left alone', async () => {
  const { sync, updates, events } = subject();
  const pod = podOf(container('a', of('0.1', '64Mi')));
  expect((await sync(pod, now(running('a', of('100m', '64Mi'))))).promised).toBe(pod);
  expect((await sync(pod, now())).promised).toBe(pod);
  expect([updates, events]).toEqual([[], []]);
  expect(fs.readdirSync(directory)).toEqual([]);
});

test.each([
  ['containers made without it', { [resourcesAnnotation]: '{}' }, undefined],
  [
    'containers made with it',
    { [resourcesAnnotation]: '{}', [podResourcesAnnotation]: '{"limits":{"cpu":"1"}}' },
    { limits: { cpu: '1' } },
  ],
  ['containers without the annotation', {}, { limits: { cpu: '2' } }],
])('resources of the pod before its first resize: %s', (_, annotations, expected) => {
  const pod = podOf(container('a', {}));
  pod.spec.resources = { limits: { cpu: '2' } };
  const runtime = now({ ...running('a', {}), annotations } as ContainerStatus);
  expect(createdWith(pod, runtime).pod).toEqual(expected);
});
