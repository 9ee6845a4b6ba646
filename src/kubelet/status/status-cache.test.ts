import { describe, expect, test } from 'vitest';
import type { Container, Pod } from '../../api/api.ts';
import type { ContainerStatus, Sandbox } from '../../container-runtime/container-runtime.ts';
import fc from '../../machinery/test-property.ts';
import { withKnownStatus } from './pod-conditions.ts';
import { podStatus, prepareEntries } from './pod-status.ts';
import { StatusCache } from './status-cache.ts';
import type { StatusInputs } from './status-inputs.ts';

const names = Array.from({ length: 100 }, (_, i) => `c${i}`);
const pod = {
  metadata: { name: 'p', uid: 'u', generation: 1 },
  spec: { restartPolicy: 'Always', containers: names.map((name) => ({ name, image: 'a:1' }) as Container) },
  status: {},
} as unknown as Pod;
const sandboxes = [{ id: 's', state: 'ready', ips: ['10.0.0.1'], config: { attempt: 0 } }] as unknown as Sandbox[];
const runOf = (name: string, attempt = 0, more: Partial<ContainerStatus> = {}) =>
  ({
    ...{ id: `${name}-${attempt}`, name, attempt, state: 'running', createdAt: attempt, startedAt: 1e12 },
    ...{ finishedAt: 0, exitCode: 0, reason: '', message: '', image: 'a:1', imageRef: 'a@sha256:1', ...more },
  }) as ContainerStatus;
const inputsWith = (more: Partial<StatusInputs> = {}): StatusInputs => ({
  ...{ waiting: new Map(), isReady: () => true, isStarted: () => true, hostIPs: ['1.1.1.1'] },
  ...{ runtimeName: 'test', now: 1e12, ...more },
});

describe('the cache of a huge pod', () => {
  const runs = names.map((name) => runOf(name));
  const cache = new StatusCache();
  const first = podStatus(pod, { sandboxes, containers: runs }, inputsWith({ cache }));

  test('without a change the list is the same', () => {
    const again = podStatus(withKnownStatus(pod, first), { sandboxes, containers: [...runs] }, inputsWith({ cache }));
    expect(again.containerStatuses).toBe(first.containerStatuses);
  });

  test('equal values from a new list of the runtime, or from the API, are no change', () => {
    const reported = withKnownStatus(pod, structuredClone(first));
    const again = podStatus(reported, { sandboxes, containers: structuredClone(runs) }, inputsWith({ cache }));
    expect(again.containerStatuses).toBe(first.containerStatuses);
  });

  test.each<{ case: string; runs?: ContainerStatus[]; inputs?: Partial<StatusInputs> }>([
    { case: 'an end', runs: runs.with(7, runOf('c7', 0, { state: 'exited', exitCode: 1, finishedAt: 1e12 })) },
    { case: 'a restart', runs: [runOf('c7', 1), ...runs.with(7, runOf('c7', 0, { state: 'exited', exitCode: 1 }))] },
    { case: 'a termination message', runs: runs.with(7, runOf('c7', 0, { state: 'exited', message: 'bye' })) },
    { case: 'readiness', inputs: { isReady: (id) => id !== 'c7-0' } },
    { case: 'a probe that has not succeeded', inputs: { isStarted: (id) => id !== 'c7-0' } },
    { case: 'a start in progress', inputs: { starting: new Set(['c7']) } },
    { case: 'the actual resources', inputs: { actualResources: new Map([['c7', { limits: { cpu: '1' } }]]) } },
    {
      case: 'a reason to wait',
      runs: runs.with(7, runOf('c7', 0, { state: 'exited', exitCode: 1 })),
      inputs: { waiting: new Map([['c7', { reason: 'CrashLoopBackOff' }]]) },
    },
  ])('$case changes one entry', ({ runs: changed = runs, inputs }) => {
    const own = new StatusCache();
    const before = podStatus(pod, { sandboxes, containers: runs }, inputsWith({ cache: own }));
    const reported = withKnownStatus(pod, before);
    const after = podStatus(reported, { sandboxes, containers: changed }, inputsWith({ ...inputs, cache: own }));
    const different = after.containerStatuses?.filter((entry, i) => entry !== before.containerStatuses?.[i]);
    expect(different?.map((entry) => entry.name)).toEqual(['c7']);
    expect(after).toEqual(podStatus(reported, { sandboxes, containers: changed }, inputsWith(inputs)));
  });
});

const change = fc.record({
  name: fc.constantFrom(...names.slice(0, 6)),
  kind: fc.constantFrom('start', 'end', 'lose', 'wait', 'ready', 'restartAll'),
  exitCode: fc.constantFrom(0, 1),
});

test('a status from the cache equals one that is computed without it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 30 }), async (changes) => {
      const cache = new StatusCache();
      let runs: ContainerStatus[] = [];
      let status: Pod['status'] = {};
      const waiting = new Map<string, { reason: string }>();
      const unready = new Set<string>();
      for (const { name, kind, exitCode } of changes) {
        const own = runs.filter((c) => c.name === name);
        if (kind === 'start')
          runs = [runOf(name, own.length), ...runs.filter((c) => c.state !== 'running' || c.name !== name)];
        if (kind === 'end')
          runs = runs.map((c) => (c.name === name ? { ...c, state: 'exited', exitCode, finishedAt: 1e12 } : c));
        if (kind === 'lose') runs = runs.filter((c) => c.name !== name);
        if (kind === 'wait') waiting.set(name, { reason: `reason ${waiting.size}` });
        if (kind === 'ready') unready.has(name) ? unready.delete(name) : unready.add(name);
        const inputs = inputsWith({
          waiting: new Map(waiting),
          isReady: (_id, container) => !unready.has(container.name),
          restartsAll: kind === 'restartAll',
        });
        const reported = withKnownStatus(pod, status);
        await prepareEntries(reported, { sandboxes, containers: runs }, { ...inputs, cache });
        const cached = podStatus(reported, { sandboxes, containers: runs }, { ...inputs, cache });
        expect(cached).toEqual(podStatus(reported, { sandboxes, containers: runs }, inputs));
        status = cached;
      }
    }),
    { numRuns: 60 },
  );
});
